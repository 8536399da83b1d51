//! Checks what must hold of a process whenever no handler runs, when nothing is under way, and when
//! its [`Rpc`] has gone: for tests, which ask at the end of every simulated run. Each message
//! begins with the invariant that is broken.

use crate::api::rpc::Rpc;
use crate::link::Link;
use crate::link::context::LinkContext;
use crate::session::Ledger;
use std::fmt;
use std::rc::Rc;

/// Looks into what the connections of an [`Rpc`] share, also when that is gone.
#[derive(Clone)]
pub struct Audit {
    context: Rc<LinkContext>,
}

impl Rpc {
    /// Returns what looks inside.
    #[doc(hidden)]
    pub fn audit(&self) -> Audit {
        Audit { context: self.context().clone() }
    }
}

impl Audit {
    /// Fails unless all counters are those of what is counted. To be asked between two turns.
    ///
    /// # Errors
    /// The invariant that is broken.
    pub fn consistent(&self) -> Result<(), String> {
        self.context.serving.borrow().audit()?;
        self.each(Link::audit)?;
        let (told, held) = (self.context.memory.told(), self.told());
        if told != held {
            return Err(format!("no memory that nothing holds: {told} bytes told, {held} held"));
        }
        Ok(())
    }

    /// Fails if anything is under way.
    ///
    /// # Errors
    /// The invariant that is broken.
    pub fn quiet(&self) -> Result<(), String> {
        self.consistent()?;
        self.context.serving.borrow().audit_quiet()?;
        self.each(Link::audit_quiet)?;
        match self.context.memory.told() {
            0 => Ok(()),
            told => Err(format!("no memory that nothing holds: {told} bytes, and nothing waits")),
        }
    }

    /// Fails if there is a connection left. To be asked when its [`Rpc`] has gone.
    ///
    /// # Errors
    /// The invariant that is broken.
    pub fn empty(&self) -> Result<(), String> {
        self.quiet()?;
        self.each(|_| Err(String::from("no connection left")))
    }

    /// Fails unless both ends of the connections between two processes count the same credit. To be
    /// asked when nothing is under way. Connections that only one of them has are not looked at.
    ///
    /// # Errors
    /// The invariant that is broken.
    pub fn agrees_with(&self, other: &Self) -> Result<(), String> {
        let (ours, theirs) = (self.ledgers_with(other), other.ledgers_with(self));
        // One end may hear of a lost connection before the other.
        if ours.len() != theirs.len() {
            return Ok(());
        }
        let both = |(sends, takes): (Vec<Ledger>, Vec<Ledger>)| {
            if sends == takes {
                return Ok(());
            }
            Err(format!("no credit missing: one end counts {sends:?}, the other gave {takes:?}"))
        };
        let sorted = |each: &mut dyn Iterator<Item = Ledger>| {
            let mut all: Vec<_> = each.collect();
            // The two ends list their connections in orders of their own.
            all.sort_unstable();
            all
        };
        let sends = |all: &[(Ledger, Ledger)]| sorted(&mut all.iter().map(|(sends, _)| *sends));
        let takes = |all: &[(Ledger, Ledger)]| sorted(&mut all.iter().map(|(_, takes)| *takes));
        both((sends(&ours), takes(&theirs)))?;
        both((sends(&theirs), takes(&ours)))
    }

    fn ledgers_with(&self, other: &Self) -> Vec<(Ledger, Ledger)> {
        let links = self.context.all_links();
        let between = links.iter().filter(|link| link.peer() == Some(other.context.node));
        between.filter_map(|link| link.ledgers()).collect()
    }

    fn told(&self) -> usize {
        self.context.all_links().iter().map(|link| link.told()).sum()
    }

    /// Fails as the first of the connections does, with its name.
    fn each(&self, check: impl Fn(&Link) -> Result<(), String>) -> Result<(), String> {
        for link in self.context.all_links() {
            check(&link).map_err(|broken| format!("{broken} ({})", link.name()))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit").field("node", &self.context.node).finish_non_exhaustive()
    }
}
