//! The basic node: every method computes at once and returns its result.
//!
//! While it computes it does nothing else, not even answer a ping. A [`Herd`](crate::Herd) without
//! peers does the same work on other threads.

use crate::LocalNode;
use crate::operation::{Gcd, GetPrime, GetRandom, Inverse, IsPrime, Operation};
use peers_rpc::kernel::Stop;
use peers_rpc::{Context, Cx, Error, Kernel, Listener, Node, Rpc, Security, ToAddress};

/// A node that computes by itself.
#[derive(Debug, Default)]
pub struct Loner(());

impl Loner {
    /// Makes a loner, served at `address`. What it returns must be kept: dropping the listener
    /// closes the door.
    ///
    /// # Errors
    /// When it cannot listen there.
    pub fn serve(
        kernel: &Kernel,
        rpc: &Rpc,
        address: impl ToAddress,
        security: Option<Security>,
    ) -> Result<(Listener, Node<Self>), Error> {
        let node = kernel.node(Self::default());
        let cx = node.cx();
        let accept = move |endpoint| LocalNode::bind(&cx, &endpoint);
        let listener = rpc.listen_with(security, address, accept)?;
        Ok((listener, node))
    }
}

fn compute<O: Operation>(cx: &Cx<Loner>, operation: O) -> Result<O::Output, Error> {
    // On the loop, with a generator of its own, as the herd computes elsewhere.
    operation.compute(cx.handle().fork_rng(), &Stop::default())
}

impl LocalNode for Loner {
    fn get_random(&mut self, cx: &Context<'_, Self>, bits: u32) -> Result<Vec<u8>, Error> {
        compute(cx, GetRandom { bits })
    }

    fn get_prime(&mut self, cx: &Context<'_, Self>, bits: u32) -> Result<Vec<u8>, Error> {
        compute(cx, GetPrime { bits })
    }

    fn is_prime(&mut self, cx: &Context<'_, Self>, x: Vec<u8>) -> Result<bool, Error> {
        compute(cx, IsPrime { x })
    }

    fn gcd(&mut self, cx: &Context<'_, Self>, x: Vec<u8>, y: Vec<u8>) -> Result<Vec<u8>, Error> {
        compute(cx, Gcd { x, y })
    }

    fn inverse(
        &mut self,
        cx: &Context<'_, Self>,
        u: Vec<u8>,
        v: Vec<u8>,
    ) -> Result<Vec<u8>, Error> {
        compute(cx, Inverse { u, v })
    }
}
