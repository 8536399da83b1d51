//! `kill -9` of the server in the middle of 1,000 pending calls: 1,000 typed errors, each once, in
//! one turn.

use peers_registry::NodeProxy;
use peers_rpc::kernel::{Budget, Wait};
use peers_rpc::{Cont, Error, ErrorKind, Kernel, Rpc};
use peers_service::NodeProcess;
use std::cell::Cell;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

const CALLS: usize = 1_000;

/// A turn ends with a wait for whatever comes; this bounds it, so that a loop around it can look at
/// its own deadline.
const STEP: Duration = Duration::from_millis(20);

#[test]
fn every_pending_call_fails_once_in_the_turn_that_sees_the_close() {
    let binary = Path::new(env!("CARGO_BIN_EXE_registry"));
    let (unread, _) = sync_channel(0); // its lines go nowhere
    let serve = ["serve", "inet:localhost:0"];
    let mut server = NodeProcess::start_into(binary, serve, &unread).unwrap();

    let mut kernel = Kernel::new().unwrap();
    kernel.set_strict(true);
    kernel.set_budget(Budget { tasks: 8_192, time: Duration::from_secs(5) });
    let handle = kernel.handle();
    let rpc = Rpc::new(&handle);
    let node: NodeProxy = NodeProxy::new(rpc.connect(server.address()));
    let give_up = handle.now() + Duration::from_secs(5);
    let outcomes = Rc::new(Cell::new(0));

    // The connection stands, then the server is stopped, so that nothing is answered.
    let seen = outcomes.clone();
    node.get("x").then(Cont::new(&handle, move |_| seen.set(1)));
    while outcomes.get() == 0 {
        kernel.turn(Wait::Until(handle.now() + STEP)).unwrap();
        assert!(handle.now() < give_up, "no connection");
    }
    let stopped = Command::new("kill").args(["-STOP", &server.id().to_string()]).status();
    assert!(stopped.unwrap().success());

    outcomes.set(0);
    let ended: Rc<Vec<Cell<u32>>> = Rc::new((0..CALLS).map(|_| Cell::new(0)).collect());
    for call in 0..CALLS {
        let (ended, outcomes) = (ended.clone(), outcomes.clone());
        node.get("arrakis").then(Cont::new(&handle, move |result: Result<String, Error>| {
            let error = result.expect_err("the server is stopped");
            assert!(matches!(error.kind(), ErrorKind::Disconnected(_)), "{error}");
            ended[call].set(ended[call].get() + 1);
            outcomes.set(outcomes.get() + 1);
        }));
    }
    kernel.turn(Wait::No).unwrap();
    assert_eq!((node.caller().pending(), outcomes.get()), (CALLS, 0));

    server.kill().unwrap();
    let mut turns_with_outcomes = 0;
    while outcomes.get() < CALLS {
        let before = outcomes.get();
        kernel.turn(Wait::Until(handle.now() + STEP)).unwrap();
        turns_with_outcomes += usize::from(outcomes.get() > before);
        assert!(handle.now() < give_up, "{} of {CALLS} calls have an outcome", outcomes.get());
    }
    assert_eq!(turns_with_outcomes, 1);
    assert!(ended.iter().all(|count| count.get() == 1));
    assert_eq!(node.caller().pending(), 0);
}
