//! The blocking loop: one connection, one thread, waiting in `read`.

use crate::Done;
use crate::frames::{FOUND, Kind, Speech};
use crate::socket::{Listener, Socket};
use std::io::{self, Read, Write};
use versus_load::{BATCH, Mode, Options, Recorder};

/// Bytes taken by one read.
const BUFFER: usize = 64 * 1024;

/// Serves one connection after the other, for ever.
///
/// # Errors
/// When listening or accepting fails.
pub fn serve(options: &Options) -> Done {
    let listener = Listener::open(&options.addr)?;
    loop {
        let mut socket = listener.accept()?;
        if let Err(error) = answer(&mut socket) {
            eprintln!("a connection ended: {error}");
        }
    }
}

fn answer(socket: &mut Socket) -> io::Result<()> {
    let mut buffer = vec![0; Kind::Echo.size().max(BUFFER)];
    let found = [b'v'; FOUND];
    loop {
        let mut held = socket.read(&mut buffer[..BUFFER])?;
        if held == 0 {
            return Ok(());
        }
        let Some(kind) = Kind::of(buffer[0]) else { return Err(io::ErrorKind::InvalidData.into()) };
        let size = kind.size();
        if held < size {
            socket.read_exact(&mut buffer[held..size])?;
            held = size;
        }
        match kind {
            Kind::Get => socket.write_all(&found)?,
            Kind::Echo => socket.write_all(&buffer[..size])?,
            Kind::Push => debug_assert_eq!(held, size, "a client pushes or asks, never both"),
        }
    }
}

/// Calls, one at a time; or sends for ever.
///
/// # Errors
/// When the connection fails.
pub fn call(options: &Options, speak: impl Fn(Kind) -> Speech) -> Done {
    let kind = match options.mode {
        Mode::Latency => Kind::Get,
        Mode::Large => Kind::Echo,
        Mode::Stream => Kind::Push,
        _ => options.unsupported(),
    };
    let speech = speak(kind);
    let mut socket = Socket::connect(&options.addr)?;
    let mut recorder = Recorder::new(options);
    let mut answer = vec![0; speech.answer];
    let times = if kind == Kind::Push { BATCH } else { 1 };
    loop {
        let mark = recorder.start();
        for _ in 0..times {
            socket.write_all(&speech.request)?;
        }
        for _ in 0..times {
            socket.read_exact(&mut answer)?;
        }
        if !recorder.finish(mark) {
            break;
        }
    }
    recorder.report().print();
    Ok(())
}
