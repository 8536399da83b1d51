//! What the two kinds of calls lack. Their methods exist, with bounds that nothing meets, so that
//! the compiler says what to write instead.

/// Says that a call can be waited for. No call of the loop can: the thread that waited would be the
/// one that brings the reply.
#[diagnostic::on_unimplemented(
    message = "a call that is made on the loop cannot be waited for",
    label = "`wait` would stop the loop that brings the reply",
    note = "on the loop, write `.then(cx.on_any(|state, cx, answer| ..))`",
    note = "on another thread, call through `peers.connect(..)`, with a proxy such as `BlockingNode`"
)]
pub trait CanWait {
    /// Cannot be called.
    fn never<R>(&self) -> R;
}

/// Says that a call resumes a continuation. No call of another thread does: continuations belong to
/// the loop.
#[diagnostic::on_unimplemented(
    message = "a call of a thread that may wait has no continuation",
    label = "continuations run on the loop",
    note = "write `.wait()?` here, or `.start()?` to wait later",
    note = "a proxy made on the loop has `then`: `peers.with(|rpc| NodeProxy::new(rpc.connect(..)).. )`"
)]
pub trait CanContinue {
    /// Cannot be called.
    fn never<R>(&self) -> R;
}
