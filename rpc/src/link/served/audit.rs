//! Checks what must hold of the records of served calls between two turns.

use super::{Record, Serving, Stage};
use crate::link::key::LinkKey;
use peers_kernel::Cause;

impl Serving {
    /// Fails unless the counters are those of the records, and no record of a handler that has
    /// returned is left.
    pub(crate) fn audit(&self) -> Result<(), String> {
        let count = |what: fn(&Record) -> bool| self.used().filter(|record| what(record)).count();
        let held = count(|record| record.stage.has_place());
        if held != self.held {
            return Err(format!(
                "no place lost: {} are counted, {held} records have one",
                self.held
            ));
        }
        let running = count(|record| record.stage.is_awaited());
        if running != self.running {
            let counted = self.running;
            return Err(format!("no served call lost: {counted} are counted, {running} run"));
        }
        if let Some(record) = self.used().find(|record| record.stage == Stage::Started) {
            let method = record.method.name;
            return Err(format!("no record left: that of {method} is, whose handler has returned"));
        }
        let ended = self.records.len() - self.used().count();
        if ended != usize::from(self.vacant.is_some()) {
            return Err(format!("no record left: {ended} have ended, and one may wait to be used"));
        }
        Ok(())
    }

    /// Fails if a call is being served, or was and its reply is not gone yet.
    pub(crate) fn audit_quiet(&self) -> Result<(), String> {
        self.used().next().map_or(Ok(()), |record| {
            let (method, stage) = (record.method.name, record.stage);
            Err(match stage.is_awaited() {
                true => format!("no served call without answer: {method} is {stage:?}"),
                false => format!("no record left: {method} is {stage:?}"),
            })
        })
    }

    /// Counts the places that the calls of a connection have.
    pub(crate) fn places_of(&self, link: LinkKey) -> usize {
        let of_link = |record: &&Record| record.link == link;
        self.used().filter(of_link).filter(|record| record.stage.has_place()).count()
    }

    /// Returns whether this names a call that somebody waits for, by the caller's id for it.
    pub(crate) fn owes(&self, cause: Cause, call: u64) -> bool {
        self.get(cause).is_some_and(|r| r.stage.is_awaited() && r.call() == Some(call))
    }

    /// Lists all records but the one that waits to be filled anew.
    fn used(&self) -> impl Iterator<Item = &Record> {
        let records = self.records.iter().map(|(_, record)| record);
        records.filter(|record| record.generation != Record::ENDED)
    }
}
