//! The two kinds of sockets in a simulated network, and what may be done with them.
//!
//! Invariants:
//! 1. An end is kept until both ends of its connection are closed. Kept by `step`.
//! 2. Where to cut writes and reads is drawn from the seed, which of them are interrupted, and who
//!    is said to be readable and is not: callers must cope with all of it. Kept by
//!    `half_a_megabyte_comes_back_unchanged_however_it_is_cut`.
//! 3. What arrives at a closed end is answered with a reset, as a real system does. Kept by
//!    `tests/faults.rs`.

use crate::host::ready::{Key, Readiness};
use crate::host::sim::lane::{Lane, Parcel};
use crate::host::sim::network::{Id, Net, Process};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};

/// One of so many reads and writes is interrupted.
const INTERRUPTED: u64 = 32;
/// One of so many looks at what is not ready any more says that it is.
const FALSE_ALARMS: u64 = 16;

/// One end of a connection.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) process: Process,
    /// Says whose parcels arrive here; itself as long as nobody's do.
    pub(crate) peer_process: Process,
    peer: Option<Id>,
    /// `None` until it is accepted.
    key: Option<Key>,
    interest: Readiness,
    pub(crate) stage: EndStage,
    pub(crate) local: String,
    pub(crate) remote: String,
    /// Holds what the peer has sent.
    pub(crate) inbound: Lane,
    /// True iff the end of the stream has arrived.
    ended: bool,
    /// True iff we have sent the end of ours.
    finished: bool,
    closed: bool,
}

/// Says how far a connection is, as seen from one end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndStage {
    Dialling,
    Open,
    Refused,
    Broken,
}

/// A listener.
#[derive(Debug)]
pub(crate) struct SimListener {
    pub(crate) process: Process,
    name: String,
    key: Key,
    readable: bool,
    pub(crate) backlog: VecDeque<Id>,
}

impl Net {
    // ---- opening

    pub(crate) fn dial(&mut self, process: Process, key: Key, to: &str) -> io::Result<Id> {
        self.check_descriptors(process)?;
        let id = self.fresh_id();
        let local = format!("{}/{id}", self.hosts[process].name);
        let mut end = End::new(process, process, local, to.to_owned());
        end.key = Some(key);
        end.interest = Readiness { readable: false, writable: true };
        self.ends.insert(id, end);
        self.note(4, id, process as u64);
        self.dial_again(id);
        Ok(id)
    }

    pub(crate) fn open_listener(
        &mut self,
        process: Process,
        key: Key,
        name: &str,
    ) -> io::Result<Id> {
        self.check_descriptors(process)?;
        if self.names.contains_key(name) {
            return Err(ErrorKind::AddrInUse.into());
        }
        let id = self.fresh_id();
        let listener = SimListener {
            process,
            name: name.to_owned(),
            key,
            readable: true,
            backlog: VecDeque::new(),
        };
        self.listeners.insert(id, listener);
        self.names.insert(name.to_owned(), id);
        self.note(5, id, process as u64);
        Ok(id)
    }

    fn check_descriptors(&self, process: Process) -> io::Result<()> {
        if !self.hosts[process].alive {
            return Err(ErrorKind::NotConnected.into());
        }
        if self.hosts[process].exhausted {
            return Err(rustix::io::Errno::MFILE.into());
        }
        Ok(())
    }

    /// Gives a dialler its other end, in the backlog of a listener.
    pub(crate) fn introduce(&mut self, dialler: Id, listener: Id) {
        let id = self.fresh_id();
        let (Some(end), Some(listener)) =
            (self.ends.get_mut(&dialler), self.listeners.get_mut(&listener))
        else {
            return;
        };
        end.peer = Some(id);
        end.peer_process = listener.process;
        let mut other =
            End::new(listener.process, end.process, listener.name.clone(), end.local.clone());
        other.peer = Some(dialler);
        other.stage = EndStage::Open;
        listener.backlog.push_back(id);
        self.ends.insert(id, other);
    }

