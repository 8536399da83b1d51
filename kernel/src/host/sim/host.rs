//! The simulated host: what a kernel in a [`World`](crate::world::World) sees instead of the
//! operating system.

use crate::host::os::selector::Selector;
use crate::host::ready::{Key, Readiness, Resolved, Waited, Waker};
use crate::host::sim::network::{Id, Net, Process, Step, TURN};
use crate::host::socket::Socket;
use crate::host::time::Clock;
use crate::host::time::Instant;
use crate::host::{Acceptor, AnySocket, Host, Mode};
use rand_core::Rng as _;
use std::cell::RefCell;
use std::io::{self, ErrorKind, IoSlice};
use std::rc::Rc;
use std::time::Duration;
use zeroize::Zeroizing;

/// One process's view of the network.
#[derive(Debug)]
pub(crate) struct SimHost {
    pub(crate) net: Rc<RefCell<Net>>,
    pub(crate) process: Process,
}

impl SimHost {
    /// Waits where one kernel is alone: nobody else moves the clock, so waiting does.
    fn pass_time(
        &self,
        until: Option<Instant>,
        ready: &mut Vec<(Key, Readiness)>,
    ) -> io::Result<()> {
        let mut net = self.net.borrow_mut();
        // What its tasks took has passed.
        let (clock, now) = (net.clock(self.process), net.now);
        let limit = until.map_or(Instant::FAR, |until| until.max(now + TURN).max(clock));
        // Events that come while handlers are at work are handled before anybody is asked.
        while net.now < clock {
            if net.step(clock) == Step::Nothing {
                net.now = clock;
            }
        }
        loop {
            net.collect(self.process, ready);
            if !ready.is_empty() {
                return Ok(());
            }
            if net.step(limit) != Step::Nothing {
                continue;
            }
            // Nobody else is there who could make something happen.
            if limit == Instant::FAR {
                let hint =
                    "nothing can ever happen any more in this simulation: whom does it wait for?";
                return Err(io::Error::new(ErrorKind::Deadlock, hint));
            }
            net.now = limit;
            return Ok(());
        }
    }
}

/// Says what the host says: nothing is cheaper here.
#[derive(Debug)]
struct SimClock {
    net: Rc<RefCell<Net>>,
    process: Process,
}

impl Clock for SimClock {
    fn coarse(&self) -> Instant {
        self.net.borrow().clock(self.process)
    }
}

impl Host for SimHost {
    fn mode(&self) -> Mode {
        Mode::Simulated
    }

    fn now(&self) -> Instant {
        self.net.borrow().clock(self.process)
    }

    fn clock(&self) -> Box<dyn Clock> {
        Box::new(SimClock { net: self.net.clone(), process: self.process })
    }

    fn pass(&self, span: Duration) {
        let mut net = self.net.borrow_mut();
        let clock = net.clock(self.process);
        net.hosts[self.process].busy_until = clock + span;
    }

    fn entropy(&self) -> io::Result<Zeroizing<[u8; 32]>> {
        let mut seed = Zeroizing::new([0; 32]);
        self.net.borrow_mut().rng.fill_bytes(&mut *seed);
        Ok(seed)
    }

    fn wait(
        &self,
        until: Option<Instant>,
        ready: &mut Vec<(Key, Readiness)>,
    ) -> io::Result<Waited> {
        if self.net.borrow().solo {
            self.pass_time(until, ready)?;
            return Ok(Waited::Over);
        }
        let mut net = self.net.borrow_mut();
        if std::mem::take(&mut net.hosts[self.process].interrupted) {
            return Ok(Waited::Interrupted);
        }
        net.collect(self.process, ready);
        Ok(Waited::Over)
    }

    fn waker(&self) -> Option<Waker> {
        None
    }

    fn connect(&self, key: Key, to: &Resolved) -> io::Result<AnySocket> {
        let id = self.net.borrow_mut().dial(self.process, key, sim_name(to)?)?;
        Ok(AnySocket::Simulated(Box::new(SimSocket { net: self.net.clone(), id, key })))
    }

    fn listen(&self, key: Key, at: &Resolved, _: bool) -> io::Result<Box<dyn Acceptor>> {
        let name = sim_name(at)?.to_owned();
        let id = self.net.borrow_mut().open_listener(self.process, key, &name)?;
        Ok(Box::new(SimAcceptor { net: self.net.clone(), id, name }))
    }

