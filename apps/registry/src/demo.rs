//! `registry demo`: a node in a process of its own, and the tutorial's first session with it.

use peers_registry::{NoSuchKey, NodeProxy};
use peers_rpc::{Error, SyncEndpoint, spawn_loop, wrap_left};
use peers_service::{Failure, NodeProcess, print_own};
use std::sync::mpsc;
use std::time::Duration;

pub(crate) fn run() -> Result<(), Failure> {
    print_own("$ registry serve inet:localhost:0 &")?;
    let binary = std::env::current_exe()?;
    let server = NodeProcess::start(&binary, ["serve", "inet:localhost:0"])?;
    let address = server.address();
    let failed = |error: Error| Failure::of_call(address, &error);

    print_own("\nA client on another thread's loop; synchronous calls block this thread.")?;
    print_own("> let peers = spawn_loop()?;")?;
    let peers = spawn_loop()?;
    print_own(&format!("> let n = NodeProxy::new(peers.connect(\"{address}\")?);"))?;
    let n: NodeProxy<SyncEndpoint> = NodeProxy::new(peers.connect(address)?);
    print_own("> n.put(\"arrakis\", \"dune\")?;")?;
    n.put("arrakis", "dune").map_err(failed)?;
    print_own("> n.get(\"arrakis\").wait()?")?;
    print_own(&format!("{:?}", n.get("arrakis").wait().map_err(failed)?))?;

    print_own("\nExceptions cross the connection as typed values.")?;
    print_own("> n.get(\"Muad'Dib\").wait()")?;
    match n.get("Muad'Dib").wait() {
        Err(error) if error.is::<NoSuchKey>() => print_own(&format!("Oops: {error}"))?,
        Err(error) => return Err(failed(error)),
        Ok(value) => print_own(&format!("{value:?}"))?,
    }

    print_own("\nCalls with continuations: my_cc or my_error runs on the loop, on a clean stack.")?;
    print_own("> n.get(\"arrakis\").forever().then_or(wrap_left(my_cc, \"arrakis\"), my_error);")?;
    print_own(
        "> n.get(\"Maud'Dib\").forever().then_or(wrap_left(my_cc, \"Maud'Dib\"), my_error);",
    )?;
    let (done, both) = mpsc::channel();
    let node_address = address.clone();
    let asked = peers.with(move |rpc| {
        let n: NodeProxy = NodeProxy::new(rpc.connect(&node_address));
        for key in ["arrakis", "Maud'Dib"] {
            let (got, failed) = (done.clone(), done.clone());
            let my_cc = move |key, value: String| {
                drop(got.send(format!("Got: {key} -> {value}")));
            };
            let my_error = move |error: Error| {
                if error.is::<NoSuchKey>() {
                    drop(failed.send(format!("Oops: {error}")));
                }
            };
            n.get(key).forever().then_or(wrap_left(my_cc, key), my_error);
        }
    });
    asked.map_err(failed)?;
    for _ in 0..2 {
        let line = both.recv_timeout(Duration::from_secs(10));
        print_own(&line.map_err(|_| Failure::usage("a continuation was never resumed"))?)?;
    }
    Ok(())
}
