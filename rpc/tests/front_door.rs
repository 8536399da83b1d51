//! Promise: what a program does first is short. One statement serves an object, whatever names an
//! address will do, one error type tells of setting up and of calls, a method has one context.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_rpc::doc::{LocalNode, NoSuchKey, NodeProxy};
use peers_rpc::{
    Address, AlreadyBound, Binding, CloseReason, Context, Cx, Endpoint, Error, ErrorKind, Handle,
    Kernel, Reply, Rpc, ToAddress,
};
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// Answers, says who asked, fails as the system does, or raises.
#[derive(Default)]
struct Desk {
    callers: Vec<Binding>,
    alive: Rc<()>,
}

impl LocalNode for Desk {
    fn put(&mut self, cx: &Context<'_, Self>, _: String, _: String) {
        self.callers.push(cx.caller().clone());
    }

    fn get(&mut self, cx: &Context<'_, Self>, key: String) -> Result<String, Error> {
        let kept: Cx<Self> = cx.clone();
        kept.schedule(|desk, _| drop(desk.callers.pop()));
        match key.as_str() {
            "system" => Err(io::Error::new(io::ErrorKind::NotFound, "/etc/secret is not there"))?,
            "none" => Err(NoSuchKey { key })?,
            _ => Ok(format!("{} for {}", self.callers.len(), cx.caller() == &self.callers[0])),
        }
    }
}

/// The outcome of `ask` in a world of one, and the line that `Desk::get` raises in.
fn outcome(kernel: &mut Kernel, client: &Endpoint, key: &str) -> Result<String, Error> {
    let got = Rc::new(RefCell::new(None));
    let (told, n) = (got.clone(), NodeProxy::new(client.clone()));
    let k: Reply<String> = Reply::new(&kernel.handle(), move |result| {
        told.replace(Some(result));
    });
    n.get(key).then(k);
    kernel.run_until(kernel.handle().now() + Duration::from_secs(1)).unwrap();
    got.take().unwrap()
}

#[test]
fn one_statement_serves_an_object() {
    let mut kernel = Kernel::simulated(1);
    let rpc = Rpc::new(&kernel);
    let (desk, client) = (Desk::default(), Rpc::new(&kernel.handle()));
    let alive = Rc::downgrade(&desk.alive);
    let service = rpc.serve("sim:desk", desk, LocalNode::bind).unwrap();
    let endpoint = client.connect(service.address());
    NodeProxy::new(endpoint.clone()).put("a", "b").unwrap();
    assert_eq!(outcome(&mut kernel, &endpoint, "a").unwrap(), "1 for true");
    service.cx().enter(|desk, _| assert_eq!(desk.callers.len(), 0)).unwrap();
    assert_eq!(service.node().with(|desk| Rc::strong_count(&desk.alive)), 1);

    drop(service);
    assert_eq!(alive.strong_count(), 0, "the state is gone");
    outcome(&mut kernel, &endpoint, "a").unwrap_err();
    let late = client.connect("sim:desk");
    let error = outcome(&mut kernel, &late, "a").unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Disconnected(CloseReason::ConnectFailed { .. })),
        "nobody listens: {error}"
    );
}

#[test]
fn each_caller_may_be_served_something_else() {
    let mut kernel = Kernel::simulated(2);
    let (rpc, client) = (Rpc::new(&kernel), Rpc::new(&kernel));
    let served = std::cell::Cell::new(0);
    let only_the_first = move |cx: &Cx<Desk>, endpoint: &Endpoint| {
        served.set(served.get() + 1);
        if served.get() == 1 { LocalNode::bind(cx, endpoint) } else { Ok(()) }
    };
    let _service = rpc.serve("sim:desk", Desk::default(), only_the_first).unwrap();
    let first = client.connect("sim:desk");
    NodeProxy::new(first.clone()).put("a", "b").unwrap();
    outcome(&mut kernel, &first, "a").unwrap();
    let error = outcome(&mut kernel, &client.connect("sim:desk"), "a").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Refused(_)), "{error}");
}

