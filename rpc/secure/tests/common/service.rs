//! Processes that serve a map and call each other, in a simulated world, over TCP and over Unix
//! sockets; all on one thread.

use super::identity;
use peers_rpc::doc::{LocalNode, NoSuchKey, NodeProxy};
use peers_rpc::kernel::Wait;
use peers_rpc::{
    Address, Allow, CloseReason, Cont, Context, Endpoint, Error, ErrorKind, Kernel, Limits, Rpc,
    Security, SecurityError, Service,
};
use peers_secure::Identity;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// Real time that a busy machine may need, and more virtual time than most of it takes.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Is the object that is served.
#[derive(Default)]
pub struct Map {
    pub entries: BTreeMap<String, String>,
    pub calls: u32,
}

impl LocalNode for Map {
    fn put(&mut self, _: &Context<'_, Self>, key: String, value: String) {
        self.calls += 1;
        self.entries.insert(key, value);
    }

    fn get(&mut self, cx: &Context<'_, Self>, key: String) -> Result<String, Error> {
        self.calls += 1;
        if key == "who" {
            return Ok(cx.caller().peer().to_string());
        }
        Ok(self.entries.get(&key).cloned().ok_or(NoSuchKey { key })?)
    }
}

/// The owner of the listener's key, and that of the dialler's.
pub fn server() -> Identity {
    identity(2)
}

pub fn client() -> Identity {
    identity(1)
}

/// Runs the test over TCP, over a Unix socket, and simulated.
pub fn everywhere(name: &str, test: impl Fn(&mut Kernel, &Address)) {
    let path = std::env::temp_dir().join(format!("peers-sealed-{}-{name}", std::process::id()));
    for (mut kernel, at) in [
        (Kernel::simulated(7), Address::sim(name)),
        (Kernel::new().unwrap(), "inet:127.0.0.1:0".parse().unwrap()),
        (Kernel::new().unwrap(), Address::unix(path)),
    ] {
        kernel.set_strict(true);
        test(&mut kernel, &at);
    }
}

pub fn run_until(kernel: &mut Kernel, what: &str, done: impl Fn() -> bool) {
    let end = kernel.handle().now() + PATIENCE;
    while !done() {
        let soon = kernel.handle().now() + Duration::from_millis(2);
        kernel.turn(Wait::Until(soon)).unwrap();
        assert!(kernel.handle().now() < end, "never came: {what}");
    }
}

/// A process with a key, and limits as they are by default.
pub fn secured(kernel: &Kernel, identity: Identity) -> Rpc {
    Rpc::secured(kernel, Limits::default(), identity)
}

/// A process that serves a map, sealed, to those whom `allow` lets in.
pub fn serves(kernel: &Kernel, at: &Address, allow: Allow) -> (Rpc, Service<Map>) {
    let rpc = secured(kernel, server());
    let service =
        rpc.serve_with(Security::Sealed(allow), at, Map::default(), LocalNode::bind).unwrap();
    assert_eq!(service.address().key(), Some(server().key()));
    (rpc, service)
}

/// The outcome of a call, once there is one.
pub type Outcome = Rc<RefCell<Option<Result<String, Error>>>>;

pub fn ask(kernel: &Kernel, endpoint: &Endpoint, key: &str) -> Outcome {
    let outcome = Outcome::default();
    let place = outcome.clone();
    let k = Cont::new(&kernel.handle(), move |got| drop(place.borrow_mut().replace(got)));
    NodeProxy::new(endpoint.clone()).get(key).then(k);
    outcome
}

pub fn get(kernel: &mut Kernel, endpoint: &Endpoint, key: &str) -> Result<String, Error> {
    let outcome = ask(kernel, endpoint, key);
    run_until(kernel, "an outcome", || outcome.borrow().is_some());
    outcome.take().unwrap()
}

/// The end of a connection, once it has come.
pub fn end_of(kernel: &mut Kernel, endpoint: &Endpoint) -> CloseReason {
    let ended = Rc::new(RefCell::new(None));
    let slot = ended.clone();
    endpoint.on_close(Cont::new(&kernel.handle(), move |reason: Result<_, Error>| {
        *slot.borrow_mut() = reason.ok();
    }));
    run_until(kernel, "an end", || ended.borrow().is_some());
    ended.take().unwrap()
}

/// The error about security that a call has failed with.
#[track_caller]
pub fn refused(outcome: Result<String, Error>) -> SecurityError {
    let error = outcome.unwrap_err();
    match error.kind() {
        ErrorKind::Disconnected(CloseReason::Security(why)) => {
            assert_eq!(error.is_unexecuted(), why.is_unexecuted());
            why.clone()
        }
        other => panic!("{other:?}"),
    }
}
