//! Promise: the first signal lets a node finish what it has begun, the second ends it at once.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Desk, LocalProbe, ProbeProxy, limits, secs};
use peers_rpc::{
    Address, Cont, Endpoint, Error, ErrorKind, Peers, Refusal, SyncEndpoint, spawn_loop,
};
use peers_service::{Arguments, serve};
use std::io::{BufRead as _, BufReader};
use std::process::{self, Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::{env, thread};

/// Says in the environment of the child where it listens.
const AT: &str = "PEERS_TEST_SERVES_AT";

/// The child: what the others run in a process of its own.
#[test]
fn node() {
    let Ok(at) = env::var(AT) else { return };
    let address: Address = at.parse().unwrap();
    let patient = limits(|limits| limits.drain = secs(3_600));
    let served = serve(patient, &Arguments::default(), |kernel, rpc, _| {
        let node = kernel.node(Desk::default());
        let cx = node.cx();
        let bind = move |endpoint: Endpoint| LocalProbe::bind(&cx, &endpoint);
        Ok((rpc.listen(&address, bind)?, node))
    });
    assert_eq!(served, Ok(()));
}

/// A node that holds a call of ours, and that call's outcome.
struct Node {
    child: Child,
    peers: Peers,
    proxy: ProbeProxy<SyncEndpoint>,
    held: Receiver<Result<String, Error>>,
}

impl Node {
    fn start(name: &str) -> Self {
        let path = env::temp_dir().join(format!("peers-serve-{}-{name}", process::id()));
        let address = Address::unix(path);
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "node", "--nocapture"])
            .env(AT, address.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = format!("{} [{address}]: listening", child.id());
        assert!(lines.any(|line| line.unwrap().ends_with(&said)), "it did not start");
        thread::spawn(move || lines.count());
        let (tell, held) = mpsc::channel();
        let peers = spawn_loop().unwrap();
        let endpoint = peers.with(move |rpc| {
            let endpoint = rpc.connect(&address);
            let k = Cont::new(endpoint.handle(), move |outcome| tell.send(outcome).unwrap());
            ProbeProxy::new(endpoint.clone()).hold_for_ever("held").then(k);
            endpoint.to_sync().unwrap()
        });
        let proxy = ProbeProxy::new(endpoint.unwrap());
        proxy.echo("behind the call that is held").wait().unwrap();
        Self { child, peers, proxy, held }
    }

    fn terminate(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Calls until it turns calls away: then it has heard the signal.
    fn wait_until_it_closes(&self) {
        loop {
            if let Err(error) = self.proxy.echo("still there?").wait() {
                assert_eq!(error.kind(), &ErrorKind::Refused(Refusal::Closing));
                return;
            }
        }
    }
}

#[test]
fn the_first_signal_waits_for_what_runs() {
    let mut node = Node::start("first");
    node.terminate();
    node.wait_until_it_closes();
    assert_eq!(node.child.try_wait().unwrap(), None);
    assert!(node.held.try_recv().is_err(), "the call that runs has no outcome yet");
    drop((node.proxy, node.peers)); // nobody waits for its answer any more
    assert_eq!(node.child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_second_signal_ends_it_at_once() {
    let mut node = Node::start("second");
    node.terminate();
    node.wait_until_it_closes();
    node.terminate();
    assert_eq!(node.child.wait().unwrap().code(), Some(1));
    let error = node.held.recv().unwrap().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Disconnected(_)), "{error}");
}
