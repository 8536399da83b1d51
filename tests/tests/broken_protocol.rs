//! A peer that has broken the protocol is not read on at whatever speed it sends: it gets its
//! goodbye, if it reads, and is cut.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use peers_rpc::wire::ByeCode;
use peers_tests::raw::{Raw, frame};
use peers_tests::victim::Victim;
use std::io::Write as _;
use std::thread;

const VICTIM: &str = env!("CARGO_BIN_EXE_victim");

/// Sends behind the end of a connection, until the system takes no more.
fn flood(raw: &Raw) -> usize {
    let (mut socket, zeros, mut sent) = (raw.socket(), vec![0; 1 << 20], 0);
    while let Ok(count) = socket.write(&zeros) {
        sent += count;
    }
    sent
}

#[test]
fn what_comes_behind_a_broken_frame_is_not_read_for_long() {
    let victim = Victim::start(VICTIM);
    let endings = [
        ("a wrong frame", frame(0, 99, 0, 0, b""), Some(ByeCode::Protocol)),
        ("a second hello", frame(34, 1, 0, 0, &[0; 34]), Some(ByeCode::Protocol)),
        ("a frame too large", vec![0xff; 16], Some(ByeCode::Protocol)),
        ("a goodbye", frame(10, 11, 0, 0, &[0, 0, 0, 6, 0, 1, 0, 0, 0, 0]), None),
    ];
    for (what, bytes, bye) in endings {
        let mut raws: Vec<Raw> = (0..5).map(|_| victim.greeted()).collect();
        thread::scope(|scope| {
            let flooding: Vec<_> = raws
                .iter_mut()
                .map(|raw| {
                    raw.send(&bytes);
                    scope.spawn(|| flood(raw))
                })
                .collect();
            for flood in flooding {
                let sent = flood.join().unwrap();
                assert!(sent <= 32 << 20, "{what}: {sent} bytes, more than systems hold");
            }
        });
        for raw in &mut raws {
            assert_eq!(raw.bye(), bye, "{what}: what was said before the cut is read");
        }
    }
    victim.assert_well();
}
