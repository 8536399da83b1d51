//! Serving until a signal: one line when it listens, a drain at the first signal, the end at the
//! second.

use super::{Arguments, Failure, keys, say};
use peers_rpc::kernel::{Cont, Handle, Kernel, Signal};
use peers_rpc::{Drained, Error, Listener, Rpc, Security};
use std::cell::RefCell;
use std::rc::Rc;

/// Runs a node until SIGINT or SIGTERM.
///
/// `start` makes the node and listens, with the policy of the command line; what it returns besides
/// the listener is kept until the end. When it listens, one line says where. At the first signal
/// nothing new is accepted, running replies are waited for at most
/// [`Limits::drain`](peers_rpc::Limits::drain), and then as long at most for what is written to
/// leave; a second signal ends the process at once with code 1.
///
/// # Errors
/// Fails as `start` or the operating system does, and for files of keys that are not as they must
/// be.
pub fn serve<T: 'static>(
    limits: peers_rpc::Limits,
    arguments: &Arguments,
    start: impl FnOnce(&Kernel, &Rpc, Option<Security>) -> Result<(Listener, T), Error>,
) -> Result<(), Failure> {
    let mut kernel = Kernel::new()?;
    let handle = kernel.handle();
    let limits = fitting(limits, handle.memory_limit());
    let rpc = Rc::new(keys::rpc(&kernel, limits, arguments)?);
    rpc.follow_memory_limit();
    let security = arguments.security(&handle)?;
    let (listener, owned) = start(&kernel, &rpc, security)?;
    let address = listener.address();
    let open = Rc::new(RefCell::new(Some(listener)));
    let (closing, loop_of) = (Rc::downgrade(&rpc), handle.clone());
    let _signals = handle.signals(&[Signal::Interrupt, Signal::Terminate], move |signal| {
        let listener = open.take();
        match (listener, closing.upgrade()) {
            (Some(listener), Some(rpc)) => {
                log::info!("{signal}: closing");
                drop(listener);
                close(&rpc, &loop_of);
            }
            _ => std::process::exit(1),
        }
    })?;
    say(&address, "listening"); // from here on, whoever reads it may send a signal
    kernel.run()?;
    drop((owned, rpc));
    Ok(())
}

/// The most that the system may hold for a connection in each direction, where memory is scarce:
/// what it does by itself can be megabytes.
const SMALL_BUFFERS: usize = 64 << 10;

/// Returns the limits for a process that may have so much memory: half of it at most is for its
/// peers.
fn fitting(mut limits: peers_rpc::Limits, memory: Option<u64>) -> peers_rpc::Limits {
    let half = memory.map_or(usize::MAX, |bytes| usize::try_from(bytes / 2).unwrap_or(usize::MAX));
    if half < limits.process_bytes {
        limits.process_bytes = half;
        limits.socket_buffers.get_or_insert(SMALL_BUFFERS);
    }
    limits
}

fn close(rpc: &Rpc, handle: &Handle) {
    let stopper = handle.clone();
    rpc.close(Cont::new(handle, move |drained: Result<Drained, peers_rpc::Error>| {
        if let Ok(Drained { unsent, unconfirmed, .. }) = drained
            && unsent + unconfirmed > 0
        {
            log::warn!(
                "closed: {unsent} requests were not sent, {unconfirmed} events not confirmed"
            );
        }
        stopper.stop();
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use peers_rpc::Limits;

    #[test]
    fn peers_have_half_of_the_memory_and_no_more_than_the_limit() {
        let mut own = Limits::default();
        own.socket_buffers = Some(1);
        for (memory, expected, buffers) in [
            (None, 256 << 20, None),
            (Some(u64::MAX), 256 << 20, None),
            (Some(512 << 20), 256 << 20, None),
            (Some(64 << 20), 32 << 20, Some(SMALL_BUFFERS)),
        ] {
            let fitted = fitting(Limits::default(), memory);
            assert_eq!((fitted.process_bytes, fitted.socket_buffers), (expected, buffers));
            let stated = fitting(own.clone(), memory);
            assert_eq!((stated.process_bytes, stated.socket_buffers), (expected, Some(1)));
        }
    }
}