    /// Takes the next connection out of a backlog. Now and then it is interrupted, as the real one
    /// is.
    pub(crate) fn accept(
        &mut self,
        listener: Id,
        key: &mut dyn FnMut() -> Key,
    ) -> io::Result<(Id, Key)> {
        let found = self.listeners.get(&listener).ok_or(ErrorKind::NotConnected)?;
        let process = found.process;
        if found.backlog.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.check_descriptors(process)?;
        if self.chance(16) {
            return Err(ErrorKind::Interrupted.into());
        }
        let next =
            self.listeners.get_mut(&listener).and_then(|listener| listener.backlog.pop_front());
        let id = next.ok_or(ErrorKind::WouldBlock)?;
        let end = self.ends.get_mut(&id).ok_or(ErrorKind::ConnectionAborted)?;
        let key = key();
        end.key = Some(key);
        end.interest = Readiness { readable: true, writable: false };
        self.note(6, id, listener);
        self.touch(process, id);
        Ok((id, key))
    }

    // ---- readiness

    /// Returns under which key an end or a listener is ready, and what for; `None` if for nothing
    /// that is wanted.
    pub(crate) fn readiness(&self, id: Id) -> Option<(Key, Readiness)> {
        if let Some(listener) = self.listeners.get(&id) {
            let readiness = Readiness { readable: true, writable: false };
            return (listener.readable && !listener.backlog.is_empty())
                .then_some((listener.key, readiness));
        }
        let end = self.ends.get(&id)?;
        let (wanted, none) = (end.interest, Readiness::default());
        let ready = match end.stage {
            EndStage::Dialling => none,
            _ if end.closed || wanted == none => none,
            // As with the real one, a failure is reported as both, whatever was wanted.
            EndStage::Refused | EndStage::Broken => Readiness { readable: true, writable: true },
            EndStage::Open => Readiness {
                readable: wanted.readable && (end.inbound.readable() > 0 || end.ended),
                writable: wanted.writable && self.room(end) > 0,
            },
        };
        end.key.filter(|_| ready != none).map(|key| (key, ready))
    }

    /// Returns what is reported now and then of an end or a listener that has nothing to give.
    pub(crate) fn false_alarm(&mut self, id: Id) -> Option<(Key, Readiness)> {
        let end = self.ends.get(&id).filter(|end| end.stage == EndStage::Open && !end.closed);
        let (key, readable) = match (end, self.listeners.get(&id)) {
            (Some(end), _) => (end.key?, end.interest.readable),
            (None, Some(listener)) => (listener.key, listener.readable),
            (None, None) => return None,
        };
        let readiness = Readiness { readable: true, writable: false };
        (readable && self.chance(FALSE_ALARMS)).then_some((key, readiness))
    }

    /// Returns how many bytes an end may send. Where nobody reads any more, any number may be sent
    /// and is lost.
    fn room(&self, end: &End) -> usize {
        let peer = end.peer.and_then(|peer| self.ends.get(&peer));
        peer.filter(|peer| !peer.closed).map_or(usize::MAX, |peer| peer.inbound.room())
    }

    pub(crate) fn set_interest(&mut self, id: Id, wanted: Readiness) {
        let Some(end) = self.ends.get_mut(&id) else { return };
        end.interest = wanted;
        self.look_again(id);
    }

    pub(crate) fn set_listener_interest(&mut self, id: Id, readable: bool) {
        let Some(listener) = self.listeners.get_mut(&id) else { return };
        listener.readable = readable;
        self.look_again(id);
    }

    /// Notes that interest has changed. That is done in a turn, which ends by asking what is ready:
    /// no other is needed.
    fn look_again(&mut self, id: Id) {
        let end = self.ends.get(&id).map(|end| end.process);
        let Some(process) = end.or_else(|| Some(self.listeners.get(&id)?.process)) else { return };
        self.hosts[process].maybe_ready.insert(id);
    }

    // ---- reading and writing

    pub(crate) fn connected(&self, id: Id) -> io::Result<()> {
        match self.ends.get(&id).map(|end| end.stage) {
            Some(EndStage::Open) => Ok(()),
            Some(EndStage::Dialling) => Err(ErrorKind::WouldBlock.into()),
            Some(EndStage::Refused) => Err(ErrorKind::ConnectionRefused.into()),
            Some(EndStage::Broken) | None => Err(ErrorKind::ConnectionReset.into()),
        }
    }

