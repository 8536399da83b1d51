//! Promise: methods are called by their names, and objects serve interfaces that they were not
//! compiled with; the other side, which has generated code, notices nothing.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod kinds;

use kinds::generated::{self as g, LocalEverything};
use kinds::{named, schema};
use peers_dynamic::{Interface, Later, Method, Object, Rest, Typed, Value, bind, parse};
use peers_rpc::kernel::sim::World;
use peers_rpc::wire::{self, Encoded};
use peers_rpc::{Address, Caller, Context, Endpoint, Error, Reply, Rpc};
use peers_rpcc::Schema;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Collects what a test saw.
type Seen = Rc<RefCell<Vec<String>>>;

fn address() -> Address {
    "sim:node".parse().unwrap()
}

fn interface(schema: &Arc<Schema>) -> Interface {
    Interface::new(schema, schema.interface_named("kinds.everything").unwrap()).unwrap()
}

/// Generated code.
struct Generated(Vec<String>);

impl LocalEverything for Generated {
    fn say(&mut self, _: &Context<'_, Self>, text: String, times: u32) {
        self.0.extend((0..times).map(|_| text.clone()));
    }
    fn said(&mut self, _: &Context<'_, Self>, reply: Reply<Vec<String>>) {
        reply.ok(self.0.clone());
    }
    fn echo(
        &mut self,
        _: &Context<'_, Self>,
        of: g::Containers,
        more: g::Options,
    ) -> Result<(g::Containers, g::Options), Error> {
        Ok((of, more))
    }
    fn echo_tree(&mut self, _: &Context<'_, Self>, of: g::Tree, reply: Reply<g::Tree>) {
        reply.ok(of);
    }
    fn fail(&mut self, _: &Context<'_, Self>, why: String) -> Result<(), Error> {
        Err(g::Wrong::new(why, None).raise())
    }
    fn nothing(&mut self, _: &Context<'_, Self>) -> Result<(), Error> {
        Ok(())
    }
    fn bad(&mut self, _: &Context<'_, Self>) -> Result<u32, Error> {
        Ok(1)
    }
}

/// Serves what `Generated` does, made at run time.
struct Dynamic {
    interface: Interface,
    said: Vec<Value>,
}

impl Object for Dynamic {
    fn method(&self, wire_id: u64) -> Option<Method> {
        self.interface.method(wire_id)
    }

    fn call(
        &mut self,
        _: &Context<'_, Self>,
        method: &Method,
        mut arguments: Vec<Value>,
    ) -> Result<Option<Value>, Error> {
        match method.description().rust_name {
            "say" => {
                let Value::Uint(times) = arguments[1] else { panic!("it is a u32") };
                self.said.extend((0..times).map(|_| arguments[0].clone()));
                Ok(None)
            }
            "said" => Ok(Some(Value::List(self.said.clone()))),
            "echo" => Ok(Some(Value::Tuple(arguments))),
            "echo_tree" => Ok(arguments.pop()),
            "fail" => Err(Error::failed("as it should")),
            "nothing" => Ok(None),
            // Of another type than it declares.
            _ => Ok(Some(Value::Bool(true))),
        }
    }

    fn call_later(
        &mut self,
        cx: &Context<'_, Self>,
        method: &Method,
        arguments: Vec<Value>,
        reply: Later,
    ) {
        let answer = self.call(cx, method, arguments);
        cx.handle().after(Duration::from_millis(5), move || reply.answer(answer));
    }
}

fn serve_generated(world: &mut World) {
    world.process("server", |kernel| {
        let rpc = Rpc::new(&kernel.handle());
        let node = kernel.node(Generated(Vec::new()));
        let cx = node.cx();
        let listener =
            rpc.listen(&address(), move |end: Endpoint| Generated::bind(&cx, &end)).unwrap();
        (rpc, node, listener)
    });
}

fn serve_dynamic(world: &mut World) {
    world.process("server", |kernel| {
        let rpc = Rpc::new(&kernel.handle());
        let interface = interface(&schema());
        let node = kernel.node(Dynamic { interface: interface.clone(), said: Vec::new() });
        let cx = node.cx();
        let bound = move |end: Endpoint| bind(&cx, &end, &interface);
        let listener = rpc.listen(&address(), bound).unwrap();
        (rpc, node, listener)
    });
}

/// Calls a method by its name with arguments in the text form, and notes what comes back.
fn call(end: &Endpoint, name: &str, arguments: &[&str], seen: &Seen) {
    let schema = schema();
    let method = interface(&schema).find(name).unwrap();
    let values = method.arguments().iter().zip(arguments);
    let values: Vec<_> =
        values.map(|(field, text)| parse(&schema, field.ty(), text).unwrap()).collect();
    let (seen, to_err) = (seen.clone(), seen.clone());
    let (method, of_err) = (method.clone(), method);
    let shown = move |Rest(bytes)| {
        let value = method.decode_result(&bytes).unwrap();
        let text = value.map(|value| {
            Typed::new(method.schema(), method.result().unwrap(), &value).unwrap().to_string()
        });
        seen.borrow_mut().push(text.unwrap_or_else(|| "nothing".into()));
    };
    let failed = move |error: Error| {
        let text = of_err.raised(&error).map(|(class, value)| {
            let ty = named(of_err.schema(), &class);
            Typed::new(of_err.schema(), &ty, &value).unwrap().to_string()
        });
        to_err.borrow_mut().push(text.unwrap_or_else(|| format!("{:?}", error.kind())));
    };
    let call = of_call(&end.clone(), name, &values);
    call.then_or(shown, failed);
}

fn of_call(end: &Endpoint, name: &str, values: &[Value]) -> peers_rpc::Call<Rest> {
    interface(&schema()).find(name).unwrap().call(end, values).unwrap()
}

