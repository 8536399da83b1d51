//! Room for requests that wait, shared by the loop and by other threads: what a thread is promised
//! is reserved first.
//!
//! A place is taken by whoever makes a request and given back by the session when the request has
//! left its queue. So what waits in this process is bounded in count and bytes, whoever made it,
//! and a request of another thread that was given a place cannot be refused any more.
//!
//! Invariants:
//! 1. `held` counts the requests, and their bytes, in the session's queue and those that other
//!    threads have places for; they never exceed the most, but for what waited before the room was
//!    made. Kept by `audit`, `there_are_as_many_places_as_it_says_and_not_one_more`.
//! 2. The loop takes no lock, unless a thread waits for what it has to tell. Kept by
//!    `the_loop_takes_no_lock_that_nobody_waits_behind`.
//! 3. After [`Room::shut`] no place is given to a thread any more; `flying` counts those given
//!    before and not used yet. Kept by `a_shut_room_has_no_place_and_knows_who_is_still_coming`.

use peers_kernel::Instant;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// The frame limit of a peer that has not said hello.
const UNKNOWN: u32 = u32::MAX;

/// Says why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// There was none in time.
    Full,
    /// There will be none.
    Shut,
}

/// Bits of a count of bytes; the others are of the count of requests.
const BYTES: u32 = 36;
const MOST_BYTES: usize = (1 << BYTES) - 1;
const MOST: usize = (1 << (u64::BITS - BYTES)) - 1;

/// Puts a count of requests and one of bytes into one number, so that both change in one step.
const fn pack(requests: usize, bytes: usize) -> u64 {
    ((requests as u64) << BYTES) + bytes as u64
}

const fn unpack(held: u64) -> (usize, usize) {
    ((held >> BYTES) as usize, held as usize & MOST_BYTES)
}

/// Room for a number of requests and their arguments.
#[derive(Debug)]
pub(crate) struct Room {
    most: usize,
    most_bytes: usize,
    /// The places that are taken, and their bytes: see [`pack`].
    held: AtomicU64,
    /// Requests with a place that the loop has not taken over yet.
    flying: AtomicUsize,
    /// The largest frame that the peer takes.
    frame: AtomicU32,
    shut: AtomicBool,
    /// Set iff that is because the peer has said that it sends nothing more.
    finished: AtomicBool,
    /// Set iff the loop was asked to look whether somebody is still coming, and has not looked yet.
    nudge: AtomicBool,
    /// Set iff the request that the session is about to see has a place already. Only the loop
    /// looks at it.
    landed: AtomicBool,
    /// Threads that wait for a change.
    waiters: AtomicUsize,
    /// Set iff they were woken and none of them has looked since.
    rung: AtomicBool,
    lock: Mutex<()>,
    changed: Condvar,
}

/// A place in a room, for one request of another thread. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Place {
    room: Arc<Room>,
    bytes: usize,
    /// Set iff the place was not handed on.
    held: bool,
}

/// While it lives, the session may take the place over. Else it is given back.
struct Landing<'a>(&'a Place);

impl Room {
    /// Makes room for so many requests, at least one, of so many bytes together.
    pub(crate) fn new(most: usize, most_bytes: usize) -> Self {
        Self {
            most: most.clamp(1, MOST),
            most_bytes: most_bytes.min(MOST_BYTES),
            held: AtomicU64::new(0),
            flying: AtomicUsize::new(0),
            frame: AtomicU32::new(UNKNOWN),
            shut: AtomicBool::new(false),
            finished: AtomicBool::new(false),
            nudge: AtomicBool::new(false),
            landed: AtomicBool::new(false),
            waiters: AtomicUsize::new(0),
            rung: AtomicBool::new(false),
            lock: Mutex::new(()),
            changed: Condvar::new(),
        }
    }

    /// Returns the most bytes that one request can have a place for.
    pub(crate) fn most_bytes(&self) -> usize {
        self.most_bytes
    }

    // ---- for other threads

