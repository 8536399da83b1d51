//! Says what became of a call.

use peers_rpc::{Cont, Error, Handle, Lost, Reply};
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// The outcomes that one continuation has had. More than one, or a second look at none, fails the
/// test.
pub(crate) struct Got<T> {
    outcomes: Rc<RefCell<Vec<Result<T, Error>>>>,
}

impl<T> Clone for Got<T> {
    fn clone(&self) -> Self {
        Self { outcomes: self.outcomes.clone() }
    }
}

impl<T: 'static> Got<T> {
    /// A continuation, and where its outcome will be.
    #[track_caller]
    pub(crate) fn new(handle: &Handle) -> (Reply<T>, Self) {
        let outcomes = Rc::new(RefCell::new(Vec::new()));
        let log = outcomes.clone();
        let k = Cont::new(handle, move |outcome| log.borrow_mut().push(outcome));
        (k, Self { outcomes })
    }

    pub(crate) fn is_done(&self) -> bool {
        !self.outcomes.borrow().is_empty()
    }

    /// The one outcome.
    #[track_caller]
    pub(crate) fn take(&self) -> Result<T, Error> {
        let mut outcomes = self.outcomes.borrow_mut();
        assert_eq!(outcomes.len(), 1, "outcomes of one call");
        outcomes.pop().unwrap()
    }
}

impl<T: fmt::Debug> fmt::Debug for Got<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.outcomes.borrow().fmt(f)
    }
}
