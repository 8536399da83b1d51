//! Promise: nothing is called for a call that is over. Whatever was begun for one that was
//! cancelled, or whose time has passed, may run on, but its calls fail at once, and say whose time
//! it was; also when its reply has been let go of. What cleans up is called on nobody's behalf:
//! from `on_cancel`, or `detached()`.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{
    Chain, Context, Desk, Got, LocalProbe, Peer, ProbeProxy, chain, in_other_worlds, millis, secs,
};
use peers_rpc::kernel::sim::World;
use peers_rpc::kernel::{Cause, Kernel};
use peers_rpc::{Address, Call, Cont, Cx, Error, ErrorKind, Handle, Reply, Rpc};
use std::cell::RefCell;
use std::rc::Rc;

/// How a call is over for the one who serves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Cancelled,
    TimedOut,
    Closed,
    Died,
}

const ENDS: [End; 4] = [End::Cancelled, End::TimedOut, End::Closed, End::Died];

/// Makes a call and lets it be over like that, once the server has it. It has ten seconds.
fn over(chain: &mut Chain, end: End) {
    let Chain { field, client, middle, node, .. } = chain;
    let (k, _got) = Got::new(client.handle());
    let call = node.ask("x").within(secs(10));
    let cancel = field.on(client, move || call.then_cancellable(k));
    field.until(|| middle.heard().contains(&"x".to_owned()));
    field.pass(secs(2));
    let endpoint = node.caller().clone();
    match end {
        End::Cancelled => field.on(client, move || cancel.now()),
        End::TimedOut => field.pass(secs(9)),
        End::Closed => field.on(client, move || endpoint.close()),
        End::Died => field.crash(client),
    }
    field.until(|| middle.rpc().running() == 0);
}

/// The outcomes of calls that were made somewhere inside.
type Outcomes = Rc<RefCell<Vec<Got<String>>>>;

/// Makes a call whose outcome is looked at later.
fn make(handle: &Handle, all: &Outcomes, call: Call<String>) {
    let (k, got) = Got::new(handle);
    call.then(k);
    all.borrow_mut().push(got);
}

/// Checks that such a call failed as it should when what it was made for was over like that.
#[track_caller]
fn failed_for(end: End, middle: &Peer, outcome: Result<String, Error>) {
    let error = outcome.unwrap_err();
    match (end, error.kind()) {
        (End::TimedOut, ErrorKind::TimedOut { method, outer: Some(outer), .. }) => {
            assert_eq!((*method, outer.method), ("probe.probe.echo", "probe.probe.ask"));
            let caller = middle.callers()[0].to_string();
            assert_eq!(outer.caller.as_deref(), Some(&*caller));
        }
        (End::Cancelled | End::Closed | End::Died, ErrorKind::Cancelled) => {}
        _ => panic!("{end:?}: {error}"),
    }
}

#[test]
fn whoever_goes_on_for_a_call_that_is_over_calls_nobody() {
    for end in ENDS {
        let mut chain = chain();
        let (calls, clean): (Outcomes, Outcomes) = <_>::default();
        let (all, apart, onward) = (calls.clone(), clean.clone(), chain.onward.clone());
        let steps: Rc<RefCell<Vec<Reply<String>>>> = Rc::default();
        let list = steps.clone();
        chain.middle.when_asked(move |_, cx, _, text, reply| {
            let (all, apart, next, handle) =
                (all.clone(), apart.clone(), onward.clone(), cx.handle().clone());
            // The first peer is asked; when that fails, the next ones.
            let k = cx.on_any(move |_, cx, outcome| {
                let _failed: Error = Result::<String, Error>::unwrap_err(outcome);
                make(&handle, &all, next.echo("again"));
                make(&handle, &all, next.echo("again").forever());
                make(&handle, &all, next.echo("again").within(secs(5)));
                make(&handle, &apart, next.echo("unlock").detached());
                next.note("given up").unwrap();
                drop(reply);
                let (all, next) = (all.clone(), next.clone());
                cx.schedule(move |_, cx| {
                    // By now the reply has gone as well.
                    let handle = cx.handle().clone();
                    cx.schedule(move |_, _| make(&handle, &all, next.echo("again").forever()));
                });
            });
            // A call that has a deadline for its caller's sake fails a little before that.
            match end {
                End::TimedOut => list.borrow_mut().push(k),
                _ => onward.hold(text).forever().then(k),
            }
        });
        over(&mut chain, end);
        let Chain { field, middle, far, .. } = &mut chain;
        let late = steps.take();
        field.on(middle, move || late.into_iter().for_each(|k| k.err(Error::failed("late"))));
        field.until(|| calls.borrow().len() == 4);
        let begun = field.now();
        field.until(|| calls.borrow().iter().all(Got::is_done));
        assert!(field.now() - begun < millis(1), "at once");
        for got in calls.take() {
            failed_for(end, middle, got.take());
        }
        field.until(|| clean.borrow()[0].is_done());
        assert_eq!(clean.borrow()[0].take().as_deref(), Ok("unlock"), "{end:?}");
        field.pass(secs(60));
        let asked = usize::from(end != End::TimedOut);
        assert_eq!(far.heard()[asked..], ["unlock", "given up"], "{end:?}");
        assert_eq!(middle.rpc().counters().inert_replies, 1);
    }
}

