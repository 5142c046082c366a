//! Tests of assembly.
