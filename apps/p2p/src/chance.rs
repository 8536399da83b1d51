//! Chance: a fair shuffle, drawn from the kernel's generator.

use peers_rpc::kernel::Rng;
use peers_rpc::kernel::rand_core::Rng as _;

/// Returns a number below `n`, each as likely as any other.
fn below(rng: &mut Rng, n: u64) -> u64 {
    // A multiple of n: what lies beyond would favour small numbers.
    let fair = u64::MAX - u64::MAX % n;
    loop {
        let drawn = rng.next_u64();
        if drawn < fair {
            return drawn % n;
        }
    }
}

/// Puts the items in an order drawn at random.
pub(crate) fn shuffle<T>(rng: &mut Rng, items: &mut [T]) {
    for last in (1..items.len()).rev() {
        let chosen = below(rng, last as u64 + 1);
        items.swap(last, usize::try_from(chosen).unwrap_or(last));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peers_rpc::Kernel;
    use std::collections::BTreeMap;

    #[test]
    fn all_orders_of_three_are_about_as_likely() {
        let kernel = Kernel::simulated(7);
        let mut counts: BTreeMap<[u8; 3], u32> = BTreeMap::new();
        for _ in 0..6_000 {
            let mut items = [1, 2, 3];
            shuffle(&mut kernel.handle().rng(), &mut items);
            *counts.entry(items).or_default() += 1;
        }
        assert_eq!(counts.len(), 6);
        assert!(counts.values().all(|count| (900..1_100).contains(count)), "{counts:?}");
    }

    #[test]
    fn nothing_to_shuffle_is_fine() {
        let kernel = Kernel::simulated(7);
        shuffle::<u8>(&mut kernel.handle().rng(), &mut []);
        shuffle(&mut kernel.handle().rng(), &mut [1]);
    }
}
