//! `p2p demo`: four nodes in processes of their own, linked as a diamond, and the tutorial's
//! session with them.

use peers_p2p::P2pNodeProxy;
use peers_rpc::{Error, Peers, SyncEndpoint, spawn_loop};
use peers_service::{Failure, NodeProcess, print_own, typed};
use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// Says how long a line of a node may take to appear.
const PATIENCE: Duration = Duration::from_secs(10);
/// Lines that may wait to be shown.
const LINES: usize = 1_024;

pub(crate) fn run() -> Result<(), Failure> {
    let mut stage = Stage::new()?;
    stage.build_diamond()?;
    stage.search_and_copy()?;
    stage.compete()?;
    stage.lose_a_node()
}

/// Nodes n1 to n4, a client of each, and what they print.
struct Stage {
    /// Goes first: as long as somebody may read them, nodes wait to get rid of their lines.
    lines: Receiver<String>,
    peers: Peers,
    nodes: Vec<NodeProcess>,
    clients: Vec<P2pNodeProxy<SyncEndpoint>>,
    sender: SyncSender<String>,
}

impl Stage {
    fn new() -> Result<Self, Failure> {
        let (sender, lines) = sync_channel(LINES);
        let (nodes, clients) = (Vec::new(), Vec::new());
        Ok(Self { lines, peers: spawn_loop()?, nodes, clients, sender })
    }

    fn build_diamond(&mut self) -> Result<(), Failure> {
        print_own("Four nodes. n1 and n4 are linked with n2 and n3, but not with each other.\n")?;
        for peers in [&[] as &[usize], &[1], &[1], &[2, 3]] {
            self.start(peers)?;
        }
        print_own("\nA client of each, on another thread's loop; calls block this thread.")?;
        let (peers, addresses) = (&self.peers, [1, 2, 3, 4].map(|node| self.address(node)));
        let failed = |error: Error| Failure::from(error);
        let [a1, a2, a3, a4] = &addresses;
        let [t1, t2, t3, t4] = addresses.each_ref().map(|address| format!("{address:?}"));
        typed!(failed, [a1: t1] => let n1 = P2pNodeProxy::new(peers.connect(a1)?));
        typed!(failed, [a2: t2] => let n2 = P2pNodeProxy::new(peers.connect(a2)?));
        typed!(failed, [a3: t3] => let n3 = P2pNodeProxy::new(peers.connect(a3)?));
        typed!(failed, [a4: t4] => let n4 = P2pNodeProxy::new(peers.connect(a4)?));
        self.clients = vec![n1, n2, n3, n4];
        Ok(())
    }

    /// Starts the next node, which dials the given ones, and shows how they greet it.
    fn start(&mut self, peers: &[usize]) -> Result<(), Failure> {
        let peers = peers.iter().map(|peer| self.address(*peer));
        let words: Vec<String> = ["serve", "inet:localhost:0"].map(str::to_owned).into();
        let words: Vec<String> = words.into_iter().chain(peers.clone()).collect();
        print_own(&format!("$ p2p {} &", words.join(" ")))?;
        let binary = std::env::current_exe()?;
        let greeters: Vec<String> = peers.collect();
        let node = NodeProcess::start_into(&binary, words, &self.sender)?;
        let mut expected = vec!["]: listening".to_owned()];
        expected.extend(greeters.iter().map(|greeter| format!("[{greeter}]: add peer ")));
        self.nodes.push(node);
        self.show(&expected)
    }

    fn search_and_copy(&self) -> Result<(), Failure> {
        print_own("\nNobody knows anything about Arrakis. Then n1 does.")?;
        print_all(&self.get_all(1)?)?;
        self.put(1, "dune")?;
        print_own(
            "\nn4 asks n2 or n3, whichever chance chooses; that one asks n1. Both keep a copy.",
        )?;
        let value = self.get(4)?;
        let cached = "]: cached value: arrakis -> dune".to_owned();
        self.show(&[cached.clone(), format!("[{}{cached}", self.address(4))])?;
        print_own(&format!("{value:?}"))
    }

    fn compete(&self) -> Result<(), Failure> {
        print_own("\nCompeting values. A node that has one of its own does not search.")?;
        self.put(2, "atreides territory")?;
        self.put(3, "harkonnen territory")?;
        for node in [2, 3, 1, 4] {
            print_own(&format!("{:?}", self.get(node)?))?;
        }
        print_own("\nAll values in the network:")?;
        print_all(&self.get_all(4)?)
    }

    fn lose_a_node(&mut self) -> Result<(), Failure> {
        print_own("\nThe Harkonnens leave.")?;
        self.put(4, "fremen territory")?;
        print_own(&format!("$ kill -9 {}", self.nodes[2].id()))?;
        self.nodes[2].kill()?;
        print_own("\nWhoever asks the dead node notices: n1 now, n4 when it asks itself.")?;
        for node in [1, 4] {
            let values = self.get_all(node)?;
            let removed =
                format!("[{}]: removed dead peer: {}", self.address(node), self.address(3));
            self.show(&["illegal_operation: Invalid endpoint".to_owned(), removed])?;
            print_all(&values)?;
        }
        print_own("\nAnd so do the Atreides.")?;
        self.put(2, "fremen territory")?;
        print_all(&self.get_all(1)?)
    }

    fn put(&self, node: usize, value: &str) -> Result<(), Failure> {
        let (n, failed) = self.client(node);
        let (name, text) = (format!("n{node}"), format!("{value:?}"));
        typed!(failed, [n: name, value: text] => n.put("arrakis", value)?;);
        self.show(&[format!("[{}]: put arrakis -> {value}", self.address(node))])
    }

    fn get(&self, node: usize) -> Result<String, Failure> {
        let ((n, failed), name) = (self.client(node), format!("n{node}"));
        Ok(typed!(failed, [n: name] => n.get("arrakis").wait()?))
    }

    fn get_all(&self, node: usize) -> Result<BTreeSet<String>, Failure> {
        let ((n, failed), name) = (self.client(node), format!("n{node}"));
        Ok(typed!(failed, [n: name] => n.get_all("arrakis").wait()?))
    }

    /// Waits for lines of the nodes, one with each of these texts, and shows them in this order. A
    /// line that fits none is shown as it comes; one that fits several counts for the last.
    fn show(&self, expected: &[String]) -> Result<(), Failure> {
        let mut found: Vec<Option<String>> = vec![None; expected.len()];
        while let Some(missing) = found.iter().position(Option::is_none) {
            let line = self.lines.recv_timeout(PATIENCE);
            let text = &expected[missing];
            let line = line.map_err(|_| Failure::usage(format!("no node printed {text:?}")))?;
            let fits = |at: &usize| found[*at].is_none() && line.contains(&expected[*at]);
            match (0..expected.len()).rev().find(fits) {
                Some(at) => found[at] = Some(line),
                None => print_own(&line)?,
            }
        }
        found.iter().flatten().try_for_each(|line| print_own(line))
    }

    /// Returns a node's client, and what makes a failure of an error of its calls.
    fn client(
        &self,
        node: usize,
    ) -> (&P2pNodeProxy<SyncEndpoint>, impl FnOnce(Error) -> Failure + '_) {
        let address = self.nodes[node - 1].address();
        (&self.clients[node - 1], move |error| Failure::of_call(address, &error))
    }

    fn address(&self, node: usize) -> String {
        self.nodes[node - 1].address().to_string()
    }
}

/// Shows a tuple of values as the tutorial does.
fn print_all(values: &BTreeSet<String>) -> Result<(), Failure> {
    let values: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
    print_own(&format!("({})", values.join(", ")))
}
