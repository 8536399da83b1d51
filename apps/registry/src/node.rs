//! The node: a map, and the two methods over it.

use crate::{LocalNode, NoSuchKey};
use peers_rpc::{Context, Error, Kernel, Listener, Node, Rpc, Security, ToAddress};
use std::collections::BTreeMap;

/// Keys and values, in memory.
#[derive(Debug, Default)]
pub struct Registry {
    values: BTreeMap<String, String>,
}

impl LocalNode for Registry {
    fn put(&mut self, _: &Context<'_, Self>, key: String, value: String) {
        self.values.insert(key, value);
    }

    fn get(&mut self, _: &Context<'_, Self>, key: String) -> Result<String, Error> {
        match self.values.get(&key) {
            Some(value) => Ok(value.clone()),
            None => Err(NoSuchKey { key }.raise()),
        }
    }
}

impl Registry {
    /// Makes an empty registry, served at `address`. What it returns must be kept: dropping the
    /// listener closes the door, dropping the node forgets the values.
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
