//! A chat relay: what one guest says, all others hear.
//!
//! `cargo run -p peers-kernel --example chat`, and then several times `nc localhost 5000`

use peers_kernel::{Cx, Input, Kernel, Outlet, Stream};
use std::collections::BTreeMap;

#[derive(Default)]
struct Chat {
    /// Everybody who is here.
    guests: BTreeMap<u32, Outlet>,
    next: u32,
}

impl Chat {
    fn enter(&mut self, cx: &Cx<Self>, stream: Stream) {
        let guest = self.next;
        self.next += 1;
        let outlet = stream.start_in(cx, move |chat, _, _, input| chat.hear(guest, &input));
        self.guests.insert(guest, outlet);
        self.tell_others(guest, format!("guest {guest} has come\n").as_bytes());
    }

    fn hear(&mut self, guest: u32, input: &Input<'_>) {
        match input {
            Input::Bytes(text) => {
                let line = [format!("guest {guest}: ").as_bytes(), text].concat();
                self.tell_others(guest, &line);
            }
            Input::End | Input::Failed(_) => {
                self.guests.remove(&guest);
                self.tell_others(guest, format!("guest {guest} has gone\n").as_bytes());
            }
        }
    }

    fn tell_others(&mut self, guest: u32, text: &[u8]) {
        self.guests.retain(|other, outlet| {
            let keeps_up = *other == guest || outlet.write(text).is_ok();
            if !keeps_up {
                outlet.abort() // it has not read for a megabyte, and is forgotten
            }
            keeps_up
        })
    }
}

fn main() -> std::io::Result<()> {
    let mut kernel = Kernel::new()?;
    let chat = kernel.node(Chat::default());
    let cx = chat.cx();
    let enter = move |stream| cx.schedule(|chat, cx| chat.enter(cx, stream));
    let _listener = kernel.handle().listen(&"inet:localhost:5000".parse()?, enter)?;
    kernel.run()
}
