//! The five requests, each as a value: what it is called, how it is computed here, and how a peer
//! is asked for it.
//!
//! The nodes decide where a request is computed; what it means stands here, once for both kinds of
//! node.

use crate::{HerdNodeProxy, Number, Wrong};
use peers_rpc::kernel::{ForkedRng, Stop};
use peers_rpc::wire::{DecodeOwned, Encode};
use peers_rpc::{Call, Error};

/// A request with its arguments, as they came: big numbers are bytes.
pub(crate) trait Operation: Clone + Send + 'static {
    /// Is the result, as it goes back.
    type Output: Encode + DecodeOwned + Send + 'static;

    /// The method's name on the wire.
    const NAME: &'static str;

    /// Computes it, however long that takes, unless `stop` is set.
    fn compute(self, rng: ForkedRng, stop: &Stop) -> Result<Self::Output, Error>;

    /// Asks a peer for it, who may forward it `hops` times more.
    fn forward(&self, peer: &HerdNodeProxy, hops: u32) -> Call<Self::Output>;
}

#[derive(Clone)]
pub(crate) struct GetRandom {
    pub(crate) bits: u32,
}

impl Operation for GetRandom {
    type Output = Vec<u8>;
    const NAME: &'static str = "get_random";

    fn compute(self, mut rng: ForkedRng, _: &Stop) -> Result<Vec<u8>, Error> {
        spell(Number::random(self.bits, &mut rng))
    }

    fn forward(&self, peer: &HerdNodeProxy, hops: u32) -> Call<Vec<u8>> {
        peer.get_random_in(self.bits, hops)
    }
}

#[derive(Clone)]
pub(crate) struct GetPrime {
    pub(crate) bits: u32,
}

impl Operation for GetPrime {
    type Output = Vec<u8>;
    const NAME: &'static str = "get_prime";

    fn compute(self, mut rng: ForkedRng, stop: &Stop) -> Result<Vec<u8>, Error> {
        spell(Number::prime(self.bits, &mut rng, || stop.is_set()))
    }

    fn forward(&self, peer: &HerdNodeProxy, hops: u32) -> Call<Vec<u8>> {
        peer.get_prime_in(self.bits, hops)
    }
}

#[derive(Clone)]
pub(crate) struct IsPrime {
    pub(crate) x: Vec<u8>,
}

impl Operation for IsPrime {
    type Output = bool;
    const NAME: &'static str = "is_prime";

    fn compute(self, _: ForkedRng, _: &Stop) -> Result<bool, Error> {
        Ok(read(&self.x)?.is_prime())
    }

    fn forward(&self, peer: &HerdNodeProxy, hops: u32) -> Call<bool> {
        peer.is_prime_in(&self.x, hops)
    }
}

#[derive(Clone)]
pub(crate) struct Gcd {
    pub(crate) x: Vec<u8>,
    pub(crate) y: Vec<u8>,
}

impl Operation for Gcd {
    type Output = Vec<u8>;
    const NAME: &'static str = "GCD";

    fn compute(self, _: ForkedRng, _: &Stop) -> Result<Vec<u8>, Error> {
        Ok(read(&self.x)?.gcd(&read(&self.y)?).to_bytes())
    }

    fn forward(&self, peer: &HerdNodeProxy, hops: u32) -> Call<Vec<u8>> {
        peer.gcd_in(&self.x, &self.y, hops)
    }
}

#[derive(Clone)]
pub(crate) struct Inverse {
    pub(crate) u: Vec<u8>,
    pub(crate) v: Vec<u8>,
}

impl Operation for Inverse {
    type Output = Vec<u8>;
    const NAME: &'static str = "inverse";

    fn compute(self, _: ForkedRng, _: &Stop) -> Result<Vec<u8>, Error> {
        spell(read(&self.u)?.inverse(&read(&self.v)?))
    }

    fn forward(&self, peer: &HerdNodeProxy, hops: u32) -> Call<Vec<u8>> {
        peer.inverse_in(&self.u, &self.v, hops)
    }
}

// Matches, not closures: the line that the exception names is that of the operation.

/// Reads an argument out of its bytes.
#[track_caller]
fn read(bytes: &[u8]) -> Result<Number, Error> {
    match Number::from_bytes(bytes) {
        Ok(number) => Ok(number),
        Err(wrong) => Err(wrong.raise()),
    }
}

/// Writes a result into its bytes.
#[track_caller]
fn spell(result: Result<Number, Wrong>) -> Result<Vec<u8>, Error> {
    match result {
        Ok(number) => Ok(number.to_bytes()),
        Err(wrong) => Err(wrong.raise()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peers_rpc::{Cont, ErrorKind, Kernel};
    use std::sync::mpsc::channel;

    /// Returns how a search for a large prime ends whose owner goes away when it has begun.
    fn abandoned_search() -> Result<Vec<u8>, Error> {
        let kernel = Kernel::new().unwrap();
        let owner = kernel.node(());
        let (begin, begun) = channel();
        let (end, ended) = channel();
        let rng = kernel.handle().fork_rng();
        let work = move |stop: &Stop| {
            begin.send(()).unwrap();
            end.send(GetPrime { bits: Number::MAX_MADE }.compute(rng, stop)).unwrap();
            Ok(())
        };
        let nobody = Cont::new(&kernel.handle(), |_: Result<(), Error>| ());
        owner.cx().offload(work, nobody);
        begun.recv().unwrap();
        drop(owner);
        ended.recv().unwrap()
    }

    #[test]
    fn a_search_ends_when_nobody_waits_for_it() {
        // Now and then one of the first candidates is prime; not five times in a row.
        let stopped = (0..5).filter_map(|_| abandoned_search().err()).next();
        let error = stopped.expect("a search went on to its end");
        assert!(error.to_string().contains("stopped: nobody waits"), "{error}");
    }

    #[test]
    fn an_exception_names_the_line_of_its_operation() {
        let kernel = Kernel::simulated(1);
        let rng = || kernel.handle().fork_rng();
        let line = |outcome: Result<Vec<u8>, Error>| match outcome.unwrap_err().kind() {
            ErrorKind::Raised(raised) => (raised.file.clone(), raised.line),
            other => panic!("{other:?}"),
        };
        let random = line(GetRandom { bits: 0 }.compute(rng(), &Stop::default()));
        let prime = line(GetPrime { bits: 0 }.compute(rng(), &Stop::default()));
        assert_eq!((random.0.as_str(), prime.0.as_str()), ("operation.rs", "operation.rs"));
        assert_ne!(random.1, prime.1);
    }
}
