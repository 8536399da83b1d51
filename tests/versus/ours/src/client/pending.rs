//! Many calls that are not answered: the memory that both sides need for each.

use crate::idle::greet;
use peers_rpc::{Cx, Error, Kernel, Rpc};
use versus_load::{Options, Report, key, resident};
use versus_ours::{BenchProxy, address};

/// Calls on one connection: a server grants 4,096.
const EACH: usize = 4_000;

/// Counts what ends: nothing should.
struct Waiting {
    ended: usize,
}

impl Waiting {
    fn answered(&mut self, _: &Cx<Self>, _: String, _: (usize, usize)) {
        self.ended += 1;
    }

    fn failed(&mut self, _: &Cx<Self>, _: Error, _: (usize, usize)) {
        self.ended += 1;
    }
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let pid = options.server_pid.ok_or("--server-pid is needed")?;
    let mut kernel = Kernel::new()?;
    let rpc = Rpc::new(&kernel);
    let address = address(options)?;
    let connections = options.conns.div_ceil(EACH);
    let benches: Vec<_> =
        (0..connections).map(|_| BenchProxy::new(rpc.connect(&address))).collect();
    benches.iter().try_for_each(|bench| greet(&mut kernel, bench))?;
    let memory = || -> Result<_, &str> {
        let ours = resident(std::process::id()).ok_or("our memory cannot be read")?;
        Ok((ours, resident(pid).ok_or("the server is gone")?))
    };
    let before = memory()?;
    let node = kernel.node(Waiting { ended: 0 });
    for (conn, bench) in benches.iter().enumerate() {
        for call in conn * EACH..options.conns.min((conn + 1) * EACH) {
            let k = node.cx().on((conn, call), Waiting::answered, Waiting::failed);
            bench.hold(key(call)).forever().then(k);
        }
        // Requests start in order, so all of them have started when this one has.
        greet(&mut kernel, bench)?;
    }
    let after = memory()?;
    let ended = node.with(|waiting| waiting.ended);
    if ended > 0 {
        return Err(format!("{ended} calls have ended").into());
    }
    let calls = options.conns as f64;
    let mut report = Report::of(options);
    report.number("client_bytes_per_call", after.0.saturating_sub(before.0) as f64 / calls);
    report.number("server_bytes_per_call", after.1.saturating_sub(before.1) as f64 / calls);
    report.print();
    Ok(())
}
