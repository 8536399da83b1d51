//! Hostile texts for `peers_rpcc::fuzz::interface`, which says what must hold.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| peers_rpcc::fuzz::interface(data));