    fn simulated_name(&self, name: &str) -> Option<(Duration, Vec<String>)> {
        self.net.borrow_mut().look_up(name)
    }

    fn selector(&self) -> Option<&Rc<Selector>> {
        None
    }

    fn name(&self) -> Option<String> {
        let net = self.net.borrow();
        (!net.solo).then(|| net.hosts[self.process].name.clone())
    }
}

fn sim_name(address: &Resolved) -> io::Result<&str> {
    match address {
        Resolved::Sim(name) => Ok(name),
        Resolved::Inet(_) | Resolved::Unix(_) => Err(io::Error::new(
            ErrorKind::Unsupported,
            "a simulated world knows only addresses of the form sim:NAME",
        )),
    }
}

#[derive(Debug)]
struct SimSocket {
    net: Rc<RefCell<Net>>,
    id: Id,
    key: Key,
}

impl SimSocket {
    fn name(
        &self,
        of: impl FnOnce(&crate::host::sim::connection::End) -> &String,
    ) -> io::Result<Resolved> {
        match self.net.borrow().ends.get(&self.id) {
            Some(end) => Ok(Resolved::Sim(of(end).clone())),
            None => Err(ErrorKind::NotConnected.into()),
        }
    }
}

impl Socket for SimSocket {
    fn key(&self) -> Key {
        self.key
    }

    fn connected(&self) -> io::Result<()> {
        self.net.borrow().connected(self.id)
    }

    fn read(&self, into: &mut Vec<u8>) -> io::Result<usize> {
        self.net.borrow_mut().read(self.id, into)
    }

    fn unread(&self) -> io::Result<usize> {
        Ok(self.net.borrow().unread(self.id))
    }

    fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.net.borrow_mut().write(self.id, parts)
    }

    /// Says so now and then: where memory lies is no part of a run.
    fn sends_slowly(&self, _: usize, _: usize) -> bool {
        self.net.borrow_mut().chance(4)
    }

    fn is_peer_on_other_cpu(&self) -> bool {
        self.net.borrow().is_peer_on_other_cpu(self.id)
    }

    fn shutdown(&self) -> io::Result<()> {
        self.net.borrow_mut().shutdown(self.id)
    }

    fn interest(&self, wanted: Readiness) -> io::Result<()> {
        self.net.borrow_mut().set_interest(self.id, wanted);
        Ok(())
    }

    /// Does nothing: what was written is on its way, not in memory of the system.
    fn reset_on_close(&self) -> io::Result<()> {
        Ok(())
    }

    /// Does nothing: every simulated connection holds
    /// [`CAPACITY`](crate::host::sim::lane::CAPACITY) bytes.
    fn set_buffers(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    /// Does nothing: what was written is on its way, not in memory of the system.
    fn set_patience(&self, _: Duration) -> io::Result<()> {
        Ok(())
    }

    fn local(&self) -> io::Result<Resolved> {
        self.name(|end| &end.local)
    }

    fn peer(&self) -> io::Result<Resolved> {
        self.name(|end| &end.remote)
    }
}

impl Drop for SimSocket {
    fn drop(&mut self) {
        self.net.borrow_mut().close(self.id)
    }
}

#[derive(Debug)]
struct SimAcceptor {
    net: Rc<RefCell<Net>>,
    id: Id,
    name: String,
}

impl Acceptor for SimAcceptor {
    fn accept(&self, key: &mut dyn FnMut() -> Key) -> io::Result<AnySocket> {
        let (id, key) = self.net.borrow_mut().accept(self.id, key)?;
        Ok(AnySocket::Simulated(Box::new(SimSocket { net: self.net.clone(), id, key })))
    }

    fn interest(&self, readable: bool) -> io::Result<()> {
        self.net.borrow_mut().set_listener_interest(self.id, readable);
        Ok(())
    }

    fn set_buffers(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn local(&self) -> io::Result<Resolved> {
        Ok(Resolved::Sim(self.name.clone()))
    }
}

impl Drop for SimAcceptor {
    fn drop(&mut self) {
        self.net.borrow_mut().close_listener(self.id)
    }
}
