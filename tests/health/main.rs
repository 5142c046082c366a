//! Health checking against programs that others wrote: OpenSSL's server, a real Prometheus, its rule checker.
//!
//! All of it on loopback, as any user. A test whose program is not installed counts as skipped and says which.

mod alarms;
mod examples;
mod node;
mod program;
mod tls;