    pub(crate) fn read(&mut self, id: Id, into: &mut Vec<u8>) -> io::Result<usize> {
        let end = self.ends.get(&id).ok_or(ErrorKind::ConnectionReset)?;
        let count = end.inbound.readable().min(into.capacity() - into.len());
        let (ended, stage, peer) = (end.ended, end.stage, end.peer);
        if count == 0 {
            return match stage {
                EndStage::Open if ended => Ok(0),
                EndStage::Open | EndStage::Dialling => Err(ErrorKind::WouldBlock.into()),
                EndStage::Refused | EndStage::Broken => Err(ErrorKind::ConnectionReset.into()),
            };
        }
        self.falter()?;
        let count = self.cut_short(count);
        self.note(7, id, count as u64);
        if let Some(end) = self.ends.get_mut(&id) {
            end.inbound.read(count, into);
        }
        // Whoever writes to us has room again.
        let writer = peer.and_then(|peer| Some((peer, self.ends.get(&peer)?)));
        if let Some((peer, end)) = writer
            && end.interest.writable
        {
            self.touch(end.process, peer);
        }
        Ok(count)
    }

    /// Returns how many bytes have arrived and were not read.
    pub(crate) fn unread(&self, id: Id) -> usize {
        self.ends.get(&id).map_or(0, |end| end.inbound.readable())
    }

