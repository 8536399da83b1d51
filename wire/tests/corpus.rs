//! The fuzz targets over a seeded corpus: the vectors, mutated and spliced, the same in every run.
//! `tests/fuzz` runs the same functions without end.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Numbers, vectors};
use peers_wire::fuzz;

const ROUNDS: usize = 150_000;

/// Damages `bytes` in one of the ways that find bugs in decoders.
fn mutate(numbers: &mut Numbers, bytes: &mut Vec<u8>, others: &[Vec<u8>]) {
    let at = numbers.below(bytes.len().max(1));
    match numbers.below(7) {
        _ if bytes.is_empty() => bytes.push(0),
        0 => bytes[at] ^= 1 << numbers.below(8),
        1 => bytes[at] = numbers.next().to_le_bytes()[0],
        2 => bytes.truncate(at),
        3 => {
            let end = (at + 1 + numbers.below(16)).min(bytes.len());
            bytes.extend_from_within(at..end);
        }
        4 => {
            let edge = [0u32, 1, 255, 65_536, u32::MAX][numbers.below(5)].to_be_bytes();
            let end = (at + 4).min(bytes.len());
            bytes[at..end].copy_from_slice(&edge[..end - at]);
        }
        5 => {
            let other = &others[numbers.below(others.len())];
            bytes.truncate(at);
            bytes.extend_from_slice(&other[numbers.below(other.len().max(1)).min(other.len())..]);
        }
        _ => bytes.insert(at, numbers.next().to_le_bytes()[0]),
    }
}

fn run(seed: u64, prefix: &[u8], rounds: usize, target: fn(&[u8])) {
    let seeds: Vec<Vec<u8>> =
        vectors().into_iter().map(|vector| [prefix, &vector.bytes].concat()).collect();
    seeds.iter().for_each(|bytes| target(bytes));
    let mut numbers = Numbers(seed);
    for _ in 0..rounds {
        let mut bytes = seeds[numbers.below(seeds.len())].clone();
        for _ in 0..=numbers.below(4) {
            mutate(&mut numbers, &mut bytes, &seeds);
        }
        target(&bytes);
    }
}

#[test]
fn frame() {
    run(0x5eed_f4a3, &[5], ROUNDS, fuzz::frame);
}

/// A large frame each: fewer rounds take as long.
#[test]
fn frame_with_a_run() {
    for choice in [0, 1, 2, 0x80] {
        run(0x5eed_4a9e, &[fuzz::RUN, 100, choice], 300, fuzz::frame);
    }
}

#[test]
fn value() {
    run(0x5eed_7a1e, &[], ROUNDS, fuzz::value);
}