    /// Returns the largest frame that the peer takes, once that is known.
    pub(crate) fn frame_limit(&self) -> Option<u32> {
        Some(self.frame.load(SeqCst)).filter(|frame| *frame != UNKNOWN)
    }

    /// Waits for a place until `deadline`, on the clock that `now` reads; not at all if that is
    /// past.
    pub(crate) fn reserve(
        self: &Arc<Self>,
        bytes: usize,
        now: impl Fn() -> Instant,
        deadline: Instant,
    ) -> Result<Place, NoPlace> {
        let place = || match self.try_reserve(bytes) {
            Err(NoPlace::Full) => None,
            decided => Some(decided),
        };
        self.wait_for(now, deadline, place).unwrap_or(Err(NoPlace::Full))
    }

    fn try_reserve(self: &Arc<Self>, bytes: usize) -> Result<Place, NoPlace> {
        // In this order: whoever shuts the room and then sees nobody flying knows that nobody will
        // come.
        self.flying.fetch_add(1, SeqCst);
        if self.shut.load(SeqCst) {
            self.land_one();
            return Err(NoPlace::Shut);
        }
        if self.try_take(bytes) {
            return Ok(Place { room: self.clone(), bytes, held: true });
        }
        self.land_one();
        Err(if self.is_shut() { NoPlace::Shut } else { NoPlace::Full })
    }

    /// Waits until `ready` has something to say, or until `deadline`.
    pub(crate) fn wait_for<R>(
        &self,
        now: impl Fn() -> Instant,
        deadline: Instant,
        mut ready: impl FnMut() -> Option<R>,
    ) -> Option<R> {
        let answer = ready();
        if answer.is_some() {
            return answer;
        }
        // Whoever changes something looks for waiters afterwards, and a waiter looks again after it
        // was counted.
        self.waiters.fetch_add(1, SeqCst);
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = loop {
            self.rung.store(false, SeqCst);
            let answer = ready();
            let left = deadline.since(now());
            if answer.is_some() || left.is_zero() {
                break answer;
            }
            let waited = self.changed.wait_timeout(guard, left);
            guard = waited.unwrap_or_else(PoisonError::into_inner).0;
        };
        drop(guard);
        self.waiters.fetch_sub(1, SeqCst);
        answer
    }

    // ---- for both

    /// Takes a place if there is one. Count and bytes are taken in one step: who needs more than
    /// there is never takes anything, not even for a moment, from whom there is enough for.
    fn try_take(&self, bytes: usize) -> bool {
        let take = |held: u64| {
            let (requests, all) = unpack(held);
            let fits = requests < self.most && bytes <= self.most_bytes.saturating_sub(all);
            fits.then(|| held + pack(1, bytes))
        };
        self.held.fetch_update(SeqCst, SeqCst, take).is_ok()
    }

    /// Gives places back.
    pub(crate) fn give_back(&self, requests: usize, bytes: usize) {
        self.held.fetch_sub(pack(requests, bytes), SeqCst);
        self.ring();
    }

    fn land_one(&self) {
        self.flying.fetch_sub(1, SeqCst);
    }

    /// Wakes those who wait: something has changed.
    pub(crate) fn ring(&self) {
        // The lock only where somebody waits: so the loop takes none for a request.
        if self.waiters.load(SeqCst) > 0 && !self.rung.swap(true, SeqCst) {
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.changed.notify_all();
        }
    }

    // ---- for the loop

    /// Counts what waits already, room or not.
    pub(crate) fn add(&self, requests: usize, bytes: usize) {
        self.held.fetch_add(pack(requests, bytes), SeqCst);
    }

