//! Registering descriptors with `polling`, and asking the C library to give
//! memory back: the only file of the workspace with `unsafe` in it. What a descriptor is for, and
//! who reads it, is decided elsewhere.
//!
//! Invariants:
//! 1. A descriptor is registered for exactly as long as its [`Registered`] has an interest, and
//!    never outlives it. Kept by `nothing_wanted_is_silence_even_when_the_peer_hangs_up`.
//! 2. The key of an event is slot and generation, so that an event which arrives after its source
//!    has gone is recognised. Kept by `tests/stale_events.rs`.
//! 3. Sources are level-triggered where the platform can do that. Where it cannot, every operation
//!    re-arms its source. Kept by `what_was_not_read_is_reported_again`.

use crate::host::os::selector::Selector;
use crate::host::ready::{Key, Readiness};
use crate::host::throttle::may_log;
use polling::{Event, PollMode};
use std::cell::Cell;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;

#[cfg(not(all(unix, target_pointer_width = "64")))]
compile_error!(
    "the kernel packs slot and generation into a 64-bit key and waits for Unix descriptors"
);

#[cfg(target_env = "gnu")]
#[allow(unsafe_code)] // SAFETY: declared as in `malloc.h`; any thread may call it at any time.
unsafe extern "C" {
    pub(crate) safe fn malloc_trim(pad: usize) -> std::ffi::c_int;
}

/// `polling` keeps this key for itself.
const RESERVED_KEY: usize = usize::MAX;

/// A descriptor together with its registration, which ends first.
pub(crate) struct Registered<T: Descriptor> {
    io: T,
    selector: Rc<Selector>,
    key: usize,
    /// Holds the mode of the poller. Here, it is at hand after each operation, and its spare values
    /// let what holds this be an `Option` or the like at no cost.
    mode: PollMode,
    /// The interest that the poller holds; `NONE` iff the descriptor is not registered at present.
    interest: Cell<Readiness>,
}

/// Types that own a descriptor, or stand for one that lasts as long as the process, and answer with
/// the same one for as long as they live, whatever is done through a shared reference.
///
/// The loop's only `unsafe` block rests on this, so the trait is sealed and its implementations are
/// looked at one by one. For any other type go through [`OwnedFd`](std::os::fd::OwnedFd).
pub trait Descriptor: AsFd + AsRawFd + sealed::Sealed + 'static {}

mod sealed {
    pub trait Sealed {}
}

macro_rules! descriptors {
    ($($of:ty),* $(,)?) => { $(
        impl sealed::Sealed for $of {}
        impl Descriptor for $of {}
    )* };
}

descriptors! {
    std::fs::File,
    std::io::PipeReader,
    std::io::PipeWriter,
    std::io::Stdin,
    std::net::TcpListener,
    std::net::TcpStream,
    std::net::UdpSocket,
    std::os::fd::OwnedFd,
    std::os::unix::net::UnixDatagram,
    std::os::unix::net::UnixListener,
    std::os::unix::net::UnixStream,
    std::process::ChildStderr,
    std::process::ChildStdin,
    std::process::ChildStdout,
    socket2::Socket,
}

impl<T: Descriptor> Registered<T> {
    /// Takes `io` over and reports it under `key` from the next wait on.
    pub(crate) fn new(
        selector: &Rc<Selector>,
        io: T,
        key: Key,
        interest: Readiness,
    ) -> io::Result<Self> {
        let this = Self {
            io,
            mode: selector.mode(),
            selector: selector.clone(),
            key: pack(key),
            interest: Cell::new(Readiness::default()),
        };
        this.set_interest(interest)?;
        Ok(this)
    }

    /// Returns the descriptor. Never hand out a duplicate of it: closing the original would leave a
    /// registration behind.
    pub(crate) fn io(&self) -> &T {
        &self.io
    }

    /// Returns what its events name.
    pub(crate) fn key(&self) -> Key {
        unpack(self.key)
    }

    /// Reports exactly this from now on; with nothing wanted, not even errors.
    pub(crate) fn set_interest(&self, wanted: Readiness) -> io::Result<()> {
        let none = Readiness::default();
        let held = self.interest.get();
        if wanted == held {
            return Ok(());
        }
        if wanted == none {
            // An empty interest would still report hang-ups, for ever in level mode. So leave the
            // poller altogether.
            self.selector.poller().delete(&self.io)?;
        } else if held == none {
            // It left the poller when nothing was wanted, so it is registered anew.
            self.add(wanted)?;
        } else {
            self.modify(wanted)?;
        }
        self.interest.set(wanted);
        Ok(())
    }

    /// Asks for the next event where events come one by one. To be called after every operation on
    /// the descriptor.
    pub(crate) fn rearm(&self) {
        let held = self.interest.get();
        if self.mode == PollMode::Oneshot
            && held != Readiness::default()
            && let Err(error) = self.modify(held)
            && may_log()
        {
            log::error!("cannot wait for a descriptor again: {error}");
        }
    }

    fn modify(&self, wanted: Readiness) -> io::Result<()> {
        // Plain `modify` would silently turn the source into a one-shot one.
        self.selector.poller().modify_with_mode(&self.io, self.event(wanted), self.mode)
    }

    fn event(&self, wanted: Readiness) -> Event {
        Event::new(self.key, wanted.readable, wanted.writable)
    }

