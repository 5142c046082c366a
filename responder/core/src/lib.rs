//! The pure half of pulse53: what is declared, what is observed and where clients are go in; finished answers come out.
//!
//! Law 3: nothing here touches a socket, a file, a clock, a thread, the environment or a random source. Time, randomness,
//! health and geography are arguments.

pub mod advice;
pub mod assemble;
pub mod beside;
pub mod body;
pub mod change;
pub mod compile;
pub mod dnssec;
pub mod explain;
pub mod geo;
pub mod health;
pub mod heat;
pub mod lower;
pub mod model;
pub mod nearest;
pub mod nodes;
pub mod rdata;
pub mod redirection;
pub mod resolve;
pub mod route53;
pub mod table;
pub mod what_if;
pub mod zonefile;
