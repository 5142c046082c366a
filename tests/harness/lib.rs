//! What the tests share: zones from text, frames as one reads them, and the three engines that must agree.

pub mod frame;
pub mod zone;
