//! The context of a method: its node, and who called it.

use crate::serve::binding::Binding;
use peers_kernel::Cx;
use std::fmt;
use std::ops::Deref;

/// The context of a method that is being served.
///
/// It is the [`Cx`] of the object's node, to which it dereferences, and the [`Binding`] of the
/// [`caller`](Self::caller). It lasts as long as the method runs; both parts are cloned to be kept:
///
/// ```
/// use peers_rpc::doc::LocalNode;
/// use peers_rpc::{Binding, Context, Error};
///
/// struct Guests(Vec<Binding>);
///
/// impl LocalNode for Guests {
///     fn put(&mut self, cx: &Context<'_, Self>, key: String, _: String) {
///         self.0.push(cx.caller().clone());
///         cx.schedule(move |guests, _| println!("{} after {key}", guests.0.len()));
///     }
///     fn get(&mut self, cx: &Context<'_, Self>, _: String) -> Result<String, Error> {
///         Ok(cx.caller().to_string())
///     }
/// }
/// ```
pub struct Context<'a, S: 'static> {
    cx: &'a Cx<S>,
    caller: &'a Binding,
}

impl<'a, S: 'static> Context<'a, S> {
    pub(crate) fn new(cx: &'a Cx<S>, caller: &'a Binding) -> Self {
        Self { cx, caller }
    }

    /// Returns who called the method, and the call that is being served.
    pub fn caller(&self) -> &'a Binding {
        self.caller
    }

    /// Clones the part that makes handlers, which may be kept.
    #[expect(clippy::should_implement_trait, reason = "what is cloned is what can be kept")]
    pub fn clone(&self) -> Cx<S> {
        self.cx.clone()
    }
}

impl<S: 'static> Deref for Context<'_, S> {
    type Target = Cx<S>;

    fn deref(&self) -> &Cx<S> {
        self.cx
    }
}

impl<S: 'static> fmt::Debug for Context<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("caller", self.caller).finish_non_exhaustive()
    }
}
