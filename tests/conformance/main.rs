//! The conformance cases: each is refused for its rule or accepted, compiled to exactly its distribution, and answered alike by
//! every engine.

mod accepted;
mod answers;
mod distribution;