    /// Takes a place for the request at hand, unless it came with one.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        // A request of another thread brings its place along.
        self.landed.swap(false, Relaxed) || self.try_take(bytes)
    }

    /// Notes how large the peer's frames may be.
    pub(crate) fn meet(&self, frame: u32) {
        // The largest number stands for a limit that is not known yet.
        self.frame.store(frame.min(UNKNOWN - 1), SeqCst);
        self.ring();
    }

    /// Gives no more places to other threads.
    pub(crate) fn shut(&self) {
        self.shut.store(true, SeqCst);
        self.ring();
    }

    /// Shuts it because the peer sends nothing more.
    pub(crate) fn finish(&self) {
        self.finished.store(true, SeqCst);
        self.shut();
    }

    /// Returns whether it is shut because the peer sends nothing more.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished.load(SeqCst)
    }

    /// Returns whether no more places are given to other threads.
    pub(crate) fn is_shut(&self) -> bool {
        self.shut.load(SeqCst)
    }

    /// Returns whether the loop has not been asked yet to look who is still coming: then whoever
    /// asks this is to ask the loop.
    pub(crate) fn may_nudge(&self) -> bool {
        !self.nudge.swap(true, SeqCst)
    }

    /// Notes that the loop is about to look.
    pub(crate) fn nudged(&self) {
        self.nudge.store(false, SeqCst);
    }

    /// Fails unless the places taken are those of requests that wait, unless more are on their way.
    pub(crate) fn audit(&self, requests: usize, bytes: usize) -> Result<(), String> {
        let taken = self.taken();
        if self.is_awaited() || taken == (requests, bytes) {
            return Ok(());
        }
        let wait = (requests, bytes);
        Err(format!("no room lost: {taken:?} places and bytes are taken, {wait:?} wait"))
    }

    /// Returns the places that are taken, and their bytes.
    fn taken(&self) -> (usize, usize) {
        unpack(self.held.load(SeqCst))
    }

    /// Returns whether a request of another thread is still on its way to the loop.
    pub(crate) fn is_awaited(&self) -> bool {
        self.flying.load(SeqCst) > 0
    }
}

