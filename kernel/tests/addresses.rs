//! Whatever stands where an address should: no panic, and what is read prints as itself.

use peers_kernel::{Address, Cont, Kernel, PublicKey, Stream};
use proptest::prelude::*;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;

const KEY: &str = "07fe1c8a5d7b3e90aa41c6d2f8350b9e6611d04f7ac29385be0c5df1e8724a36";

const SEEDS: [&str; 12] = [
    "inet:localhost:5000",
    "inet:[::1]:0",
    "inet:127.0.0.1:65535",
    "unix:/tmp/a socket",
    "sim:name/port",
    "inet:",
    "unix:",
    "ftp:host:1",
    "inet:07fe1c8a5d7b3e90aa41c6d2f8350b9e6611d04f7ac29385be0c5df1e8724a36@localhost:5000",
    "unix:07fe1c8a5d7b3e90aa41c6d2f8350b9e6611d04f7ac29385be0c5df1e8724a36@/tmp/a@b",
    "unix:07FE@x@y",
    "sim:07fe1c8a5d7b3e90aa41c6d2f8350b9e6611d04f7ac29385be0c5df1e8724a36@name",
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

proptest! {
    /// Whatever place it is, and however it came about.
    #[test]
    fn a_key_goes_into_an_address_and_out_of_it(
        bytes: [u8; 32],
        host in "[a-z0-9.-]{1,20}",
        path in "[a-z0-9@/.]{1,80}",
        name in "[g-z0-9/-]{1,80}",
        port: u16,
    ) {
        let key = PublicKey(bytes);
        for address in [Address::inet(host, port), Address::unix(path), Address::sim(name)] {
            let keyed = address.with_key(key);
            prop_assert_eq!((address.key(), keyed.key()), (None, Some(key)));
            prop_assert_eq!(&keyed.without_key(), &address);
            prop_assert_eq!(keyed.is_local(), address.is_local());
            prop_assert_eq!(keyed.with_port(7), address.with_port(7).with_key(key));
            for one in [&address, &keyed] {
                let again: Address = one.to_string().parse().unwrap();
                // A path that looks like a key is printed as one that does not, of the same file.
                prop_assert_eq!(again.to_string(), one.to_string());
                prop_assert_eq!(again.key(), one.key());
            }
            let upper = keyed.to_string().replacen(&key.to_string(), &key.to_string().to_uppercase(), 1);
            prop_assert_eq!(upper.parse::<Address>().unwrap().key(), Some(key));
        }
    }
}

#[test]
fn a_mistyped_key_becomes_no_path_and_no_name() {
    let (long, odd) = (format!("{KEY}0"), KEY.replace('f', "g"));
    for wrong in [&KEY[1..], &long, "0", "DEADbeef", &odd, &"x y".repeat(64)[..64]] {
        for address in [
            format!("inet:{wrong}@localhost:5000"),
            format!("unix:{wrong}@/run/node"),
            format!("sim:{wrong}@node"),
        ] {
            let error = address.parse::<Address>().unwrap_err().to_string();
            assert_eq!(error, format!("`{wrong}` is no key: 64 hex digits"), "{address}");
        }
    }
}

#[test]
fn what_does_not_look_like_a_key_is_read_as_ever() {
    let with_slash = format!("unix:{}/{}@x", &KEY[..30], &KEY[..33]);
    for text in ["unix:@x", "unix:/home/ab@cd/x", "unix:node@1", "sim:a-b@c", &with_slash] {
        let address: Address = text.parse().unwrap();
        assert_eq!((address.key(), address.to_string()), (None, text.to_owned()));
    }
    for text in ["inet:node@localhost:1", "inet:@localhost:1"] {
        let error = text.parse::<Address>().unwrap_err().to_string();
        assert!(error.contains("is no host"), "{error}");
    }
}

#[test]
fn one_key_is_enough() {
    for address in [format!("unix:{KEY}@{KEY}@/x"), format!("unix:{KEY}@07fe@x")] {
        let error = address.parse::<Address>().unwrap_err().to_string();
        assert!(error.contains("begins with a second key"), "{error}");
    }
    let address: Address = format!("unix:{KEY}@./07fe@x").parse().unwrap();
    assert_eq!(address.without_key().to_string(), "unix:./07fe@x");
    assert_eq!(Address::unix("07fe@x").to_string(), "unix:./07fe@x");
}

#[test]
fn the_kernel_alone_refuses_what_it_cannot_prove() {
    let mut kernel = Kernel::simulated(1);
    let handle = kernel.handle();
    let address: Address = format!("sim:{KEY}@here").parse().unwrap();
    let error = handle.listen(&address, |_| {}).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    assert!(error.to_string().contains("use Address::without_key"), "{error}");
    let _listener = handle.listen(&address.without_key(), |_| panic!("nobody comes")).unwrap();
    let outcome = Rc::new(RefCell::new(None));
    let place = outcome.clone();
    let k = Cont::new(&handle, move |stream: io::Result<Stream>| {
        place.replace(Some(stream.map(|_| ()).map_err(|error| error.kind())));
    });
    handle.connect(&address, k);
    kernel.handle().after(std::time::Duration::from_secs(1), {
        let handle = kernel.handle();
        move || handle.stop()
    });
    kernel.run().unwrap();
    assert_eq!(outcome.take(), Some(Err(io::ErrorKind::Unsupported)));
}

#[test]
fn a_megabyte_is_no_address_and_is_not_repeated() {
    let long = format!("inet:{}:1", "x".repeat(1 << 20));
    let error = long.parse::<Address>().unwrap_err().to_string();
    assert!(error.len() < 1_000, "{} bytes of error", error.len());
}
