//! The client: one node that keeps so many calls going, in each of the modes.

mod connect;
mod idle;
mod pending;
mod steady;

use peers_rpc::{Cx, Error, Kernel, Limits, Rpc};
use std::error::Error as StdError;
use std::process::ExitCode;
use versus_load::{BATCH, CHUNK, LARGE, Mark, Mode, Options, Recorder, keys, value};
use versus_ours::{BenchProxy, address};

fn main() -> ExitCode {
    let options = Options::from_arguments("peers");
    versus_load::raise_descriptor_limit();
    let done = match options.mode {
        Mode::Idle => idle::run(&options),
        Mode::Steady => steady::run(&options),
        Mode::Connect => connect::run(&options),
        Mode::Pending => pending::run(&options),
        _ => run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", options.name);
            ExitCode::FAILURE
        }
    }
}

struct Client {
    servers: Vec<BenchProxy>,
    mode: Mode,
    keys: Vec<String>,
    values: Vec<String>,
    large: Vec<u8>,
    next: usize,
    recorder: Recorder,
    failed: Option<Error>,
}

impl Client {
    fn new(options: &Options, servers: Vec<BenchProxy>) -> Self {
        let keys = keys();
        let values = keys.iter().map(|key| value(key)).collect();
        let large = match options.mode {
            Mode::Large => vec![7; LARGE],
            Mode::Stream => vec![7; CHUNK],
            _ => Vec::new(),
        };
        let recorder = Recorder::new(options);
        Self { servers, mode: options.mode, keys, values, large, next: 0, recorder, failed: None }
    }

    /// Makes the next call on this connection.
    fn call(&mut self, cx: &Cx<Self>, server: usize) {
        let mark = self.recorder.start();
        match self.mode {
            Mode::Large => {
                let k = cx.on((server, mark), Self::echoed, Self::failed);
                self.servers[server].echo(&self.large).then(k);
            }
            Mode::Stream => self.push(cx, server, mark),
            _ => {
                let key = self.next;
                self.next = (key + 1) % self.keys.len();
                let k = cx.on((server, mark, key), Self::found, Self::failed);
                self.servers[server].get(&self.keys[key]).then(k);
            }
        }
    }

    fn push(&mut self, cx: &Cx<Self>, server: usize, mark: Mark) {
        let bench = &self.servers[server];
        let pushed = (0..BATCH).try_for_each(|_| bench.push(&self.large));
        match pushed {
            Ok(()) => bench.pushed().then(cx.on((server, mark), Self::pushed, Self::failed)),
            Err(error) => self.stop(cx, error),
        }
    }

    fn found(&mut self, cx: &Cx<Self>, found: String, (server, mark, key): (usize, Mark, usize)) {
        assert_eq!(found, self.values[key], "a wrong value");
        self.finished(cx, server, mark);
    }

    fn echoed(&mut self, cx: &Cx<Self>, data: Vec<u8>, (server, mark): (usize, Mark)) {
        assert_eq!(data.len(), LARGE, "a wrong echo");
        self.finished(cx, server, mark);
    }

    fn pushed(&mut self, cx: &Cx<Self>, _: u64, (server, mark): (usize, Mark)) {
        self.finished(cx, server, mark);
    }

    fn finished(&mut self, cx: &Cx<Self>, server: usize, mark: Mark) {
        if self.recorder.finish(mark) {
            self.call(cx, server);
        } else {
            cx.handle().stop();
        }
    }

    fn failed<W>(&mut self, cx: &Cx<Self>, error: Error, _: W) {
        if !self.recorder.is_over() {
            self.stop(cx, error);
        }
    }

    fn stop(&mut self, cx: &Cx<Self>, error: Error) {
        self.failed.get_or_insert(error);
        cx.handle().stop();
    }
}

fn run(options: &Options) -> Result<(), Box<dyn StdError>> {
    let mut kernel = Kernel::new()?;
    let rpc = Rpc::with_limits(&kernel, Limits::default());
    let address = address(options)?;
    let idle: Vec<_> = (0..options.idle).map(|_| rpc.connect(&address)).collect();
    let servers = (0..options.active()).map(|_| BenchProxy::new(rpc.connect(&address))).collect();
    let node = kernel.node(Client::new(options, servers));
    let window = options.window;
    node.cx().schedule(move |client, cx| {
        for server in 0..client.servers.len() {
            (0..window).for_each(|_| client.call(cx, server));
        }
    });
    kernel.run()?;
    if let Some(error) = node.with(|client| client.failed.clone()) {
        return Err(error.into());
    }
    let living = rpc.endpoints().len();
    if living < options.idle + options.active() {
        return Err(format!("only {living} connections live").into());
    }
    drop((idle, rpc));
    let recorder = node.with(|client| client.recorder.clone());
    let mut report = recorder.report();
    report.text("limits", "default");
    report.print();
    Ok(())
}