    #[allow(unsafe_code)]
    fn add(&self, wanted: Readiness) -> io::Result<()> {
        // SAFETY: the descriptor must be deleted from the poller before it is dropped. `self` owns
        // it, lends it only by `&`, and a `Descriptor` cannot be made to close or exchange its
        // descriptor through `&`. `self.interest` is non-empty exactly while it is registered,
        // `drop` deletes it in that case, and the field `io` is dropped only after `drop` has
        // returned. Leaking `self` leaks the descriptor too, which is then never closed.
        unsafe { self.selector.poller().add_with_mode(&self.io, self.event(wanted), self.mode) }
    }
}

impl<T: Descriptor> Drop for Registered<T> {
    fn drop(&mut self) {
        if self.interest.get() != Readiness::default()
            && let Err(error) = self.selector.poller().delete(&self.io)
            && may_log()
        {
            log::error!("cannot stop waiting for a descriptor: {error}");
        }
    }
}

impl<T: Descriptor> fmt::Debug for Registered<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key();
        write!(f, "fd {} as {}.{}", self.io.as_raw_fd(), key.slot, key.generation)
    }
}

pub(crate) fn pack(key: Key) -> usize {
    let packed = (key.generation as usize) << 32 | key.slot as usize;
    debug_assert_ne!(packed, RESERVED_KEY, "no table has that many slots");
    packed
}

pub(crate) fn unpack(packed: usize) -> Key {
    Key { slot: (packed & 0xffff_ffff) as u32, generation: (packed >> 32) as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    const READ: Readiness = Readiness { readable: true, writable: false };
    const NONE: Readiness = Readiness { readable: false, writable: false };

    fn key(slot: u32) -> Key {
        Key { slot, generation: 7 }
    }

    fn ready(selector: &Selector) -> Vec<Key> {
        let mut found = Vec::new();
        selector.wait(Some(Duration::ZERO), &mut found).unwrap();
        found.into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn keys_survive_packing() {
        for key in [key(0), key(u32::MAX), Key { slot: 3, generation: u32::MAX - 1 }] {
            assert_eq!(unpack(pack(key)), key);
        }
    }

    #[test]
    fn what_was_not_read_is_reported_again() {
        let selector = Rc::new(Selector::new().unwrap());
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let registered = Registered::new(&selector, theirs, key(1), READ).unwrap();
        ours.write_all(b"two").unwrap();
        for _ in 0..2 {
            assert_eq!(ready(&selector), [key(1)]);
            assert_eq!(registered.io().read(&mut [0]).unwrap(), 1);
            registered.rearm();
        }
    }

    #[test]
    fn nothing_wanted_is_silence_even_when_the_peer_hangs_up() {
        let selector = Rc::new(Selector::new().unwrap());
        let (ours, theirs) = UnixStream::pair().unwrap();
        let registered = Registered::new(&selector, theirs, key(1), READ).unwrap();
        registered.set_interest(NONE).unwrap();
        drop(ours);
        assert_eq!(ready(&selector), []);
        registered.set_interest(READ).unwrap();
        assert_eq!(ready(&selector), [key(1)]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn one_wait_reports_every_ready_source_at_most_twice() {
        let selector = Rc::new(Selector::new().unwrap());
        let (reader, mut writer) = UnixStream::pair().unwrap();
        writer.write_all(b"x").unwrap();
        for count in [1, 63, 64, 65, 200] {
            let register = |slot| {
                Registered::new(&selector, reader.try_clone().unwrap(), key(slot), READ).unwrap()
            };
            let sources: Vec<_> = (0..count).map(register).collect();
            for notified in [false, true] {
                if notified {
                    selector.poller().notify().unwrap();
                }
                let told = ready(&selector);
                for source in &sources {
                    let times = told.iter().filter(|key| **key == source.key()).count();
                    assert!((1..=2).contains(&times), "{times} times, of {count}");
                }
            }
        }
    }

    #[test]
    fn a_dropped_source_is_silent_and_its_number_can_be_registered_again() {
        let selector = Rc::new(Selector::new().unwrap());
        for round in 0..100 {
            let (mut ours, theirs) = UnixStream::pair().unwrap();
            let registered = Registered::new(&selector, theirs, key(round), READ).unwrap();
            ours.write_all(b"x").unwrap();
            assert_eq!(ready(&selector), [key(round)]);
            drop(registered);
            assert_eq!(ready(&selector), []);
        }
    }

    #[test]
    fn every_notification_ends_a_wait() {
        let selector = Rc::new(Selector::new().unwrap());
        let poller = selector.poller().clone();
        let (asked, asks) = crossbeam_channel::bounded(0);
        let notifier = std::thread::spawn(move || {
            for () in asks {
                poller.notify().unwrap();
            }
        });
        for _ in 0..2_000 {
            asked.send(()).unwrap();
            // Without the notification this would last a minute a round.
            selector.wait(Some(Duration::from_secs(60)), &mut Vec::new()).unwrap();
        }
        drop(asked);
        notifier.join().unwrap();
    }

    #[test]
    fn events_that_come_with_a_notification_are_not_lost() {
        let selector = Rc::new(Selector::new().unwrap());
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let _registered = Registered::new(&selector, theirs, key(5), READ).unwrap();
        ours.write_all(b"x").unwrap();
        selector.poller().notify().unwrap();
        assert_eq!(ready(&selector), [key(5)]);
    }
}