    pub(crate) fn write(&mut self, id: Id, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let end = self.ends.get(&id).ok_or(ErrorKind::ConnectionReset)?;
        match end.stage {
            _ if end.closed => return Err(ErrorKind::BrokenPipe.into()), // its process was killed
            EndStage::Open if end.finished => return Err(ErrorKind::BrokenPipe.into()),
            EndStage::Open => {}
            EndStage::Dialling => return Err(ErrorKind::WouldBlock.into()),
            EndStage::Refused | EndStage::Broken => return Err(ErrorKind::ConnectionReset.into()),
        }
        let (room, peer) = (self.room(end), end.peer);
        let wanted: usize = parts.iter().map(|part| part.len()).sum();
        if room == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.falter()?;
        let count = self.cut_short(wanted.min(room));
        let mut bytes = Vec::with_capacity(count);
        for part in parts {
            let taken = part.len().min(count - bytes.len());
            bytes.extend_from_slice(&part[..taken]);
        }
        self.note(8, id, count as u64);
        self.trace.bytes(&bytes);
        if let Some(peer) = peer {
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let cut = self.cut_short(rest.len());
                let (first, others) = rest.split_at(cut);
                self.send(peer, Parcel::Bytes(first.to_vec()));
                rest = others;
            }
        }
        Ok(count)
    }

    pub(crate) fn is_peer_on_other_cpu(&self, id: Id) -> bool {
        self.ends.get(&id).is_some_and(|end| self.hosts[end.process].peers_on_other_cpu)
    }

    /// Fails now and then, as a call that was interrupted does.
    fn falter(&mut self) -> io::Result<()> {
        if self.chance(INTERRUPTED) { Err(ErrorKind::Interrupted.into()) } else { Ok(()) }
    }

    /// Returns how much of so many bytes is taken: mostly everything, now and then less, or always
    /// little; never nothing of something.
    fn cut_short(&mut self, count: usize) -> usize {
        let (most, times) = self.pieces;
        if times > 0 {
            self.pieces.1 -= 1;
            let most = most.max(count / 32).min(count);
            return if most > 1 { 1 + self.draw(most as u64 - 1) as usize } else { most };
        }
        // Now and then, so that callers meet every cut and still get on.
        if count > 1 && self.chance(4) { 1 + self.draw(count as u64 - 2) as usize } else { count }
    }

    /// Sends the end of the stream.
    pub(crate) fn shutdown(&mut self, id: Id) -> io::Result<()> {
        let end = self.ends.get_mut(&id).ok_or(ErrorKind::NotConnected)?;
        if end.stage != EndStage::Open || end.closed {
            return Err(ErrorKind::NotConnected.into());
        }
        if !std::mem::replace(&mut end.finished, true)
            && let Some(peer) = end.peer
        {
            self.note(9, id, 0);
            self.send(peer, Parcel::Fin);
        }
        Ok(())
    }

    // ---- arriving

    pub(crate) fn deliver(&mut self, id: Id, parcel: Parcel) {
        let Some(end) = self.ends.get_mut(&id) else { return };
        let (process, peer, closed) = (end.process, end.peer, end.closed);
        match parcel {
            Parcel::Accepted => end.stage = EndStage::Open,
            Parcel::Refused => end.stage = EndStage::Refused,
            // As a real system says it of data that nobody can read any more.
            Parcel::Bytes(bytes) if closed => {
                end.inbound.discard(bytes.len());
                if let Some(peer) = peer {
                    self.send(peer, Parcel::Reset);
                }
            }
            Parcel::Bytes(bytes) => end.inbound.land(&bytes),
            Parcel::Fin => end.ended = true,
            Parcel::Reset => end.stage = EndStage::Broken,
        }
        self.note(10, id, 0);
        if !closed {
            self.touch(process, id);
        }
    }

    /// Breaks a connection at this end, now.
    pub(crate) fn break_end(&mut self, id: Id) {
        let Some(end) = self.ends.get_mut(&id) else { return };
        end.stage = EndStage::Broken;
        end.inbound.lose_flight();
        let process = end.process;
        self.note(11, id, 0);
        self.touch(process, id);
    }

    // ---- closing

    /// Closes this end as its process does, or as the system does after its death: the peer sees
    /// the end of the stream, or a reset if we left something unread.
    pub(crate) fn close(&mut self, id: Id) {
        let Some(end) = self.ends.get_mut(&id) else { return };
        if std::mem::replace(&mut end.closed, true) {
            return;
        }
        let unread = end.inbound.readable();
        let (peer, silent) = (end.peer, end.stage != EndStage::Open || end.finished && unread == 0);
        self.note(12, id, unread as u64);
        // Bytes that nobody has read are lost, and the sender must not believe that they arrived.
        if let Some(peer) = peer
            && !silent
        {
            self.send(peer, if unread > 0 { Parcel::Reset } else { Parcel::Fin });
        }
        self.forget(id);
    }

    /// Ends what nobody has accepted, and nobody will.
    fn vanish(&mut self, id: Id) {
        let Some(end) = self.ends.get_mut(&id) else { return };
        if !std::mem::replace(&mut end.closed, true)
            && let Some(peer) = end.peer
        {
            self.send(peer, Parcel::Reset);
        }
        self.forget(id);
    }

    /// Removes a connection if both its ends are closed.
    fn forget(&mut self, id: Id) {
        let peer = self.ends.get(&id).and_then(|end| end.peer);
        let open = |id: Id| self.ends.get(&id).is_some_and(|end| !end.closed);
        // Both at once: what one sends as it closes still finds the other.
        if !open(id) && !peer.is_some_and(open) {
            self.ends.remove(&id);
            if let Some(peer) = peer {
                self.ends.remove(&peer);
            }
        }
    }

    pub(crate) fn close_listener(&mut self, id: Id) {
        let Some(listener) = self.listeners.remove(&id) else { return };
        self.names.remove(&listener.name);
        self.note(13, id, 0);
        for end in listener.backlog {
            self.vanish(end)
        }
    }
}

impl End {
    fn new(process: Process, peer_process: Process, local: String, remote: String) -> Self {
        Self {
            process,
            peer_process,
            peer: None,
            key: None,
            interest: Readiness::default(),
            stage: EndStage::Dialling,
            local,
            remote,
            inbound: Lane::default(),
            ended: false,
            finished: false,
            closed: false,
        }
    }

    pub(super) fn peer(&self) -> Option<Id> {
        self.peer
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Returns whether somebody has it who has not closed it.
    pub(super) fn is_held(&self) -> bool {
        self.key.is_some() && !self.closed
    }
}
