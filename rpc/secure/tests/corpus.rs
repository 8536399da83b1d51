//! Promise: hostile bytes end a connection, or mean nothing. The fuzz targets' functions on a
//! seeded corpus.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{identity, rng};
use peers_rpc::kernel::rand_core::Rng as _;
use peers_secure::fuzz;

/// Runs `target` on `seeds`, each changed in a few places, and on noise.
fn run(seed: u64, rounds: usize, seeds: &[Vec<u8>], target: fn(&[u8])) {
    let mut rng = rng(seed);
    seeds.iter().for_each(|seed| target(seed));
    for round in 0..rounds {
        let mut bytes = match seeds.get(round % (seeds.len() + 1)) {
            Some(seed) => seed.clone(),
            None => (0..rng.next_u32() % 300).map(|_| rng.next_u32() as u8).collect(),
        };
        for _ in 0..rng.next_u32() % 4 {
            let (place, byte) = (rng.next_u32() as usize, rng.next_u32() as u8);
            match (bytes.len(), byte % 4) {
                (0, _) => bytes.push(byte),
                (len, 0) => bytes.truncate(place % len),
                (len, 1) => bytes.insert(place % len, byte),
                (len, _) => bytes[place % len] ^= byte,
            }
        }
        target(&bytes);
    }
}

/// What an honest dialler and listener send first, behind the byte that says how it is cut.
fn flights() -> [Vec<u8>; 2] {
    let (mut a, mut b) = common::pair(3);
    let hello = std::mem::take(&mut a.out);
    b.hear(&hello);
    [[&[254][..], &hello].concat(), [&[254][..], &b.out].concat()]
}

#[test]
fn a_listener_takes_anything() {
    run(1, 600, &[flights()[0].clone()], fuzz::listener);
}

#[test]
fn a_dialler_takes_anything() {
    run(2, 600, &[flights()[1].clone()], fuzz::dialler);
}

#[test]
fn a_pair_takes_any_change() {
    let seeds: Vec<Vec<u8>> =
        [1_u16, 5, 200, 1500, 1800, 2500].map(|at| [&at.to_be_bytes()[..], &[9]].concat()).into();
    run(3, 400, &seeds, fuzz::pair);
}

#[test]
fn records_of_a_peer_without_manners_are_harmless() {
    let seeds = vec![
        vec![0, 23, 3, b'o', b'n', b'e', 22, 5, 24, 0, 0, 1, 1, 23, 1, b'x', 21, 2, 1, 0],
        vec![3, 22, 5, 24, 0, 0, 1, 1, 23, 1, b'x', 22, 4, 4, 0, 0, 0, 22, 5, 24, 0, 0, 1, 0],
        vec![1, 0, 4, b'p', 23, 0, 0, 23, 0, 23, 0, 21, 2, 2, 40],
    ];
    run(4, 5000, &seeds, fuzz::records);
}

#[test]
fn key_files_may_say_anything() {
    run(5, 3000, &[identity(1).to_pem().as_bytes().to_vec()], fuzz::key_file);
}

#[test]
fn lists_may_say_anything() {
    let key = identity(1).key();
    let text = format!("# list\n{key} alice # remark\n\n  {key}\tbob\r\n07fe\n");
    run(6, 3000, &[text.into_bytes()], fuzz::allow_file);
}
