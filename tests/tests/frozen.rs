//! A real process that is stopped for some seconds and continues: it executes nothing whose time
//! has passed meanwhile, and believes a reply that came in time.

use peers_rpc::wire::{CallHead, Kind, Refused, RefusedCode, put_call, put_event, put_reply};
use peers_rpc::{Address, Cont, Error, Kernel, Rpc};
use peers_tests::raw::{ECHO, HOLD, NOTE, Raw, Said, greeting};
use peers_tests::trial::{LocalTrial, Trial, TrialProxy};
use peers_tests::victim::Victim;
use std::io::{BufRead, BufReader};
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

/// A request that never began is refused as expired, without a word: it can be repeated.
#[track_caller]
fn assert_never_began(answer: &Said) {
    assert_eq!(answer.kind, Kind::Refused, "{answer:?}");
    let refused = Refused::decode(&answer.body).expect("a refusal");
    assert_eq!((refused.code, refused.text), (RefusedCode::Expired, ""));
}

#[test]
fn a_call_whose_time_passes_after_it_has_begun_is_refused_with_a_word() {
    let victim = Victim::start(binary());
    let mut raw = victim.greeted();
    // One that was not begun in time, on a busy machine, tells nothing: the next one has more.
    let begun = (1..10).find(|n: &u32| {
        let (id, mut call) = (u64::from(*n), Vec::new());
        put_call(&mut call, u32::MAX, id, &with_time(HOLD, n * 100), &("x",)).expect("it fits");
        raw.send(&call);
        let answer = raw.answer_to(id);
        assert_eq!(answer.kind, Kind::Refused, "{answer:?}");
        let refused = Refused::decode(&answer.body).expect("a refusal");
        assert_eq!(refused.code, RefusedCode::Expired);
        !refused.text.is_empty()
    });
    assert!(begun.is_some(), "whoever calls cannot know that it had begun");
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
        assert_never_began(&answer);
    }
    assert_eq!(heard(&victim), before, "executed after their deadline");
    raw.settle(2);
}

/// Serves, in a process of its own, and stops itself inside the handler that accepts the third
/// connection.
#[test]
fn a_server() {
    if std::env::var_os("PEERS_FROZEN_SERVES").is_none() {
        return;
    }
    let mut kernel = Kernel::new().expect("a kernel");
    let rpc = Rpc::new(&kernel.handle());
    let node = kernel.node(Trial::default());
    let (cx, mut accepted) = (node.cx(), 0);
    let listener = rpc.listen("inet:127.0.0.1:0", move |endpoint| {
        accepted += 1;
        if accepted == 3 {
            signal(std::process::id(), "-STOP");
        }
        LocalTrial::bind(&cx, &endpoint)
    });
    let listener = listener.expect("it listens");
    println!("at {} ", listener.address());
    kernel.run().expect("it polls");
}

/// A running server, which is killed when this is dropped.
struct Serves(std::process::Child);

impl Drop for Serves {
    fn drop(&mut self) {
        self.0.kill().expect("it can be killed");
        self.0.wait().expect("it has ended");
    }
}

impl Serves {
    fn start() -> (Self, Address) {
        let mut server = Command::new(std::env::current_exe().expect("it runs"));
        server.args(["--exact", "a_server", "--nocapture"]).env("PEERS_FROZEN_SERVES", "1");
        let mut server = Self(server.stdout(Stdio::piped()).spawn().expect("it starts"));
        let lines = BufReader::new(server.0.stdout.take().expect("a pipe")).lines();
        let at = lines.map_while(Result::ok).find_map(|line| {
            let (_, rest) = line.split_once("at inet:")?;
            format!("inet:{}", rest.trim()).parse().ok()
        });
        (server, at.expect("it says where"))
    }

    fn wait_until_it_is_stopped(&self) {
        let path = format!("/proc/{}/stat", self.0.id());
        let is_stopped = || {
            let stat = std::fs::read_to_string(&path).expect("it lives");
            stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
        };
        while !is_stopped() {
            std::thread::yield_now();
        }
    }
}

#[test]
fn that_is_so_for_one_that_was_stopped_inside_a_handler() {
    let (server, address) = Serves::start();
    let (mut raw, mut other) = (Raw::greeted(&address), Raw::greeted(&address));
    raw.settle(1);
    other.settle(1);
    let _third = Raw::connect(&address);
    server.wait_until_it_is_stopped();
    let mut requests = Vec::new();
    for n in 0..REQUESTS {
        let late = ("too late",);
        put_event(&mut requests, u32::MAX, &with_time(NOTE, HAVE_MS), &late).expect("it fits");
        put_call(&mut requests, u32::MAX, 10 + n, &with_time(ECHO, HAVE_MS), &late)
            .expect("it fits");
    }
    raw.send(&requests);
    let_it_stand();
    signal(server.0.id(), "-CONT");
    for n in 0..REQUESTS {
        let answer = raw.answer_to(10 + n);
        assert_never_began(&answer);
    }
    let client = peers_rpc::spawn_loop().expect("a loop starts");
    let node = TrialProxy::new(client.connect(&address).expect("the loop lives"));
    let heard: Result<u32, Error> = node.heard().wait();
    assert_eq!(heard, Ok(2), "executed after their deadline"); // those of `settle`
}

/// Calls once and prints the outcome, in a process of its own, which the tests below start and
/// stop.
#[test]
fn a_client() {
    let Ok(address) = std::env::var("PEERS_FROZEN_AT") else { return };
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
