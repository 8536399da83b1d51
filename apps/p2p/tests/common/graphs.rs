//! Graphs to search: pairs of node numbers.

use peers_rpc::Kernel;
use peers_rpc::kernel::rand_core::Rng as _;

pub(crate) type Links = Vec<(usize, usize)>;

pub(crate) fn path(n: usize) -> Links {
    (1..n).map(|node| (node - 1, node)).collect()
}

pub(crate) fn star(n: usize) -> Links {
    (1..n).map(|node| (0, node)).collect()
}

pub(crate) fn cycle(n: usize) -> Links {
    let mut links = path(n);
    links.push((0, n - 1));
    links
}

pub(crate) fn complete(n: usize) -> Links {
    (0..n).flat_map(|b| (0..b).map(move |a| (a, b))).collect()
}

/// Every node of the first side with every one of the second.
pub(crate) fn bipartite(one: usize, other: usize) -> Links {
    (0..one).flat_map(|a| (0..other).map(move |b| (a, one + b))).collect()
}

pub(crate) fn grid(side: usize) -> Links {
    let mut links = Vec::new();
    for node in 0..side * side {
        if node % side > 0 {
            links.push((node - 1, node));
        }
        if node >= side {
            links.push((node - side, node));
        }
    }
    links
}

/// A connected graph: a random tree, and each other pair with a chance of `percent`.
pub(crate) fn random(seed: u64, n: usize, percent: u64) -> Links {
    let kernel = Kernel::simulated(seed);
    let mut rng = kernel.handle().rng();
    let mut below = |n: usize| usize::try_from(rng.next_u64() % n as u64).unwrap();
    let mut links: Links = (1..n).map(|node| (below(node), node)).collect();
    for pair in complete(n) {
        if !links.contains(&pair) && below(100) < usize::try_from(percent).unwrap() {
            links.push(pair);
        }
    }
    links
}