#[test]
fn what_is_told_of_the_end_may_call_as_it_likes() {
    for end in ENDS {
        let mut chain = chain();
        let (clean, replies): (Outcomes, Rc<RefCell<Vec<Reply<String>>>>) = <_>::default();
        let (all, held, onward) = (clean.clone(), replies.clone(), chain.onward.clone());
        chain.middle.when_asked(move |_, cx, bd, _, reply| {
            held.borrow_mut().push(reply);
            let (all, onward) = (all.clone(), onward.clone());
            bd.on_cancel(cx.task(move |_, cx| {
                make(cx.handle(), &all, onward.echo("unlock"));
                // What follows from it is nobody's either.
                let (all, next, handle) = (all.clone(), onward.clone(), cx.handle().clone());
                onward.echo("first").then(cx.on_any(move |_, _, first: Result<String, Error>| {
                    assert!(first.is_ok());
                    make(&handle, &all, next.echo("second"));
                }));
            }));
        });
        over(&mut chain, end);
        chain.field.until(|| clean.borrow().len() == 2);
        let outcomes = chain.field.outcomes(&clean.take());
        assert_eq!(outcomes[0].as_deref(), Ok("unlock"), "{end:?}");
        assert_eq!(outcomes[1].as_deref(), Ok("second"), "{end:?}");
        drop(replies.take());
    }
}

/// A continuation that belongs to the call being served, to be resumed from outside.
fn later(handle: &Handle, onward: &ProbeProxy, all: &Outcomes) -> Cont<(), Error> {
    let (loop_, onward, all) = (handle.clone(), onward.clone(), all.clone());
    Cont::new(handle, move |_: Result<(), Error>| {
        make(&loop_, &all, onward.echo("again").forever());
    })
}

#[test]
fn a_deadline_that_has_passed_counts_before_anybody_was_told_of_it() {
    let mut chain = chain();
    let calls: Outcomes = Rc::default();
    let (steps, replies) =
        (Rc::new(RefCell::new(Vec::new())), Rc::new(RefCell::new(Vec::<Reply<String>>::new())));
    let (all, list, held, onward) =
        (calls.clone(), steps.clone(), replies.clone(), chain.onward.clone());
    chain.middle.when_asked(move |_, cx, _, _, reply| {
        list.borrow_mut().extend([(); 2].map(|()| later(cx.handle(), &onward, &all)));
        held.borrow_mut().push(reply);
    });
    let Chain { field, client, middle, far, node, .. } = &mut chain;
    let asked = field.start(client, node.ask("x").within(millis(9_500)));
    field.until(|| replies.borrow().len() == 1);
    // It cancels nothing, and is not heard of.
    let process = client.process();
    field.world().stop(process);
    // Sweeps come each second: before the one after the deadline, and after it.
    for (wait, running) in [(millis(9_700), 1), (secs(5), 0)] {
        field.pass(wait);
        assert_eq!(middle.rpc().running(), running);
        let step = steps.borrow_mut().pop().unwrap();
        let begun = field.now();
        field.on(middle, move || step.ok(()));
        field.until(|| calls.borrow().iter().any(Got::is_done));
        assert!(field.now() - begun < millis(1), "at once");
        failed_for(End::TimedOut, middle, calls.borrow_mut().pop().unwrap().take());
    }
    assert_eq!(far.heard().len(), 0);
    field.world().resume(process);
    field.until(|| asked.is_done());
    drop(replies.take());
}

