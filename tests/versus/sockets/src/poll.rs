//! The batching loop: all connections on one `polling` poller, level-triggered, one read for each
//! event and one write for all that it brought.

use crate::Done;
use crate::frames::{FOUND, GET, Kind, Speech};
use crate::lane::{Lane, Pattern};
use crate::socket::{Listener, Socket};
use polling::{Event, Events, PollMode, Poller};
use std::io;
use versus_load::{BURST, Mode, Options, Recorder, Report, Span, resident};

const LISTENER: usize = usize::MAX - 1;
const BUFFER: usize = 64 * 1024;

/// Answers whatever comes, for ever.
///
/// # Errors
/// When listening or polling fails.
#[allow(unsafe_code)]
pub fn serve(options: &Options) -> Done {
    let listener = Listener::open(&options.addr)?;
    listener.set_nonblocking(true)?;
    let poller = Poller::new()?;
    // SAFETY: the listener lives as long as the poller: to the end of the process.
    unsafe { poller.add_with_mode(&listener, Event::readable(LISTENER), PollMode::Level)? };
    let pattern = Pattern::new(&[b'v'; FOUND]);
    let (mut lanes, mut free) = (Vec::new(), Vec::new());
    let mut buffer = vec![0; BUFFER];
    let mut events = Events::new();
    loop {
        events.clear();
        poller.wait(&mut events, None)?;
        for event in events.iter() {
            let key = event.key;
            if key == LISTENER {
                let slot = free.pop().unwrap_or(lanes.len());
                let lane = listener.accept().and_then(|socket| Lane::new(socket, &poller, slot))?;
                if slot == lanes.len() {
                    lanes.push(None);
                }
                lanes[slot] = Some(lane);
                continue;
            }
            let Some(lane) = &mut lanes[key] else { continue };
            if !matches!(turn(lane, &mut buffer, &pattern, &poller, key), Ok(true))
                && let Some(lane) = lanes[key].take()
            {
                lane.close(&poller)?;
                free.push(key);
            }
        }
    }
}

fn turn(
    lane: &mut Lane,
    buffer: &mut [u8],
    pattern: &Pattern,
    poller: &Poller,
    key: usize,
) -> io::Result<bool> {
    let Some(frames) = lane.read(buffer, GET)? else { return Ok(false) };
    lane.write(frames, pattern, poller, key)?;
    Ok(true)
}

/// Keeps `--window` calls going on each of `--conns` connections; or opens them and measures the
/// server.
///
/// # Errors
/// When a connection fails.
pub fn call(options: &Options, speak: impl Fn(Kind) -> Speech) -> Done {
    match options.mode {
        Mode::Latency | Mode::Pipeline | Mode::Conns => {}
        Mode::Idle => return idle(options),
        Mode::Connect => return connect(options, &speak(Kind::Get)),
        _ => options.unsupported(),
    }
    let poller = Poller::new()?;
    let speech = speak(Kind::Get);
    let pattern = Pattern::new(&speech.request);
    let idle: io::Result<Vec<_>> =
        (0..options.idle).map(|_| Socket::connect(&options.addr)).collect();
    let mut lanes = Vec::new();
    for key in 0..options.active() {
        lanes.push(Lane::new(Socket::connect(&options.addr)?, &poller, key)?);
    }
    let mut recorder = Recorder::new(options);
    for (key, lane) in lanes.iter_mut().enumerate() {
        lane.write(options.window, &pattern, &poller, key)?;
    }
    let mut buffer = vec![0; BUFFER];
    let mut events = Events::new();
    while !recorder.is_over() {
        events.clear();
        poller.wait(&mut events, None)?;
        for event in events.iter() {
            let lane = &mut lanes[event.key];
            let frames = lane.read(&mut buffer, speech.answer)?;
            let frames = frames.ok_or("the server has closed the connection")?;
            recorder.finish_many(frames as u64);
            lane.write(frames, &pattern, &poller, event.key)?;
        }
    }
    drop(idle);
    recorder.report().print();
    Ok(())
}

/// Opens connections, some at a time, and makes one call on each.
fn connect(options: &Options, speech: &Speech) -> Done {
    let poller = Poller::new()?;
    let pattern = Pattern::new(&speech.request);
    let (mut lanes, mut buffer, mut events) = (Vec::new(), vec![0; BUFFER], Events::new());
    let span = Span::begin(options);
    while lanes.len() < options.conns {
        let mut waiting = BURST.min(options.conns - lanes.len());
        for _ in 0..waiting {
            let key = lanes.len();
            let mut lane = Lane::new(Socket::connect(&options.addr)?, &poller, key)?;
            lane.write(1, &pattern, &poller, key)?;
            lanes.push(lane);
        }
        while waiting > 0 {
            events.clear();
            poller.wait(&mut events, None)?;
            for event in events.iter() {
                let frames = lanes[event.key].read(&mut buffer, speech.answer)?;
                waiting -= frames.ok_or("the server has closed the connection")?;
            }
        }
    }
    span.connected(options, lanes.len()).print();
    Ok(())
}

fn idle(options: &Options) -> Done {
    let pid = options.server_pid.ok_or("--server-pid is needed")?;
    let _first = Socket::connect(&options.addr)?;
    std::thread::sleep(options.warmup);
    let before = resident(pid).ok_or("the server's memory cannot be read")?;
    let sockets: io::Result<Vec<_>> =
        (0..options.conns).map(|_| Socket::connect(&options.addr)).collect();
    let sockets = sockets?;
    std::thread::sleep(options.seconds);
    let after = resident(pid).ok_or("the server is gone")?;
    let mut report = Report::of(options);
    report.number("bytes_per_conn", after.saturating_sub(before) as f64 / sockets.len() as f64);
    report.print();
    Ok(())
}
