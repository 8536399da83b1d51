//! Measures how long after `kill -9` of its server a client knows that all of its 1,000 pending
//! calls have failed.
//!
//! `cargo bench -p peers-registry --bench kill` prints the milliseconds of several rounds: from
//! before the signal is sent to the last error handler.
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use peers_registry::NodeProxy;
use peers_rpc::kernel::Wait;
use peers_rpc::{Cont, Error, Kernel, Rpc};
use peers_service::{Failure, NodeProcess};
use std::cell::Cell;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

const CALLS: usize = 1_000;
const ROUNDS: usize = 9;

fn main() -> Result<(), Failure> {
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(round()?.as_secs_f64() * 1e3);
    }
    rounds.sort_by(f64::total_cmp);
    println!(
        "kill -9 with {CALLS} calls pending: median {:.3} ms, least {:.3}, most {:.3} ({ROUNDS} rounds)",
        rounds[ROUNDS / 2],
        rounds[0],
        rounds[ROUNDS - 1]
    );
    Ok(())
}

fn round() -> Result<Duration, Failure> {
    let binary = Path::new(env!("CARGO_BIN_EXE_registry"));
    let mut server = NodeProcess::start(binary, ["serve", "inet:localhost:0"])?;
    let mut kernel = Kernel::new()?;
    let handle = kernel.handle();
    let rpc = Rpc::new(&handle);
    let node: NodeProxy = NodeProxy::new(rpc.connect(server.address()));
    let ended = Rc::new(Cell::new(0));
    let call = |kernel: &Kernel| {
        let ended = ended.clone();
        let done = move |_: Result<String, Error>| ended.set(ended.get() + 1);
        node.get("arrakis").then(Cont::new(&kernel.handle(), done));
    };
    call(&kernel);
    wait_for(&mut kernel, &ended, 1)?;
    let stopped = Command::new("kill").args(["-STOP", &server.id().to_string()]).status()?;
    if !stopped.success() {
        return Err(Failure::usage("the server could not be stopped"));
    }
    ended.set(0);
    (0..CALLS).for_each(|_| call(&kernel));
    kernel.turn(Wait::No)?;
    let before = Instant::now();
    server.kill()?;
    wait_for(&mut kernel, &ended, CALLS)?;
    Ok(before.elapsed())
}

/// Turns until so many calls have ended, 5 s at most.
fn wait_for(kernel: &mut Kernel, ended: &Cell<usize>, calls: usize) -> Result<(), Failure> {
    let give_up = kernel.handle().now() + Duration::from_secs(5);
    while ended.get() < calls {
        kernel.turn(Wait::No)?;
        if kernel.handle().now() > give_up {
            return Err(Failure::usage("calls without an outcome after 5 s"));
        }
    }
    Ok(())
}
