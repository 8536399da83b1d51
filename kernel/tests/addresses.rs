//! Whatever stands where an address should: no panic, and what is read prints as itself.

use peers_kernel::Address;
use proptest::prelude::*;

const SEEDS: [&str; 8] = [
    "inet:localhost:5000",
    "inet:[::1]:0",
    "inet:127.0.0.1:65535",
    "unix:/tmp/a socket",
    "sim:name/port",
    "inet:",
    "unix:",
    "ftp:host:1",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn mutated_addresses_do_no_harm(
        seed in 0..SEEDS.len(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<char>(), 0..3_u8), 0..6),
    ) {
        let mut text: Vec<char> = SEEDS[seed].chars().collect();
        for (at, with, what) in cuts {
            let place = at.index(text.len() + 1);
            match what {
                0 => text.insert(place, with),
                1 if place < text.len() => text[place] = with,
                _ if place < text.len() => drop(text.remove(place)),
                _ => text.push(':'),
            }
        }
        let text: String = text.into_iter().collect();
        peers_kernel::fuzz::address(text.as_bytes());
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        peers_kernel::fuzz::address(&bytes);
    }
}

#[test]
fn a_megabyte_is_no_address_and_is_not_repeated() {
    let long = format!("inet:{}:1", "x".repeat(1 << 20));
    let error = long.parse::<Address>().unwrap_err().to_string();
    assert!(error.len() < 1_000, "{} bytes of error", error.len());
}
