//! The object that the tests of hostile conditions attack: what `trial.rpc` says, in memory.

#![allow(missing_docs, reason = "generated from documented lines")]

use peers_rpc::kernel::Cont;
use peers_rpc::wire::Value;
use peers_rpc::{Address, Context, Error, ErrorKind, Kernel, Listener, Node, Refusal, Reply, Rpc};

peers_rpc::include_rpc!("trial");

/// State of the attacked object.
#[derive(Debug, Default)]
pub struct Trial {
    /// Holds what `note` and `echo` were given, in order.
    pub heard: Vec<String>,
    /// The replies of `hold` that were not given yet.
    pub held: Vec<(String, Reply<String>)>,
}

impl LocalTrial for Trial {
    fn note(&mut self, _: &Context<'_, Self>, text: String) {
        self.heard.push(text);
    }

    fn echo(&mut self, _: &Context<'_, Self>, text: String) -> Result<String, Error> {
        self.heard.push(text.clone());
        Ok(text)
    }

    fn heard(&mut self, _: &Context<'_, Self>) -> Result<u32, Error> {
        Ok(self.heard.len() as u32)
    }

    fn sum(&mut self, _: &Context<'_, Self>, numbers: Vec<i64>) -> Result<i64, Error> {
        Ok(numbers.iter().fold(0, |sum, n| i64::wrapping_add(sum, *n)))
    }

    fn count(&mut self, _: &Context<'_, Self>, things: Value) -> Result<u32, Error> {
        match things {
            Value::List(items) => Ok(items.len() as u32),
            _ => Ok(0),
        }
    }

    fn panic(&mut self, _: &Context<'_, Self>, secret: String) -> Result<String, Error> {
        panic!("{secret} in /etc/secrets");
    }

    fn fail(&mut self, _: &Context<'_, Self>, bytes: u32) -> Result<String, Error> {
        Err(Error::failed("x".repeat(bytes as usize)))
    }

    fn raise(&mut self, _: &Context<'_, Self>, bytes: u32) -> Result<String, Error> {
        Err(TooBad { what: "x".repeat(bytes as usize) }.raise())
    }

    fn load(&mut self, _: &Context<'_, Self>, bytes: u32) -> Result<String, Error> {
        Ok("x".repeat(bytes as usize))
    }

    fn hold(&mut self, _: &Context<'_, Self>, text: String, reply: Reply<String>) {
        self.held.push((text, reply));
    }

    fn release(&mut self, _: &Context<'_, Self>, answer: bool) -> Result<u32, Error> {
        let held = std::mem::take(&mut self.held);
        let count = held.len() as u32;
        for (text, reply) in held {
            if answer { reply.ok(text) } else { drop(reply) }
        }
        Ok(count)
    }

    fn holds(&mut self, _: &Context<'_, Self>) -> Result<u32, Error> {
        Ok(self.held.len() as u32)
    }

    fn ponder(&mut self, _: &Context<'_, Self>, rounds: u64) -> Result<u64, Error> {
        Ok((0..rounds).fold(1, |x: u64, n| x.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(n)))
    }

    fn bounce(&mut self, cx: &Context<'_, Self>, reply: Reply<u16>) {
        let (back, depth) = (cx.caller().proxy::<TrialProxy>(), cx.caller().depth());
        back.bounce().then(Cont::new(cx.handle(), move |result: Result<u16, Error>| {
            reply.resume(match result {
                Err(error) if is_too_deep(&error) => Ok(depth),
                other => other,
            })
        }));
    }
}

fn is_too_deep(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::TooDeep { .. } | ErrorKind::Refused(Refusal::TooDeep))
}

impl Trial {
    /// A fresh object, bound on every connection that comes in at `address`.
    ///
    /// # Errors
    /// When it cannot listen there.
    pub fn serve(
        kernel: &Kernel,
        rpc: &Rpc,
        address: &Address,
    ) -> Result<(Listener, Node<Self>), Error> {
        let node = kernel.node(Self::default());
        let cx = node.cx();
        let listener = rpc.listen(address, move |endpoint| LocalTrial::bind(&cx, &endpoint))?;
        Ok((listener, node))
    }
}