#[test]
fn also_over_the_connections_of_another_rpc_on_the_same_loop() {
    let mut chain = chain();
    let second = Rpc::new(chain.middle.handle());
    let (dialler, address) = (second.dialler(), chain.far.address().clone());
    let elsewhere =
        chain.field.on(&chain.middle, move || ProbeProxy::new(dialler.connect(&address).unwrap()));
    chain.field.outcome(&chain.middle, elsewhere.context()).unwrap();
    let (calls, steps) = (Outcomes::default(), Rc::new(RefCell::new(Vec::new())));
    let (all, list) = (calls.clone(), steps.clone());
    chain.middle.when_asked(move |_, cx, _, _, reply| {
        list.borrow_mut().push((later(cx.handle(), &elsewhere, &all), reply));
    });
    over(&mut chain, End::Cancelled);
    let (step, reply) = steps.borrow_mut().pop().unwrap();
    chain.field.on(&chain.middle, move || step.ok(()));
    chain.field.until(|| calls.borrow().iter().any(Got::is_done));
    failed_for(End::Cancelled, &chain.middle, calls.take().pop().unwrap().take());
    drop(reply);
    chain.field.on(&chain.middle, move || drop(second));
}

/// Another `Rpc` of the same loop has the connection: the call is made for the one that is served.
#[test]
fn a_call_over_the_connections_of_another_rpc_has_its_deadline_too() {
    let mut chain = chain();
    let second = Rpc::new(chain.middle.handle());
    let (dialler, address) = (second.dialler(), chain.far.address().clone());
    let elsewhere =
        chain.field.on(&chain.middle, move || ProbeProxy::new(dialler.connect(&address).unwrap()));
    chain.field.outcome(&chain.middle, elsewhere.context()).unwrap();
    let seen: Rc<RefCell<Vec<Result<Context, Error>>>> = Rc::default();
    let ends: Rc<RefCell<Vec<Result<String, Error>>>> = Rc::default();
    let (log, outcomes) = (seen.clone(), ends.clone());
    chain.middle.when_asked(move |_, cx, _, _, reply| {
        let (log, outcomes) = (log.clone(), outcomes.clone());
        let see = Cont::new(cx.handle(), move |context| log.borrow_mut().push(context));
        elsewhere.context().forever().then(see);
        let end = Cont::new(cx.handle(), move |end| {
            outcomes.borrow_mut().push(end);
            drop(reply);
        });
        elsewhere.hold("x").forever().then(end);
    });
    let asked = chain.field.start(&chain.client, chain.node.ask("x").within(secs(5)));
    chain.field.until(|| !seen.borrow().is_empty());
    let context = seen.borrow_mut().pop().unwrap().unwrap();
    let remaining = context.remaining.unwrap();
    assert!((4_000..=5_000).contains(&remaining), "{remaining} ms");
    assert_eq!(context.depth, 1);
    chain.field.until_within(secs(6), || !ends.borrow().is_empty() && asked.is_done());
    let error = ends.borrow_mut().pop().unwrap().unwrap_err();
    let ErrorKind::TimedOut { outer: Some(outer), .. } = error.kind() else { panic!("{error}") };
    assert!(outer.method.contains("ask"), "{outer:?}");
    chain.field.on(&chain.middle, move || drop(second));
}

// ---- what is remembered of it

/// What a program needs to serve a probe on a loop, and to call it from there.
struct Both {
    node: peers_rpc::Node<Desk>,
    rpc: Rpc,
    _listener: peers_rpc::Listener,
    client: Rpc,
    proxy: ProbeProxy,
}

