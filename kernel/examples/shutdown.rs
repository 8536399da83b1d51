//! A server that ends well: on Ctrl-C it accepts nobody any more, says goodbye, and leaves when all
//! guests have hung up, or after five seconds. A second Ctrl-C ends it at once.
//!
//! `cargo run -p peers-kernel --example shutdown`, and then `nc localhost 5000`

use peers_kernel::{Cx, Input, Kernel, Listener, Outlet, Signal, Stream};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Default)]
struct Server {
    /// Present until we are asked to end.
    listener: Option<Listener>,
    guests: BTreeMap<u32, Outlet>,
    next: u32,
}

impl Server {
    fn enter(&mut self, cx: &Cx<Self>, stream: Stream) {
        let guest = self.next;
        self.next += 1;
        let hear = move |server: &mut Self, cx: &Cx<Self>, _: &Outlet, input: Input<'_>| {
            if !matches!(input, Input::Bytes(_)) {
                server.leave(cx, guest)
            }
        };
        self.guests.insert(guest, stream.start_in(cx, hear));
    }

    fn leave(&mut self, cx: &Cx<Self>, guest: u32) {
        self.guests.remove(&guest);
        if self.guests.is_empty() && self.listener.is_none() {
            cx.handle().stop()
        }
    }

    fn end(&mut self, cx: &Cx<Self>) {
        let asked_before = self.listener.take().is_none();
        if asked_before || self.guests.is_empty() {
            return cx.handle().stop();
        }
        for guest in self.guests.values() {
            guest.write(b"goodbye\n").ok();
            guest.finish();
        }
        cx.after(Duration::from_secs(5), |_, cx| cx.handle().stop());
    }
}

fn main() -> std::io::Result<()> {
    let mut kernel = Kernel::new()?;
    let server = kernel.node(Server::default());
    let cx = server.cx();
    let enter = move |stream| cx.schedule(|server, cx| server.enter(cx, stream));
    let listener = kernel.handle().listen(&"inet:localhost:5000".parse()?, enter)?;
    server.cx().schedule(|server, _| server.listener = Some(listener));

    let cx = server.cx();
    let end = move |_| cx.schedule(|server, cx| server.end(cx));
    let _signals = kernel.handle().signals(&[Signal::Interrupt, Signal::Terminate], end)?;
    kernel.run()
}
