//! Packets through the really loaded program, through its host build and through userspace: the same octets (laws 1, 2).

mod absent;
mod absent_changes;
mod budget;
mod clients;
mod cookies;
mod edges;
mod flips;
mod hot_set;
mod limits;
mod mutated;
mod on_host;
mod packet;
mod replaced;
mod stale;
mod table;
