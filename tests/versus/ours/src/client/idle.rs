//! Many connections that do nothing, and what the server needs for each. With `--window N`, each
//! has made N calls before.

use peers_rpc::{Cont, Endpoint, Error, Handle, Kernel, Rpc};
use std::time::Duration;
use versus_load::{Options, Report, resident};
use versus_ours::{BenchProxy, address};

/// Connections opened before one of them is waited for, so that the listener's backlog does not
/// overflow.
pub(crate) const BURST: usize = 100;

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let pid = options.server_pid.ok_or("--server-pid is needed")?;
    let mut kernel = Kernel::new()?;
    let rpc = Rpc::new(&kernel);
    let address = address(options)?;
    greet(&mut kernel, &BenchProxy::new(rpc.connect(&address)))?;
    let before = resident(pid).ok_or("the server's memory cannot be read")?;
    let mut opened = 0;
    while opened < options.conns {
        let burst = BURST.min(options.conns - opened);
        let endpoints: Vec<_> = (0..burst).map(|_| rpc.connect(&address)).collect();
        opened += burst;
        if options.window > 1 {
            endpoints
                .iter()
                .for_each(|endpoint| use_once(&kernel.handle(), endpoint, options.window));
        }
        if let Some(last) = endpoints.into_iter().next_back() {
            greet(&mut kernel, &BenchProxy::new(last))?;
        }
    }
    kernel.run_until(kernel.handle().now() + options.seconds.max(Duration::from_millis(100)))?;
    let after = resident(pid).ok_or("the server is gone")?;
    let living = rpc.endpoints().len() - 1;
    if living < options.conns {
        return Err(format!("only {living} connections of {} live", options.conns).into());
    }
    let mut report = Report::of(options);
    report.number("bytes_per_conn", after.saturating_sub(before) as f64 / options.conns as f64);
    report.text("limits", "default");
    report.print();
    Ok(())
}

/// So many calls at a time.
fn use_once(handle: &Handle, endpoint: &Endpoint, calls: usize) {
    let bench = BenchProxy::new(endpoint.clone());
    for number in 0..calls {
        let k = Cont::new(handle, |found: Result<String, Error>| {
            found.expect("the server is there");
        });
        bench.get(versus_load::key(number)).then(k);
    }
}

/// One call, so that the connection is certainly there.
pub(crate) fn greet(
    kernel: &mut Kernel,
    bench: &BenchProxy,
) -> Result<(), Box<dyn std::error::Error>> {
    let handle = kernel.handle();
    let outcome = std::rc::Rc::new(std::cell::Cell::new(None));
    let (found, stop) = (outcome.clone(), handle.clone());
    bench.get(versus_load::key(0)).then(Cont::new(
        &handle,
        move |result: Result<String, Error>| {
            found.set(Some(result));
            stop.stop();
        },
    ));
    kernel.run()?;
    outcome.take().ok_or("no outcome")??;
    Ok(())
}
