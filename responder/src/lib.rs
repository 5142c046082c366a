//! The agent: reads what is declared, probes endpoints, compiles answers, and serves them from userspace and the kernel.
//!
//! `api`, `health`, `serve` and `datapath` never name each other; they meet in `publish`, as values.

pub mod agent;
pub mod api;
pub mod buckets;
pub mod causes;
pub mod cli;
pub mod clock;
pub mod config;
pub mod datapath;
pub mod declared;
pub mod dnssec;
pub mod doctor;
pub mod explain;
pub mod geo;
pub mod health;
pub mod heat;
pub mod metrics;
mod privileges;
pub mod publish;
pub mod query_log;
pub mod sampler;
pub mod serve;
pub mod store;
