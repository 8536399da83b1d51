//! `registry demo`: a node in a process of its own, and the tutorial's first session with it.

use peers_registry::{NoSuchKey, NodeProxy};
use peers_rpc::{Error, spawn_loop, wrap_left};
use peers_service::{Failure, NodeProcess, print_own, typed};
use std::sync::mpsc;
use std::time::Duration;

pub(crate) fn run() -> Result<(), Failure> {
    print_own("$ registry serve inet:localhost:0 &")?;
    let binary = std::env::current_exe()?;
    let server = NodeProcess::start(&binary, ["serve", "inet:localhost:0"])?;
    let address = server.address();
    let failed = |error: Error| Failure::of_call(address, &error);
    let shown = format!("\"{address}\"");

    print_own("\nA client on another thread's loop; synchronous calls block this thread.")?;
    typed!(failed => let peers = spawn_loop()?);
    typed!(failed, [address: shown] => let n = NodeProxy::new(peers.connect(address)?));
    typed!(failed => n.put("arrakis", "dune")?;);
    let value = typed!(failed => n.get("arrakis").wait()?);
    print_own(&format!("{value:?}"))?;

    print_own("\nExceptions cross the connection as typed values.")?;
    match typed!(failed => n.get("Muad'Dib").wait()) {
        Err(error) if error.is::<NoSuchKey>() => print_own(&format!("Oops: {error}"))?,
        Err(error) => return Err(failed(error)),
        Ok(value) => print_own(&format!("{value:?}"))?,
    }

    print_own("\nCalls with continuations: my_cc or my_error runs on the loop, on a clean stack.")?;
    let (done, ended) = mpsc::channel();
    let dialled = address.clone();
    let asked = peers.with(move |rpc| {
        let n = NodeProxy::new(rpc.connect(dialled));
        ask(&n)?;
        // Answers come in the order of their calls, and continuations are resumed in it.
        let failed = done.clone();
        let tell = move |outcome| drop(failed.send(outcome));
        n.get("arrakis").then_or(move |_| drop(done.send(Ok(()))), move |error| tell(Err(error)));
        Ok::<(), Failure>(())
    });
    asked.map_err(failed)??;
    let outcome = ended.recv_timeout(Duration::from_secs(10));
    outcome.map_err(|_| Failure::usage("a continuation was never resumed"))?.map_err(failed)
}

fn ask(n: &NodeProxy) -> Result<(), Failure> {
    let failed = |error: Error| Failure::usage(error.to_string());
    typed!(failed => n.get("arrakis").forever().then_or(wrap_left(my_cc, "arrakis"), my_error););
    typed!(failed => n.get("Maud'Dib").forever().then_or(wrap_left(my_cc, "Maud'Dib"), my_error););
    Ok(())
}

fn my_cc(key: &str, value: String) {
    show(&format!("Got: {key} -> {value}"));
}

fn my_error(error: Error) {
    if error.is::<NoSuchKey>() {
        show(&format!("Oops: {error}"));
    }
}

/// Prints a line. If nobody reads any more, whoever started the demonstration notices first.
fn show(line: &str) {
    drop(print_own(line));
}
