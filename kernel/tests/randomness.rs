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
fn a_fresh_generator_has_nothing_to_do_with_the_kernels() -> io::Result<()> {
    let kernel = Kernel::simulated(1);
    let handle = kernel.handle();
    let fresh = draw(handle.fresh_rng()?, 8);
    assert_eq!(fresh, draw(Kernel::simulated(1).handle().fresh_rng()?, 8), "the seed decides");
    assert_ne!(fresh, draw(handle.fresh_rng()?, 8), "each has a seed of its own");
    let twin = Kernel::simulated(1);
    assert_eq!(draw(handle.rng(), 8), draw(twin.handle().rng(), 8), "the kernel's was not used");
    let real = Kernel::new()?;
    assert_ne!(draw(real.handle().fresh_rng()?, 4), draw(real.handle().fresh_rng()?, 4));
    let ended = handle.clone();
    drop(kernel);
    assert_eq!(ended.fresh_rng().unwrap_err().kind(), io::ErrorKind::NotConnected);
    Ok(())
}

#[test]
fn a_handle_knows_whether_it_is_in_a_simulation_also_afterwards() -> io::Result<()> {
    for (kernel, simulated) in [(Kernel::simulated(1), true), (Kernel::new()?, false)] {
        let handle = kernel.handle();
        assert_eq!(handle.is_simulated(), simulated);
        let mut fresh = handle.fresh_rng()?;
        let of_generators = [fresh.fork(), fresh, handle.fork_rng()].map(|rng| rng.is_simulated());
        assert_eq!(of_generators, [simulated; 3]);
        drop(kernel);
        assert_eq!(handle.is_simulated(), simulated);
    }
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
