//! The node: what it keeps, what it prints, and the methods that others call.
//!
//! The searches are in `get`, `get_all` and `search`, the making and mending of connections is in
//! `overlay`.
//!
//! Invariants:
//! 1. `id` is set before the first request is served, and is the address that the node listens at.
//!    Kept by `the_whole_session_of_the_tutorial`.
//! 2. The node itself is never among its `peers`. Kept by `nobody_is_his_own_peer`.

use crate::seen::Seen;
use crate::{Bounds, Findings, LocalP2pNode, P2pNodeProxy, QueryId};
use peers_rpc::{Address, Context, Error, Kernel, Listener, Node};
use peers_rpc::{Reply, Rpc, Security, ToAddress};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Prints a node's line: the address that it listens at, and the text.
pub type Voice = Box<dyn Fn(&Address, &str)>;

/// Says how many requests a node has served, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Requests {
    /// `get`, with and without visited nodes.
    pub get: u64,
    /// `get_all`, with and without visited nodes, counted or not.
    pub get_all: u64,
    /// `search`: requests received.
    pub search: u64,
    /// `search`: queries that this node had not met before, and passed on.
    pub searched: u64,
}

/// A node of the network: values of its own, and peers to ask for others.
pub struct P2pNode {
    /// Empty until the node listens.
    pub(crate) id: String,
    address: Option<Address>,
    pub(crate) values: BTreeMap<String, String>,
    pub(crate) peers: BTreeMap<String, P2pNodeProxy>,
    pub(crate) seen: Seen,
    pub(crate) bounds: Bounds,
    pub(crate) requests: Requests,
    voice: Voice,
}

impl P2pNode {
    /// Makes a node with no values and no peers, whose lines `voice` prints.
    pub fn new(voice: Voice) -> Self {
        Self::with_bounds(voice, Bounds::default())
    }

    /// Makes a node with bounds of your own.
    pub fn with_bounds(voice: Voice, bounds: Bounds) -> Self {
        Self {
            id: String::new(),
            address: None,
            values: BTreeMap::new(),
            peers: BTreeMap::new(),
            seen: Seen::new(&bounds),
            bounds,
            requests: Requests::default(),
            voice,
        }
    }

    /// Serves it at `address` and dials its first `peers`, again and again as long as they cannot
    /// be reached. What it returns must be kept: dropping the listener closes the door, dropping
    /// the node forgets the values.
    ///
    /// # Errors
    /// When it cannot listen there.
    pub fn serve(
        self,
        kernel: &Kernel,
        rpc: &Rpc,
        address: impl ToAddress,
        peers: &[Address],
        security: Option<Security>,
    ) -> Result<(Listener, Node<Self>), Error> {
        let node = kernel.node(self);
        let cx = node.cx();
        let accept = move |endpoint| LocalP2pNode::bind(&cx, &endpoint);
        let listener = rpc.listen_with(security, address, accept)?;
        // Before anything is read or dialled: peers are told the id, and requests are answered by
        // it.
        let dialler = rpc.dialler();
        node.cx().enter(|node, cx| {
            node.id = listener.address().to_string();
            node.address = Some(listener.address());
            Self::join(cx, &dialler, peers);
        })?;
        Ok((listener, node))
    }

    /// Returns what it is called in the network: the address that it listens at.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the ids of its peers, dead ones included that nobody has asked since.
    pub fn peers(&self) -> impl Iterator<Item = &str> {
        self.peers.keys().map(String::as_str)
    }

    /// Returns the value that it keeps itself under `key`.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// Returns how many requests it has served.
    pub fn requests(&self) -> Requests {
        self.requests
    }

    /// Prints a line.
    pub(crate) fn say(&self, text: &str) {
        if let Some(address) = &self.address {
            (self.voice)(address, text);
        }
    }
}

impl LocalP2pNode for P2pNode {
    fn put(&mut self, _: &Context<'_, Self>, key: String, value: String) {
        // A value of one's own counts more than copies, so it replaces whatever was here.
        self.say(&format!("put {key} -> {value}"));
        self.values.insert(key, value);
    }

    fn get(&mut self, cx: &Context<'_, Self>, key: String, reply: Reply<String>) {
        self.get_from(cx, key, Vec::new(), reply);
    }

    fn get_from(
        &mut self,
        cx: &Context<'_, Self>,
        key: String,
        visited: Vec<String>,
        reply: Reply<String>,
    ) {
        self.requests.get += 1;
        self.find_one(cx, key, &visited, reply);
    }

    fn get_all(&mut self, cx: &Context<'_, Self>, key: String, reply: Reply<BTreeSet<String>>) {
        self.get_all_from(cx, key, Vec::new(), reply);
    }

    fn get_all_from(
        &mut self,
        cx: &Context<'_, Self>,
        key: String,
        visited: Vec<String>,
        reply: Reply<BTreeSet<String>>,
    ) {
        self.requests.get_all += 1;
        self.find_all(cx, key, &visited, reply);
    }

    fn get_all_counted(
        &mut self,
        cx: &Context<'_, Self>,
        key: String,
        visited: Vec<String>,
        reply: Reply<Findings>,
    ) {
        self.requests.get_all += 1;
        self.find_all(cx, key, &visited, reply);
    }

    fn search(&mut self, cx: &Context<'_, Self>, key: String, reply: Reply<Findings>) {
        self.requests.search += 1;
        self.begin_search(cx, key, reply);
    }

    fn search_from(
        &mut self,
        cx: &Context<'_, Self>,
        key: String,
        query: QueryId,
        hops: u32,
        reply: Reply<Findings>,
    ) {
        self.requests.search += 1;
        self.pass_on(cx, cx.caller(), key, query, hops, reply);
    }

    fn add_peer(&mut self, cx: &Context<'_, Self>, id: String) -> Result<String, Error> {
        self.enrol(&id, cx.caller().proxy()).map_err(Error::failed)?;
        self.say(&format!("add peer {id}"));
        Ok(self.id.clone())
    }
}

impl fmt::Debug for P2pNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("P2pNode")
            .field("id", &self.id)
            .field("values", &self.values.len())
            .field("peers", &self.peers.keys())
            .finish_non_exhaustive()
    }
}
