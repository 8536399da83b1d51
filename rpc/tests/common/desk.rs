//! The object behind the probe interface: it writes down what it hears, and otherwise does as the
//! test says.

use super::probe::{Context, LocalProbe, LocalSideDoor, NoSuchKey, OutOfRange};
use peers_rpc::{Binding, Cx, Error, Exception, Reply};
use std::collections::VecDeque;
use std::rc::Rc;

/// Says what `ask` does.
pub(crate) type Script = Rc<dyn Fn(&mut Desk, &Cx<Desk>, &Binding, String, Reply<String>)>;

/// Says what `echo` does before it answers.
pub(crate) type Prelude = Rc<dyn Fn(&Cx<Desk>, &Binding)>;

/// State of the object behind the probe interface.
#[derive(Default)]
pub(crate) struct Desk {
    /// Holds what came in, in order.
    pub(crate) heard: Vec<String>,
    /// Replies of `hold` and its like that were not given yet.
    pub(crate) held: VecDeque<(String, Reply<String>)>,
    /// Says who called, in order.
    pub(crate) callers: Vec<Binding>,
    /// Says what `ask` does.
    pub(crate) script: Option<Script>,
    /// Says what `echo` does before it answers.
    pub(crate) prelude: Option<Prelude>,
}

impl Desk {
    fn hear(&mut self, bd: &Binding, text: &str) {
        self.heard.push(text.to_owned());
        self.callers.push(bd.clone());
    }
}

impl LocalProbe for Desk {
    fn note(&mut self, cx: &peers_rpc::Context<'_, Self>, text: String) {
        self.hear(cx.caller(), &text);
    }

    fn explode(&mut self, _: &peers_rpc::Context<'_, Self>) {
        panic!("the event explodes");
    }

    fn echo(&mut self, cx: &peers_rpc::Context<'_, Self>, text: String) -> Result<String, Error> {
        self.hear(cx.caller(), &text);
        if let Some(prelude) = &self.prelude {
            prelude(cx, cx.caller());
        }
        Ok(text)
    }

    fn context(&mut self, cx: &peers_rpc::Context<'_, Self>) -> Result<Context, Error> {
        let millis = |left: std::time::Duration| u64::try_from(left.as_millis()).unwrap();
        Ok(Context {
            remaining: cx
                .caller()
                .deadline()
                .map(|deadline| millis(deadline.since(cx.handle().now()))),
            depth: cx.caller().depth(),
            trace: cx.caller().trace().map(|trace| (trace.root, trace.parent)),
        })
    }

    fn raise(&mut self, _: &peers_rpc::Context<'_, Self>, key: String) -> Result<String, Error> {
        Err(NoSuchKey { key }.raise())
    }

    fn raise_range(
        &mut self,
        _: &peers_rpc::Context<'_, Self>,
        value: i64,
        least: i64,
        most: i64,
    ) -> Result<(), Error> {
        Err(OutOfRange { value, least, most }.raise())
    }

    fn raise_later(
        &mut self,
        cx: &peers_rpc::Context<'_, Self>,
        key: String,
        reply: Reply<String>,
    ) {
        cx.schedule(move |_, _| reply.err(NoSuchKey { key }.raise()));
    }

    fn fail(&mut self, _: &peers_rpc::Context<'_, Self>, text: String) -> Result<String, Error> {
        Err(Error::failed(text))
    }

    fn panic(&mut self, _: &peers_rpc::Context<'_, Self>) -> Result<String, Error> {
        panic!("the method panics");
    }

    fn panic_holding(&mut self, _: &peers_rpc::Context<'_, Self>, reply: Reply<String>) {
        let _held = reply;
        panic!("the method panics with the reply in its hands");
    }

    fn lose(&mut self, _: &peers_rpc::Context<'_, Self>, reply: Reply<String>) {
        drop(reply);
    }

    fn hold(&mut self, cx: &peers_rpc::Context<'_, Self>, text: String, reply: Reply<String>) {
        self.hear(cx.caller(), &text);
        self.held.push_back((text, reply));
    }

    fn hold_briefly(
        &mut self,
        cx: &peers_rpc::Context<'_, Self>,
        text: String,
        reply: Reply<String>,
    ) {
        self.hold(cx, text, reply);
    }

    fn hold_for_ever(
        &mut self,
        cx: &peers_rpc::Context<'_, Self>,
        text: String,
        reply: Reply<String>,
    ) {
        self.hold(cx, text, reply);
    }

    fn ask(&mut self, cx: &peers_rpc::Context<'_, Self>, text: String, reply: Reply<String>) {
        self.hear(cx.caller(), &text);
        match self.script.clone() {
            Some(script) => script(self, cx, cx.caller(), text, reply),
            None => reply.err(Error::failed("nobody has said what to do")),
        }
    }
}

impl LocalSideDoor for Desk {
    fn knock(&mut self, _: &peers_rpc::Context<'_, Self>, times: u32) -> Result<u32, Error> {
        Ok(times + 1)
    }
}

/// Panics here, where a test expects panics.
pub(crate) fn stumble(_: &mut Desk) -> ! {
    panic!("as the test wants it");
}
