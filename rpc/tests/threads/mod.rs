//! Loops on threads of their own, for tests of what other threads do: a server, a client, and a
//! loop that is kept busy.

#![allow(dead_code, reason = "each test file uses its part")]

use super::common::{Desk, LocalProbe, ProbeProxy};
use peers_rpc::kernel::{Kernel, Remote};
use peers_rpc::{Address, Cx, Limits, Peers, Rpc, SyncEndpoint, spawn_loop_with};
use std::cell::RefCell;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

pub(crate) type SyncProbe = ProbeProxy<SyncEndpoint>;

thread_local! {
    /// The object of the server whose loop this thread runs.
    static DESK: RefCell<Option<Cx<Desk>>> = const { RefCell::new(None) };
}

/// A server on a thread of its own, and where it listens.
pub(crate) fn serve() -> (Peers, Address) {
    serve_with(Limits::default())
}

/// Serves with these limits.
pub(crate) fn serve_with(limits: Limits) -> (Peers, Address) {
    let (tell, told) = mpsc::channel();
    let peers = spawn_loop_with(limits, move |kernel: &Kernel, rpc: &Rpc| {
        let node = kernel.node(Desk::default());
        let cx = node.cx();
        DESK.set(Some(cx.clone()));
        let listener = rpc
            .listen("inet:localhost:0", move |endpoint| LocalProbe::bind(&cx, &endpoint))
            .unwrap();
        tell.send(listener.address()).unwrap();
        (node, listener)
    });
    (peers.unwrap(), told.recv().unwrap())
}

/// A loop that calls that server.
pub(crate) fn connect(address: &Address, limits: Limits) -> (Peers, SyncProbe) {
    let client = spawn_loop_with(limits, |_, _| ()).unwrap();
    let node = SyncProbe::new(client.connect(address).unwrap());
    (client, node)
}

/// Does something with the object of such a server.
pub(crate) fn look<R: Send + 'static>(
    server: &Peers,
    f: impl FnOnce(&mut Desk) -> R + Send + 'static,
) -> R {
    let look = move |_: &Rpc| {
        let cx = DESK.with_borrow(|desk| desk.clone().unwrap());
        cx.enter(|desk, _| f(desk)).unwrap()
    };
    server.with(look).unwrap()
}

/// Returns what it has heard.
pub(crate) fn heard(server: &Peers) -> Vec<String> {
    look(server, |desk| desk.heard.clone())
}

/// A loop that does nothing else until this is dropped.
pub(crate) struct Blocked {
    _until: Option<Sender<()>>,
    ended: Receiver<()>,
}

impl Blocked {
    /// Blocks the loop; returns when it is.
    pub(crate) fn of(remote: &Remote) -> Self {
        let (until, dropped) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let (end, ended) = mpsc::channel();
        remote
            .post(move |_| {
                tell.send(()).unwrap();
                assert!(dropped.recv().is_err(), "nothing is ever sent");
                drop(end);
            })
            .unwrap();
        told.recv().unwrap();
        Self { _until: Some(until), ended }
    }

    /// Lets some time pass first.
    pub(crate) fn after(self, time: Duration) -> Self {
        assert!(self.ended.recv_timeout(time).is_err());
        self
    }

    /// Lets it go on.
    pub(crate) fn end(mut self) {
        drop(self._until.take());
        assert!(self.ended.recv().is_err());
    }
}
