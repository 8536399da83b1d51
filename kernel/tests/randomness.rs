//! Randomness: one generator per kernel; the same seed, the same numbers.

use peers_kernel::Kernel;
use peers_kernel::rand_core::{CryptoRng, Rng};
use std::io;
use std::thread;

fn draw(mut rng: impl CryptoRng, count: usize) -> Vec<u64> {
    (0..count).map(|_| rng.next_u64()).collect()
}

#[test]
fn the_same_seed_gives_the_same_numbers() {
    let draws = |seed| draw(Kernel::simulated(seed).handle().rng(), 8);
    assert_eq!(draws(1), draws(1));
    assert_ne!(draws(1), draws(2));
}

#[test]
fn all_handles_draw_from_one_generator() {
    let kernel = Kernel::simulated(1);
    let (mut one, mut other) = (kernel.handle().rng(), kernel.handle().rng());
    let mixed = [one.next_u64(), other.next_u64(), one.next_u64(), other.next_u64()];
    assert_eq!(mixed.to_vec(), draw(Kernel::simulated(1).handle().rng(), 4));
}

#[test]
fn a_fork_goes_its_own_way_on_any_thread() {
    let kernel = Kernel::simulated(1);
    let (fork, twin) = (kernel.handle().fork_rng(), Kernel::simulated(1).handle().fork_rng());
    let elsewhere = thread::spawn(move || draw(fork, 8)).join().unwrap();
    assert_eq!(elsewhere, draw(twin, 8));
    assert_ne!(elsewhere, draw(kernel.handle().rng(), 8));
    assert_ne!(elsewhere, draw(kernel.handle().fork_rng(), 8));
}

#[test]
fn real_kernels_differ() -> io::Result<()> {
    assert_ne!(draw(Kernel::new()?.handle().rng(), 4), draw(Kernel::new()?.handle().rng(), 4));
    Ok(())
}

#[test]
fn its_state_is_not_shown() {
    let handle = Kernel::simulated(1).handle();
    assert_eq!(format!("{:?} {:?}", handle.rng(), handle.fork_rng()), "Rng(..) ForkedRng(..)");
    let mut bytes = [0; 37];
    handle.rng().fill_bytes(&mut bytes);
    assert_ne!(bytes, [0; 37]);
}