/// Text, owned or not, and addresses, owned or not.
#[test]
fn whatever_names_an_address_will_do() {
    fn named(address: impl ToAddress) -> Address {
        address.to_address().unwrap()
    }
    let (text, address) = ("sim:a".to_owned(), Address::sim("a"));
    let all =
        [named("sim:a"), named(&text), named(text.clone()), named(&address), named(&&address)];
    assert!(all.iter().all(|one| *one == address));
    let kernel = Kernel::simulated(3);
    let rpc = Rpc::with_limits(kernel.handle(), peers_rpc::Limits::default());
    let refused = rpc.listen("localhost:5000", |_| Ok(())).unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::BadAddress(_)), "{refused:?}");
    let refused = rpc.serve("nowhere", (), |_, _| Ok(())).unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::BadAddress(_)), "{refused:?}");
}

/// Dialling fails like that wherever nobody is: later, through the queue.
#[test]
fn dialling_a_text_that_is_no_address_is_an_endpoint_that_has_ended() {
    let mut kernel = Kernel::simulated(4);
    let rpc = Rpc::new(&kernel);
    let dialled = [rpc.connect("nowhere"), rpc.dialler().connect("nowhere").unwrap()];
    for endpoint in dialled {
        assert!(!endpoint.is_open());
        let error = outcome(&mut kernel, &endpoint, "a").unwrap_err();
        let ErrorKind::Disconnected(CloseReason::ConnectFailed { address, kind, text }) =
            error.kind()
        else {
            panic!("{error}");
        };
        assert_eq!((address.as_str(), *kind), ("nowhere", io::ErrorKind::InvalidInput));
        assert!(text.contains("inet:"), "it says what to write: {text}");
    }
    let peers = peers_rpc::spawn_loop().unwrap();
    let refused = peers.connect("nowhere").unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::BadAddress(_)), "{refused}");
}

#[test]
fn what_the_system_says_stays_in_the_process() {
    let mut kernel = Kernel::simulated(5);
    let (rpc, client) = (Rpc::new(&kernel), Rpc::new(&kernel));
    let _service = rpc.serve("sim:desk", Desk::default(), LocalNode::bind).unwrap();
    let error = outcome(&mut kernel, &client.connect("sim:desk"), "system").unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Failed("an error of the system".into()));

    let here: Error = io::Error::new(io::ErrorKind::NotFound, "/etc/secret").into();
    let expected = ErrorKind::Io { kind: io::ErrorKind::NotFound, text: "/etc/secret".into() };
    assert_eq!(*here.kind(), expected);
    let (there, back): (io::Error, Error);
    there = here.clone().into();
    assert_eq!(there.kind(), io::ErrorKind::NotFound);
    back = there.into();
    assert_eq!(back, here, "it is the same on its way back");
}

#[test]
fn an_exception_is_raised_where_the_question_mark_stands() {
    let mut kernel = Kernel::simulated(6);
    let (rpc, client) = (Rpc::new(&kernel), Rpc::new(&kernel));
    let _service = rpc.serve("sim:desk", Desk::default(), LocalNode::bind).unwrap();
    let error = outcome(&mut kernel, &client.connect("sim:desk"), "none").unwrap_err();
    assert!(error.is::<NoSuchKey>());
    let line = 1 + include_str!("front_door.rs")
        .lines()
        .position(|line| line.trim() == "\"none\" => Err(NoSuchKey { key })?,")
        .unwrap();
    assert!(
        error.to_string().contains(&format!("[front_door.rs:{line}]")),
        "{error} is not {line}"
    );
    let ErrorKind::Raised(raised) = NoSuchKey { key: "a".into() }.raise().kind().clone() else {
        panic!("it was raised");
    };
    assert_eq!((raised.file.as_str(), raised.line), ("front_door.rs", line!() - 3));
}

/// What `main` returns is printed by `Debug`.
#[test]
fn errors_read_well_wherever_they_are_printed() {
    let bound = AlreadyBound { method: "registry.node.get" };
    for error in [
        Error::failed("no\u{202e}"),
        bound.into(),
        io::Error::other("a disk\nis full").into(),
        "nowhere".to_address().unwrap_err().into(),
    ] {
        assert_eq!(format!("{error:?}"), error.to_string());
        assert!(!error.to_string().contains(['\n', '\u{202e}']), "{error}");
    }
}

#[test]
fn a_handle_makes_nodes() {
    let kernel = Kernel::simulated(7);
    let handle = Handle::from(&kernel);
    let node = handle.node(5);
    assert_eq!(node.with(|state| *state), 5);
}
