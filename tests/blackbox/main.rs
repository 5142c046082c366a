//! pulse53 as its users meet it: the real program in a network namespace, XDP on a veth pair, questions over the wire.
//!
//! Every test has a site of its own (`harness`), so tests run side by side. Whatever takes time is polled a bounded number of
//! times; no test looks at how long anything took.

mod addresses;
mod api;
mod bounded;
mod clients;
mod coexistence;
mod conformance;
mod control;
mod crash;
mod dig;
mod dnssec;
mod doctor;
mod edns;
mod explain;
mod flapping;
mod growth;
mod harness;
mod health;
mod hostile;
mod hot_set;
mod lifecycle;
mod limits;
mod load;
mod old_kernel;
mod privileges;
mod query_log;
mod queues;
mod refusals;
mod reload;
mod routes;
mod sampler;
mod stale;
mod systemd;
mod tap;
mod tcp;
mod torn;
mod vlans;
