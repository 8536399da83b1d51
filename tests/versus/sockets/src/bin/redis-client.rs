//! A client of redis-server, which must be running: the same loops, speaking its protocol.

use std::io::{Read, Write};
use versus_load::{Mode, Options, keys, value};
use versus_sockets::frames::Speech;
use versus_sockets::socket::Socket;
use versus_sockets::{Done, block, poll, run};

fn main() -> std::process::ExitCode {
    run("redis", |options| {
        fill(options)?;
        match options.mode {
            Mode::Latency | Mode::Large | Mode::Stream => block::call(options, Speech::redis),
            _ => poll::call(options, Speech::redis),
        }
    })
}

/// Puts the table into the server.
fn fill(options: &Options) -> Done {
    let mut socket = Socket::connect(&options.addr)?;
    for key in keys() {
        write!(socket, "SET {key} {}\r\n", value(&key))?;
        let mut answer = [0; 5];
        socket.read_exact(&mut answer)?;
        if answer != *b"+OK\r\n" {
            return Err(format!("redis answers {:?}", String::from_utf8_lossy(&answer)).into());
        }
    }
    Ok(())
}
