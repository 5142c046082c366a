//! HTTP: control of this node, and later the Route 53 API.

pub mod control;
pub mod guard;
