//! Promise: a call bounds what was made for it as long as somebody waits for its answer, and no
//! longer. What a plain method starts has all the time that it asks for, since the method has
//! answered before; nobody cancels it either. What an `:async` method starts ends with the call,
//! however long it would have waited, and the error says whose time it was.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Chain, Context, Desk, Field, Got, Peer, ProbeProxy, chain, in_other_worlds, secs};
use peers_rpc::kernel::Stop;
use peers_rpc::{Cont, Cx, Error, ErrorKind};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// The ways in which a plain method may start something that takes long.
#[derive(Clone, Copy, Debug)]
enum Way {
    AtOnce,
    Scheduled,
    Later,
    AfterWork,
    AfterACall,
}

const WAYS: [Way; 5] = [Way::AtOnce, Way::Scheduled, Way::Later, Way::AfterWork, Way::AfterACall];

/// Runs `start` in that way, from inside a plain method.
fn by(way: Way, cx: &Cx<Desk>, onward: &ProbeProxy, start: Rc<dyn Fn()>) {
    let handle = cx.handle().clone();
    match way {
        Way::AtOnce => start(),
        Way::Scheduled => cx.schedule(move |_, _| start()),
        Way::Later => drop(cx.after(secs(3), move |_, _| start())),
        Way::AfterWork => {
            let k = Cont::new(&handle, move |done: Result<(), Error>| {
                done.unwrap();
                start();
            });
            cx.offload(
                |stop: &Stop| if stop.is_set() { Err(Error::failed("stop")) } else { Ok(()) },
                k,
            );
        }
        Way::AfterACall => onward.echo("first").then(Cont::new(&handle, move |first| {
            assert_eq!(first.unwrap(), "first");
            start();
        })),
    }
}

#[test]
fn what_a_plain_method_starts_has_the_time_that_it_asks_for() {
    for way in WAYS {
        let Chain { mut field, client, middle, far, node, onward } = chain();
        let seen: Rc<RefCell<Vec<Context>>> = Rc::default();
        let jobs: Rc<RefCell<Vec<Got<String>>>> = Rc::default();
        let (log, list) = (seen.clone(), jobs.clone());
        middle.before_echo(move |cx, _| {
            let (log, list, far, handle) =
                (log.clone(), list.clone(), onward.clone(), cx.handle().clone());
            let start = Rc::new(move || {
                for call in [
                    far.hold("job").forever(),
                    far.hold_for_ever("its own"),
                    far.hold("half a minute"),
                ] {
                    let (k, got) = Got::new(&handle);
                    call.then(k);
                    list.borrow_mut().push(got);
                }
                let log = log.clone();
                far.context().then(Cont::new(&handle, move |context: Result<Context, Error>| {
                    log.borrow_mut().push(context.unwrap());
                }));
            });
            by(way, cx, &onward, start);
        });
        field.outcome(&client, node.echo("start").within(secs(1))).unwrap();
        field.until_within(secs(5), || far.holds() == 3 && !seen.borrow().is_empty());
        // Who asked goes. That is no business of what was started.
        field.crash(&client);
        field.pass(secs(25));
        assert!(far.callers().iter().filter(|bd| bd.is_waiting()).count() == 3, "{way:?}");
        let remaining = seen.borrow()[0].remaining.unwrap();
        assert!((29_000..=30_000).contains(&remaining), "{way:?}: the default, {remaining} ms");
        field.pass(secs(1_000));
        for text in ["job", "its own"] {
            field.answer(&far, text, Ok(text));
        }
        let jobs = jobs.take();
        let outcomes = field.outcomes(&jobs);
        assert_eq!(outcomes[0].as_deref(), Ok("job"), "{way:?}");
        assert_eq!(outcomes[1].as_deref(), Ok("its own"), "{way:?}");
        let late = outcomes[2].as_ref().unwrap_err();
        assert!(matches!(late.kind(), ErrorKind::TimedOut { outer: None, .. }), "{way:?}: {late}");
    }
}

