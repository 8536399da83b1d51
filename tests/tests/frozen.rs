//! A real process that is stopped for some seconds and continues: it executes nothing whose time
//! has passed meanwhile, and believes a reply that came in time.

use peers_rpc::wire::{CallHead, Kind, put_call, put_event, put_reply};
use peers_rpc::{Cont, Error, Kernel, Rpc};
use peers_tests::raw::{ECHO, NOTE, Raw, greeting};
use peers_tests::trial::TrialProxy;
use peers_tests::victim::Victim;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Requests of each kind that are sent to the stopped process.
const REQUESTS: u64 = 500;
/// Says how long it stands still, and the time that its requests have.
const STANDS: Duration = Duration::from_secs(3);
const HAVE: Duration = Duration::from_secs(1);
const HAVE_MS: u32 = 1_000;

fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_victim")
}

/// Sends a signal to the process.
fn signal(process: u32, which: &str) {
    let status =
        Command::new("kill").args([which, &process.to_string()]).status().expect("there is a kill");
    assert!(status.success());
}

fn let_it_stand() {
    let (_speaks, hears) = channel::<()>();
    assert_eq!(hears.recv_timeout(STANDS), Err(RecvTimeoutError::Timeout));
}

fn heard(victim: &Victim) -> u32 {
    let heard: Result<u32, Error> = victim.honest().heard().wait();
    heard.expect("it works again")
}

fn with_time(method: u64, remaining_ms: u32) -> CallHead {
    CallHead { remaining_ms, ..CallHead::new(method) }
}

#[test]
fn requests_whose_time_passed_while_the_process_was_stopped_are_not_executed() {
    let mut victim = Victim::start(binary());
    let mut raw = victim.greeted();
    raw.settle(1);
    let before = heard(&victim);
    signal(victim.process().id(), "-STOP");
    let mut requests = Vec::new();
    for n in 0..REQUESTS {
        let late = ("too late",);
        put_event(&mut requests, u32::MAX, &with_time(NOTE, HAVE_MS), &late).expect("it fits");
        put_call(&mut requests, u32::MAX, 10 + n, &with_time(ECHO, HAVE_MS), &late)
            .expect("it fits");
    }
    raw.send(&requests);
    let_it_stand();
    signal(victim.process().id(), "-CONT");
    for n in 0..REQUESTS {
        let answer = raw.answer_to(10 + n);
        assert_eq!(answer.kind, Kind::Refused, "{answer:?}");
    }
    assert_eq!(heard(&victim), before, "executed after their deadline");
    raw.settle(2);
}

/// Calls once and prints the outcome, in a process of its own, which the tests below start and
/// stop.
#[test]
fn a_client() {
    let Ok(address) = std::env::var("PEERS_FROZEN_AT") else { return };
    let address = address.parse().expect("an address");
    if std::env::var_os("PEERS_FROZEN_WAITS").is_some() {
        let peers = peers_rpc::spawn_loop().expect("a loop starts");
        let node = TrialProxy::new(peers.connect(&address).expect("the loop lives"));
        println!("outcome: {:?}", node.echo("x").within(HAVE).wait());
        return;
    }
    let mut kernel = Kernel::new().expect("a kernel");
    let (handle, rpc) = (kernel.handle(), Rpc::new(&kernel.handle()));
    let node: TrialProxy = TrialProxy::new(rpc.connect(&address));
    let k = Cont::new(&kernel.handle(), move |outcome: Result<String, Error>| {
        println!("outcome: {outcome:?}");
        handle.stop();
    });
    node.echo("x").within(HAVE).then(k);
    kernel.run().expect("it polls");
}

/// Starts the client, stops it while it waits for a reply, and gives what it prints.
fn outcome_of_a_stopped_client(waits: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("it is bound").port();
    let mut client = Command::new(std::env::current_exe().expect("it runs"));
    client.args(["--exact", "a_client", "--nocapture"]);
    client.env("PEERS_FROZEN_AT", format!("inet:127.0.0.1:{port}"));
    if waits {
        client.env("PEERS_FROZEN_WAITS", "1");
    }
    let client = client.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut raw = Raw::over(listener.accept().expect("it dials").0);
    raw.send(&greeting());
    raw.read_greeting();
    let call = loop {
        let said = raw.read().expect("it calls");
        if said.kind == Kind::Call {
            break said.call;
        }
    };
    signal(client.id(), "-STOP");
    let mut reply = Vec::new();
    put_reply(&mut reply, u32::MAX, call, "in time").expect("it fits");
    raw.send(&reply);
    let_it_stand();
    signal(client.id(), "-CONT");
    let output = client.wait_with_output().expect("it ends");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn a_reply_that_came_while_the_process_was_stopped_is_believed() {
    let printed = outcome_of_a_stopped_client(false);
    assert!(printed.contains("outcome: Ok(\"in time\")"), "{printed}");
}

#[test]
fn whoever_waits_in_another_thread_believes_it_too() {
    let printed = outcome_of_a_stopped_client(true);
    assert!(printed.contains("outcome: Ok(\"in time\")"), "{printed}");
}