#[test]
fn a_generated_object_is_called_by_names() {
    let mut world = World::new(1);
    serve_generated(&mut world);
    let seen = Seen::default();
    let notes = seen.clone();
    world.process("client", move |kernel| {
        let rpc = Rpc::new(&kernel.handle());
        let end = rpc.connect(&address());
        let say = interface(&schema()).find("say").unwrap();
        say.event(&end, &[Value::from("dune"), Value::from(2_u32)]).unwrap().unwrap();
        call(&end, "said", &[], &notes);
        call(&end, "nothing", &[], &notes);
        call(&end, "fail", &["'spice'"], &notes);
        call(
            &end,
            "echo_tree",
            &["tree(value=1, children=[], named={}, twice=some(None))"],
            &notes,
        );
        rpc
    });
    world.run_for(Duration::from_secs(5));
    let mut found = seen.borrow().clone();
    found.sort();
    assert_eq!(
        found,
        [
            "['dune', 'dune']",
            "nothing",
            "tree(value=1, next=None, twice=some(None), children=[], named={})",
            "wrong(why='spice', place=None)",
        ]
    );
}

#[test]
fn a_dynamic_object_serves_generated_proxies() {
    let mut world = World::new(2);
    serve_dynamic(&mut world);
    let seen = Seen::default();
    let notes = seen.clone();
    world.process("client", move |kernel| {
        let rpc = Rpc::new(&kernel.handle());
        let proxy = g::EverythingProxy::new(rpc.connect(&address()));
        let note = |name: &'static str| {
            let (ok, err) = (notes.clone(), notes.clone());
            (
                move |text: String| ok.borrow_mut().push(format!("{name}: {text}")),
                move |error: Error| err.borrow_mut().push(format!("{name}: {error}")),
            )
        };
        proxy.say("arrakis", 2).unwrap();
        let (ok, err) = note("said");
        proxy.said().then_or(move |said| ok(said.join(" ")), err);
        let (ok, err) = note("nothing");
        proxy.nothing().then_or(move |()| ok("done".into()), err);
        let (ok, err) = note("fail");
        proxy.fail("x").then_or(move |()| ok("done".into()), err);
        let (ok, err) = note("bad");
        proxy.bad().then_or(move |number| ok(number.to_string()), err);
        let tree = g::Tree { value: 7, ..g::Tree::default() };
        let (ok, err) = note("tree");
        proxy.echo_tree(&tree).then_or(move |back| ok((back == tree).to_string()), err);
        let (containers, options) = (g::Containers::default(), g::Options::default());
        let (ok, err) = note("echo");
        let call = proxy.echo(&containers, &options);
        call.then_or(move |back| ok((back == (containers, options)).to_string()), err);
        rpc
    });
    world.run_for(Duration::from_secs(5));
    let mut found = seen.borrow().clone();
    found.sort();
    assert_eq!(found.len(), 6, "{found:?}");
    assert!(found[0].contains("the result of kinds.everything.bad"), "{}", found[0]);
    assert_eq!(found[1], "echo: true");
    assert!(found[2].contains("as it should"), "{}", found[2]);
    assert_eq!(found[3..], ["nothing: done", "said: arrakis arrakis", "tree: true"]);
}

/// Bytes that are no arguments are refused by both, in the same words.
#[test]
fn bad_arguments_are_refused_in_the_same_words() {
    let told = |serve: fn(&mut World)| {
        let mut world = World::new(3);
        serve(&mut world);
        let seen = Seen::default();
        let notes = seen.clone();
        world.process("client", move |kernel| {
            let rpc = Rpc::new(&kernel.handle());
            let end = rpc.connect(&address());
            for (name, bytes) in
                [("fail", &[0, 0, 0, 9, 1][..]), ("nothing", &[1]), ("echo_tree", &[])]
            {
                let method = interface(&schema()).find(name).unwrap().description();
                let (ok, err) = (notes.clone(), notes.clone());
                let call = end.call::<Rest>(method, Encoded(bytes));
                call.then_or(
                    move |rest| ok.borrow_mut().push(format!("{rest:?}")),
                    move |error| err.borrow_mut().push(format!("{:?}", error.kind())),
                );
            }
            rpc
        });
        world.run_for(Duration::from_secs(5));
        seen.borrow().clone()
    };
    let (generated, dynamic) = (told(serve_generated), told(serve_dynamic));
    assert_eq!(generated.len(), 3);
    assert!(generated.iter().all(|text| text.contains("BadArguments")), "{generated:?}");
    assert_eq!(generated, dynamic);
}

#[test]
fn what_is_made_at_run_time_is_described_as_generated_code_is() {
    let made = interface(&schema());
    let (made, compiled) = (made.description(), &g::EVERYTHING);
    assert_eq!(made.name, compiled.name);
    assert_eq!(format!("{:?}", made.methods), format!("{:?}", compiled.methods));
    assert_eq!(made.files, compiled.files);
    let again = interface(&schema()).description();
    assert!(std::ptr::eq(made, again), "it is made once");
}

#[test]
fn arguments_are_checked_before_anything_is_sent() {
    let fail = interface(&schema()).find("fail").unwrap();
    let told = fail.encode_arguments(&[Value::from(1_u32)]).unwrap_err();
    assert_eq!(told.to_string(), "why: `string` is expected, not a number without a sign");
    assert!(fail.encode_arguments(&[]).is_err());
    let bytes = fail.encode_arguments(&[Value::from("x")]).unwrap();
    assert_eq!(bytes, wire::to_vec(&("x",)).unwrap());
    assert_eq!(fail.decode_arguments(&bytes), Ok(vec![Value::from("x")]));
}