#[test]
fn what_is_called_after_an_early_answer_is_bound_by_nobody() {
    let Chain { mut field, client, middle, far, node, onward } = chain();
    let outcome: Rc<RefCell<Option<Got<String>>>> = Rc::default();
    let place = outcome.clone();
    middle.when_asked(move |_, cx, bd, text, reply| {
        let (onward, handle, place, bd) =
            (onward.clone(), cx.handle().clone(), place.clone(), bd.clone());
        reply.ok(text);
        cx.after(secs(2), move |_, _| {
            assert!(!bd.is_waiting());
            let (k, got) = Got::new(&handle);
            onward.hold("after").forever().then(k);
            place.replace(Some(got));
        });
    });
    assert_eq!(field.outcome(&client, node.ask("x").within(secs(5))).unwrap(), "x");
    field.until_within(secs(10), || far.holds() == 1);
    field.crash(&client);
    field.pass(secs(1_000));
    field.answer(&far, "after", Ok("done"));
    let got = outcome.take().unwrap();
    assert_eq!(field.outcomes(&[got])[0].as_deref(), Ok("done"));
}

#[test]
fn a_call_made_for_one_that_waits_ends_with_it_and_says_whose_time_it_was() {
    for forever in [true, false] {
        let Chain { mut field, client, middle, far: _far, node, onward } = chain();
        let failed: Rc<RefCell<Option<Error>>> = Rc::default();
        let place = failed.clone();
        middle.when_asked(move |_, cx, _, text, reply| {
            let place = place.clone();
            let k = cx.on_any(move |_, _, outcome: Result<String, Error>| {
                place.replace(outcome.err());
                drop(reply);
            });
            if forever {
                onward.hold(text).forever().then(k)
            } else {
                onward.hold_for_ever(text).then(k)
            }
        });
        let outer = field.outcome_within(secs(6), &client, node.ask("x").within(secs(5)));
        assert!(outer.is_err());
        let error = failed.take().unwrap();
        let ErrorKind::TimedOut { method, after, outer: Some(outer) } = error.kind() else {
            panic!("{error}")
        };
        assert!(*after > secs(4) && *after < secs(5), "{after:?}");
        assert_eq!(
            (outer.method, method.starts_with("probe.probe.hold")),
            ("probe.probe.ask", true)
        );
        let caller = middle.callers()[0].to_string();
        assert_eq!(outer.caller.as_deref(), Some(&*caller));
        let words = error.to_string();
        assert!(
            words.ends_with(&format!("(the time that {caller} had given for probe.probe.ask)")),
            "{words}"
        );
    }
}

#[test]
fn a_deadline_of_its_own_is_nobody_elses() {
    let Chain { mut field, client, middle, node, onward, far: _far } = chain();
    let failed: Rc<RefCell<Option<Error>>> = Rc::default();
    let place = failed.clone();
    middle.when_asked(move |_, cx, _, text, reply| {
        let place = place.clone();
        onward.hold(text).within(secs(1)).then(cx.on_any(
            move |_, _, outcome: Result<String, Error>| {
                place.replace(outcome.err());
                reply.ok(String::new());
            },
        ));
    });
    field.outcome_within(secs(6), &client, node.ask("x").within(secs(5))).unwrap();
    let error = failed.take().unwrap();
    assert!(matches!(error.kind(), ErrorKind::TimedOut { outer: None, .. }), "{error}");
}

// ---- what is over before it was answered

/// Says how a call is over for the one who serves it.
#[derive(Clone, Copy, Debug)]
enum End {
    Cancelled,
    TimedOut,
    Closed,
    Died,
}

const ENDS: [End; 4] = [End::Cancelled, End::TimedOut, End::Closed, End::Died];

/// Makes a call and lets it be over like that, once the server holds it.
fn over(field: &mut Field, client: &Peer, middle: &Peer, node: &ProbeProxy, end: End) {
    let (k, _got) = Got::new(client.handle());
    let call = node.ask("x").within(secs(10));
    let cancel = field.on(client, move || call.then_cancellable(k));
    field.until(|| middle.heard().contains(&"x".to_owned()));
    field.pass(secs(2));
    let endpoint = node.caller().clone();
    match end {
        End::Cancelled => field.on(client, move || cancel.now()),
        End::TimedOut => field.pass(secs(12)),
        End::Closed => field.on(client, move || endpoint.close()),
        End::Died => field.crash(client),
    }
    field.until(|| middle.rpc().running() == 0);
}

