//! Packets through the really loaded program, through its host build and through userspace: the same octets (laws 1, 2).

mod budget;
mod clients;
mod cookies;
mod edges;
mod limits;
mod mutated;
mod packet;
mod replaced;
mod stale;
mod table;
