//! Tells what the probe's object of a process has seen, and what it shall do.

use super::desk::{Desk, Script};
use super::field::Peer;
use peers_rpc::{Binding, Cx, Reply};
use std::rc::Rc;

impl Peer {
    /// Returns what its object has heard, in order.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.look(|desk| desk.heard.clone())
    }

    /// Returns who has called it, in order.
    pub(crate) fn callers(&self) -> Vec<Binding> {
        self.look(|desk| desk.callers.clone())
    }

    /// Returns how many replies its object holds.
    pub(crate) fn holds(&self) -> usize {
        self.look(|desk| desk.held.len())
    }

    /// Takes the reply that its object holds for `text`.
    pub(crate) fn take_held(&self, text: &str) -> Reply<String> {
        let take = |desk: &mut Desk| {
            let at = desk.held.iter().position(|(held, _)| held == text)?;
            Some(desk.held.remove(at)?.1)
        };
        let taken = self.cx().enter(|desk, _| take(desk)).unwrap();
        taken.unwrap_or_else(|| panic!("no call with {text:?} is held"))
    }

    /// Says what its object does before it answers a plain call.
    pub(crate) fn before_echo(&self, prelude: impl Fn(&Cx<Desk>, &Binding) + 'static) {
        let prelude: super::desk::Prelude = Rc::new(prelude);
        self.cx().enter(move |desk, _| desk.prelude = Some(prelude)).unwrap();
    }

    /// Says what its object does when it is asked.
    pub(crate) fn when_asked(
        &self,
        script: impl Fn(&mut Desk, &Cx<Desk>, &Binding, String, Reply<String>) + 'static,
    ) {
        let script: Script = Rc::new(script);
        self.cx().enter(move |desk, _| desk.script = Some(script)).unwrap();
    }
}