impl Place {
    /// Lets `send` make the one request that this place is for. It keeps the place if it waits,
    /// else the place is given back.
    pub(crate) fn land<R>(mut self, send: impl FnOnce() -> R) -> R {
        self.held = false;
        self.room.landed.store(true, Relaxed);
        let _landing = Landing(&self);
        send()
    }
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        let Self(place) = self;
        if place.room.landed.swap(false, Relaxed) {
            place.room.give_back(1, place.bytes);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.held {
            self.room.give_back(1, self.bytes);
        }
        self.room.land_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    fn at(seconds: u64) -> Instant {
        Instant::default() + Duration::from_secs(seconds)
    }

    /// A place at once or none.
    fn reserve(room: &Arc<Room>, bytes: usize) -> Result<Place, NoPlace> {
        room.reserve(bytes, || at(0), at(0))
    }

    #[test]
    fn the_loop_takes_no_lock_that_nobody_waits_behind() {
        let room = Arc::new(Room::new(3, 100));
        let place = reserve(&room, 1).expect("there is room");
        let taken = room.lock.lock().expect("nobody has panicked");
        let (of_the_loop, (done, is_done)) = (room.clone(), mpsc::channel());
        let worker = thread::spawn(move || {
            place.land(|| of_the_loop.take(1));
            of_the_loop.give_back(1, 1);
            of_the_loop.meet(100);
            of_the_loop.shut();
            done.send(()).expect("somebody listens");
        });
        // Far more than it takes on any machine; a loop that waits for the lock would never be
        // done.
        let ended = is_done.recv_timeout(Duration::from_secs(20));
        drop(taken);
        worker.join().expect("it ends with the lock");
        assert_eq!(ended, Ok(()));
    }

    #[test]
    fn there_are_as_many_places_as_it_says_and_not_one_more() {
        let room = Arc::new(Room::new(3, 100));
        let mut places: Vec<_> = (0..3).map(|_| reserve(&room, 1).expect("room")).collect();
        assert_eq!(reserve(&room, 1).err(), Some(NoPlace::Full));
        assert!(!room.take(1), "nor for the loop");
        places.pop();
        assert!(room.take(1) && !room.take(1));
        room.give_back(1, 1);
        drop(places);
        assert_eq!(room.taken(), (0, 0));
        assert!(!room.is_awaited());
    }

    #[test]
    fn there_are_as_many_bytes_as_it_says_and_not_one_more() {
        let room = Arc::new(Room::new(10, 100));
        let most = reserve(&room, 60).expect("room");
        let rest = reserve(&room, 40).expect("room");
        assert_eq!(reserve(&room, 1).err(), Some(NoPlace::Full));
        assert!(reserve(&room, 0).is_ok());
        drop(most);
        assert_eq!(reserve(&room, 61).err(), Some(NoPlace::Full));
        assert!(reserve(&room, 60).is_ok());
        drop(rest);
        assert_eq!(room.taken(), (0, 0));
    }

    #[test]
    fn a_request_that_waits_keeps_its_place_and_one_that_does_not_gives_it_back() {
        let room = Arc::new(Room::new(1, 100));
        let place = reserve(&room, 7).expect("room");
        assert!(room.is_awaited());
        assert!(place.land(|| room.take(7)), "it has a place, though the room is full");
        assert!(!room.is_awaited() && !room.take(1));
        room.give_back(1, 7);
        reserve(&room, 7).expect("room").land(|| ());
        assert!(room.take(100), "it was sent at once");
    }

    #[test]
    fn a_shut_room_has_no_place_and_knows_who_is_still_coming() {
        let room = Arc::new(Room::new(5, 100));
        let coming = reserve(&room, 1).expect("room");
        room.shut();
        assert_eq!(reserve(&room, 1).err(), Some(NoPlace::Shut));
        assert!(room.is_awaited());
        coming.land(|| ());
        assert!(!room.is_awaited());
    }

    #[test]
    fn whoever_waits_is_woken_by_a_place_and_by_the_end() {
        let room = Arc::new(Room::new(2, 100));
        let held: Vec<_> = (0..2).map(|_| reserve(&room, 1).expect("room")).collect();
        let wait = |room: &Arc<Room>| {
            let room = room.clone();
            thread::spawn(move || room.reserve(1, || at(0), Instant::FAR).map(|place| place.bytes))
        };
        let waiters: Vec<_> = (0..4).map(|_| wait(&room)).collect();
        while room.waiters.load(SeqCst) < 4 {
            thread::yield_now();
        }
        drop(held);
        let served: Vec<_> =
            waiters.into_iter().map(|thread| thread.join().expect("no panic")).collect();
        assert_eq!(served, [Ok(1); 4], "each gave its place back to the next");
        let full: Vec<_> = (0..2).map(|_| reserve(&room, 1).expect("room")).collect();
        let waiter = wait(&room);
        while room.waiters.load(SeqCst) < 1 {
            thread::yield_now();
        }
        room.shut();
        assert_eq!(waiter.join().expect("no panic"), Err(NoPlace::Shut));
        drop(full);
    }

    #[test]
    fn who_needs_too_much_is_in_nobodys_way() {
        let room = Arc::new(Room::new(1, 10));
        let (other, over) = (room.clone(), Arc::new(AtomicBool::new(false)));
        let greedy = thread::spawn({
            let over = over.clone();
            move || {
                while !over.load(SeqCst) {
                    assert_eq!(reserve(&other, 11).err(), Some(NoPlace::Full));
                }
            }
        });
        let served = (0..200_000).filter(|_| room.take(1)).inspect(|_| room.give_back(1, 1));
        let served = served.count();
        over.store(true, SeqCst);
        greedy.join().expect("no panic");
        assert_eq!(served, 200_000);
    }

    #[test]
    fn a_million_places_leave_nothing_behind() {
        let room = Arc::new(Room::new(2, 1_000));
        for n in 0..1_000_000 {
            let place = reserve(&room, n % 1_000).expect("the last one was given back");
            place.land(|| {
                if n % 2 == 0 && room.take(n % 1_000) {
                    room.give_back(1, n % 1_000)
                }
            });
        }
        assert_eq!(room.taken(), (0, 0));
        assert!(!room.is_awaited());
    }
}