#[test]
fn who_serves_can_hear_that_nobody_waits_any_more() {
    for end in ENDS {
        let Chain { mut field, client, middle, node, onward, far } = chain();
        let (times, late) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (count, late_count, replies) =
            (times.clone(), late.clone(), Rc::new(RefCell::new(Vec::new())));
        let held = replies.clone();
        middle.when_asked(move |_, cx, bd, _, reply| {
            held.borrow_mut().push(reply);
            for _ in 0..2 {
                let (count, late_count, onward, caller) =
                    (count.clone(), late_count.clone(), onward.clone(), bd.clone());
                bd.on_cancel(cx.task(move |_, cx| {
                    count.set(count.get() + 1);
                    assert!(!caller.is_waiting());
                    // What it does is not cancelled with the call.
                    onward.note("given up").unwrap();
                    onward
                        .hold("cleaning up")
                        .forever()
                        .then(Cont::new(cx.handle(), |_: Result<_, Error>| ()));
                    let handle = cx.handle().clone();
                    cx.after(secs(60), move |_, _| assert!(handle.cause().is_none()));
                    caller.on_cancel(move || late_count.set(late_count.get() + 1));
                }));
            }
        });
        over(&mut field, &client, &middle, &node, end);
        field.until(|| times.get() == 2);
        field.until(|| late.get() == 2);
        field.pass(secs(100));
        assert_eq!((times.get(), late.get()), (2, 2), "{end:?}: once each");
        assert_eq!(far.holds(), 2, "{end:?}");
        assert!(far.callers().iter().filter(|bd| bd.is_waiting()).count() == 2, "{end:?}");
        drop(replies.take());
    }
}

#[test]
fn who_has_answered_hears_nothing() {
    let Chain { mut field, client, middle, node, .. } = chain();
    let owner = Rc::new(());
    let kept = owner.clone();
    let watch = move |bd: &peers_rpc::Binding| {
        let kept = kept.clone();
        bd.on_cancel(move || panic!("it was answered, {kept:?}"));
    };
    let later = watch.clone();
    middle.before_echo(move |_, bd| watch(bd));
    middle.when_asked(move |_, cx, bd, text, reply| {
        later(bd);
        let (bd, later) = (bd.clone(), later.clone());
        reply.ok(text);
        cx.after(secs(1), move |_, _| later(&bd));
    });
    assert_eq!(field.outcome(&client, node.echo("x")).unwrap(), "x");
    assert_eq!(field.outcome(&client, node.ask("y")).unwrap(), "y");
    field.crash(&client);
    field.pass(secs(100));
    middle.cx().enter(|desk, _| (desk.prelude, desk.script) = (None, None)).unwrap();
    assert_eq!(Rc::strong_count(&owner), 1, "what was to run is not kept");
}

#[test]
fn timers_of_a_call_that_is_over_do_not_fire() {
    for end in ENDS {
        let Chain { mut field, client, middle, node, onward, far } = chain();
        let fired: Rc<RefCell<Vec<&str>>> = Rc::default();
        let log = fired.clone();
        middle.when_asked(move |_, cx, _, text, reply| {
            let note = |what: &'static str| {
                let log = log.clone();
                move || log.borrow_mut().push(what)
            };
            cx.handle().after(secs(1), note("before the end"));
            cx.handle().after(secs(60), note("made before it, on the loop"));
            let third = note("made before it, in the node");
            cx.at(cx.handle().now() + secs(61), move |_, _| third());
            let fourth = note("made behind it");
            onward.hold(text).then(cx.on_any(move |_, cx, outcome: Result<String, Error>| {
                assert!(outcome.is_err());
                cx.after(secs(1), move |_, _| {
                    fourth();
                    drop(reply);
                });
            }));
        });
        over(&mut field, &client, &middle, &node, end);
        field.pass(secs(200));
        assert_eq!(*fired.borrow(), ["before the end"], "{end:?}");
        assert_eq!(middle.rpc().counters().inert_replies, 1, "it was dropped with the timer");
        assert!(!far.callers()[0].is_waiting());
        // The process works as before.
        field.on(&middle, || ());
        let later = fired.clone();
        middle.handle().after(secs(1), move || later.borrow_mut().push("of nobody's call"));
        field.on(&middle, || ());
        field.pass(secs(2));
        assert_eq!(fired.borrow().len(), 2);
    }
}

in_other_worlds! {
    what_a_plain_method_starts_has_the_time_that_it_asks_for;
    what_is_called_after_an_early_answer_is_bound_by_nobody;
    a_call_made_for_one_that_waits_ends_with_it_and_says_whose_time_it_was;
    a_deadline_of_its_own_is_nobody_elses;
    who_serves_can_hear_that_nobody_waits_any_more;
    who_has_answered_hears_nothing;
    timers_of_a_call_that_is_over_do_not_fire;
}
