//! An echo server: what you send comes back.
//!
//! `cargo run -p peers-kernel --example echo`, and then `nc localhost 5000`

use peers_kernel::{Input, Kernel, Stream};

fn main() -> std::io::Result<()> {
    let mut kernel = Kernel::new()?;
    let echo = |stream: Stream| {
        stream.start(|outlet, input| match input {
            Input::Bytes(bytes) if outlet.write(bytes).is_err() => outlet.close(), // it never reads
            _ => {}
        });
    };
    let _listener = kernel.handle().listen(&"inet:localhost:5000".parse()?, echo)?;
    kernel.run()
}
