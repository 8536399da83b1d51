//! Paced calls on one connection, one line for each: for watching a server under stress.
//!
//! A line is `ok MICROSECONDS ID`, `err TEXT` or `bad TEXT`; the id counts calls. A connection that
//! ends is made anew with the next call. Ends when the time is over and the last calls have ended,
//! each of which has 2 s.

use peers_rpc::{Address, Cx, Endpoint, Error, Instant, Kernel, Rpc};
use std::io::{self, Write};
use std::time::Duration;
use versus_load::{Options, key, value};
use versus_ours::{BenchProxy, address};

/// The time that each call is given.
const PATIENCE: Duration = Duration::from_secs(2);

struct Steady {
    rpc: Rpc,
    address: Address,
    endpoint: Endpoint,
    period: Duration,
    due: Instant,
    until: Instant,
    calls: u64,
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let mut kernel = Kernel::new()?;
    let rpc = Rpc::new(&kernel);
    let address = address(options)?;
    let endpoint = rpc.connect(&address);
    let now = kernel.handle().now();
    let period = Duration::try_from_secs_f64(1.0 / options.rate)?;
    let until = now + options.seconds;
    let steady = Steady { rpc, address, endpoint, period, due: now, until, calls: 0 };
    let node = kernel.node(steady);
    node.cx().schedule(Steady::tick);
    kernel.run_until(until + PATIENCE + Duration::from_millis(500))?;
    Ok(())
}

impl Steady {
    /// Makes the calls that are due and waits for the next.
    fn tick(&mut self, cx: &Cx<Self>) {
        let now = cx.handle().now();
        while self.due <= now && self.due < self.until {
            self.call(cx);
            self.due = self.due + self.period;
        }
        if self.due < self.until {
            cx.at(self.due, Self::tick);
        } else {
            let end = self.until + PATIENCE + Duration::from_millis(100);
            cx.at(end, |_, cx| cx.handle().stop());
        }
    }

    fn call(&mut self, cx: &Cx<Self>) {
        if !self.endpoint.is_open() {
            self.endpoint = self.rpc.connect(&self.address);
        }
        let id = self.calls;
        self.calls += 1;
        let began = std::time::Instant::now();
        let k = cx.on_any(move |_: &mut Self, _, outcome: Result<String, Error>| {
            let took = began.elapsed().as_micros();
            say(match outcome {
                Ok(found) if found == value(&key(id as usize)) => format!("ok {took} {id}"),
                Ok(found) => format!("bad {found:?} for {:?}", key(id as usize)),
                Err(error) => format!("err {error}"),
            });
        });
        BenchProxy::new(self.endpoint.clone()).get(key(id as usize)).within(PATIENCE).then(k);
    }
}

/// Prints a line; whoever reads it may have gone.
fn say(line: String) {
    let mut out = io::stdout().lock();
    if writeln!(out, "{}", line.replace('\n', " ")).and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}
