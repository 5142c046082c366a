//! HTTP: control of this node, and the Route 53 API.
//!
//! ```text
//!  guard.rs (sigv4.rs) ──► control.rs   /pulse53/v1/…   JSON, for our own commands
//!                     ├──► http.rs      /2013-04-01/…   XML: route.rs finds the operation, actions/<resource>.rs carries it out
//!                     └──► recovery.rs  /               JSON: routing controls
//! ```
//!
//! A new operation is a function and a line of `ROUTES` in its resource's file under `actions`; a new resource is a file there,
//! its kinds of rows in the store, and a line of `actions::TABLES`.

pub mod actions;
pub mod connections;
pub mod control;
pub mod error;
pub mod guard;
pub mod http;
mod identifiers;
pub mod recovery;
pub mod route;
pub mod sigv4;
pub mod xml;