fn both(kernel: &Kernel) -> Both {
    let (handle, node) = (kernel.handle(), kernel.node(Desk::default()));
    let (rpc, client, at) = (Rpc::new(&handle), Rpc::new(&handle), Address::sim("here"));
    let cx: Cx<Desk> = node.cx();
    let _listener = rpc.listen(&at, move |endpoint| LocalProbe::bind(&cx, &endpoint)).unwrap();
    let proxy = ProbeProxy::new(client.connect(&at));
    Both { node, rpc, _listener, client, proxy }
}

#[test]
fn the_kernel_forgets_the_calls_of_an_rpc_that_has_gone() {
    let (mut world, mut made) = (World::new(1), None);
    let process = world.process("both", |kernel| made = Some((kernel.handle(), both(kernel))));
    let (handle, Both { node, rpc, _listener, client, proxy }) = made.unwrap();
    let causes: Rc<RefCell<Vec<Cause>>> = Rc::default();
    let (list, replies) = (causes.clone(), Rc::new(RefCell::new(Vec::new())));
    let held = replies.clone();
    let script = move |_: &mut Desk, cx: &Cx<Desk>, _: &_, _, reply: Reply<String>| {
        list.borrow_mut().push(cx.handle().cause());
        held.borrow_mut().push(reply);
    };
    let here = handle.clone();
    world.with(process, |_| {
        node.cx().enter(|desk, _| desk.script = Some(Rc::new(script))).unwrap();
        for _ in 0..100 {
            proxy.ask("x").then(Cont::new(&here, |_: Result<String, Error>| ()));
        }
    });
    world.run_for(secs(1));
    // Half of the replies have been let go of when it goes.
    world.with(process, |_| drop(client));
    world.run_for(secs(1));
    world.with(process, |_| replies.borrow_mut().truncate(50));
    world.run_for(secs(1));
    let cancelled = || causes.borrow().iter().filter(|cause| handle.is_cancelled(**cause)).count();
    assert_eq!((causes.borrow().len(), cancelled()), (100, 100), "they are over");
    world.with(process, |_| drop((rpc, _listener, node, proxy)));
    world.run_for(secs(10));
    assert_eq!(cancelled(), 0);
    world.with(process, |_| drop(replies.take()));
    world.run_for(secs(1));
    assert_eq!(cancelled(), 0);
}

#[test]
fn the_kernel_forgets_calls_that_were_over_long_ago() {
    let mut field = common::Field::simulated(1);
    let (client, server, node) = field.met_pair();
    let causes: Rc<RefCell<Vec<Cause>>> = Rc::default();
    let list = causes.clone();
    server.when_asked(move |desk, cx, _, text, reply| {
        list.borrow_mut().push(cx.handle().cause());
        desk.held.push_back((text, reply));
    });
    for round in 1..=20 {
        let (here, handle) = (node.clone(), client.handle().clone());
        let cancels = field.on(&client, move || {
            let ended = || Cont::new(&handle, |_: Result<String, Error>| ());
            let call = |_| here.ask("x").forever().then_cancellable(ended());
            (0..60).map(call).collect::<Vec<_>>()
        });
        field.until(|| causes.borrow().len() == 60 * round);
        field.on(&client, move || cancels.into_iter().for_each(peers_rpc::Cancel::now));
        field.until(|| server.rpc().running() == 0);
        let cx = server.cx();
        field.on(&server, move || drop(cx.enter(|desk, _| std::mem::take(&mut desk.held))));
        field.until(|| server.rpc().counters().inert_replies == 60 * round as u64);
    }
    let handle = server.handle();
    let known = causes.borrow().iter().filter(|cause| handle.is_cancelled(**cause)).count();
    assert_eq!((causes.borrow().len(), known), (1_200, 1_024), "the last ones are known");
}

in_other_worlds! {
    the_kernel_forgets_calls_that_were_over_long_ago;
    whoever_goes_on_for_a_call_that_is_over_calls_nobody;
    what_is_told_of_the_end_may_call_as_it_likes;
    a_deadline_that_has_passed_counts_before_anybody_was_told_of_it;
    also_over_the_connections_of_another_rpc_on_the_same_loop;
    a_call_over_the_connections_of_another_rpc_has_its_deadline_too;
}
