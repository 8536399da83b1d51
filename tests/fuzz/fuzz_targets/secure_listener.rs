//! Hostile bytes for `peers_secure::fuzz::listener`, which says what must hold.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| peers_secure::fuzz::listener(data));
