//! A node as its callers see it: big numbers go in and come out, the wire's bytes stay inside.

use crate::{NodeProxy, Number, node_methods};
use peers_rpc::{Caller, Endpoint};

/// Calls a numbers node, loner or herd. The generated [`NodeProxy`] calls the same methods and
/// gives bytes.
///
/// Made through an [`Endpoint`] its calls end in continuations, made through a
/// [`SyncEndpoint`](peers_rpc::SyncEndpoint) they can be waited for, in all the forms that calls
/// have:
///
/// ```no_run
/// use peers_numbers::{Client, Number};
///
/// let peers = peers_rpc::spawn_loop()?;
/// let n = Client::new(peers.connect("inet:localhost:5000")?);
/// let x = n.get_prime(512).wait()?;
/// let y = n.get_random(512).wait()?;
/// let z = n.inverse(&y, &x).wait()?;
/// assert_eq!(z.times(&y).modulo(&x)?, Number::from(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Client<C: Caller = Endpoint> {
    node: NodeProxy<C>,
}

impl<C: Caller> Client<C> {
    /// Makes a client that calls through `caller`.
    pub fn new(caller: C) -> Self {
        Self { node: NodeProxy::new(caller) }
    }

    /// Returns the generated proxy, whose big numbers are bytes.
    pub fn proxy(&self) -> &NodeProxy<C> {
        &self.node
    }

    /// Draws a random number of exactly `bits` bits.
    pub fn get_random(&self, bits: u32) -> C::Call<Number> {
        self.node.caller().call(&node_methods::GET_RANDOM, (bits,))
    }

    /// Draws a random prime of exactly `bits` bits.
    pub fn get_prime(&self, bits: u32) -> C::Call<Number> {
        self.node.caller().call(&node_methods::GET_PRIME, (bits,))
    }

    /// Returns whether `x` is prime.
    pub fn is_prime(&self, x: &Number) -> C::Call<bool> {
        self.node.caller().call(&node_methods::IS_PRIME, (x,))
    }

    /// Returns the greatest common divisor.
    pub fn gcd(&self, x: &Number, y: &Number) -> C::Call<Number> {
        self.node.caller().call(&node_methods::GCD, (x, y))
    }

    /// Returns the inverse of `u` modulo `v`.
    pub fn inverse(&self, u: &Number, v: &Number) -> C::Call<Number> {
        self.node.caller().call(&node_methods::INVERSE, (u, v))
    }
}
