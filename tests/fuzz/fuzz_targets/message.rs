//! Calls the function of this name in `pulse53_tests::fuzz`, which says what must hold.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| pulse53_tests::fuzz::message(octets));
