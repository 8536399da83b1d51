//! Connections opened, each with one call: what one takes of both sides.

use crate::idle::BURST;
use peers_rpc::{Address, Cx, Dialler, Error, Kernel, Rpc};
use versus_load::{Options, Span, key};
use versus_ours::{BenchProxy, address};

struct Dialling {
    dialler: Dialler,
    address: Address,
    /// Connections to be opened yet, and those whose call has no answer yet.
    left: usize,
    busy: usize,
    failed: Option<Error>,
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let mut kernel = Kernel::new()?;
    let rpc = Rpc::new(&kernel);
    let node = kernel.node(Dialling {
        dialler: rpc.dialler(),
        address: address(options)?,
        left: options.conns,
        busy: 0,
        failed: None,
    });
    let span = Span::begin(options);
    node.cx().schedule(Dialling::burst);
    kernel.run()?;
    if let Some(error) = node.with(|dialling| dialling.failed.clone()) {
        return Err(error.into());
    }
    span.connected(options, rpc.endpoints().len()).print();
    Ok(())
}

impl Dialling {
    /// Opens the next connections, with a call on each.
    fn burst(&mut self, cx: &Cx<Self>) {
        for _ in 0..self.left.min(BURST) {
            let Some(endpoint) = self.dialler.connect(&self.address) else { return };
            self.left -= 1;
            self.busy += 1;
            let k = cx.on_any(Self::answered);
            BenchProxy::new(endpoint).get(key(self.left)).then(k);
        }
    }

    fn answered(&mut self, cx: &Cx<Self>, outcome: Result<String, Error>) {
        self.busy -= 1;
        match outcome {
            Err(error) => {
                self.failed.get_or_insert(error);
                cx.handle().stop();
            }
            Ok(_) if self.busy > 0 => {}
            Ok(_) if self.left > 0 => self.burst(cx),
            Ok(_) => cx.handle().stop(),
        }
    }
}
