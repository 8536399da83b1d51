//! Calls: exactly one outcome each, started in order, answered in any; answers that do not belong
//! reach nobody.

mod session_harness;

use peers_kernel::Instant;
use peers_rpc::limits::Limits;
use peers_rpc::session::{CloseReason, Head, Rejected, Violation, Why};
use peers_wire::{ByeCode, Encoded, Exception, Kind, Refused, RefusedCode, Trace, put_reply};
use session_harness::{End, Manner, Pair, Seen, frames, limits};

#[test]
fn a_call_is_answered_with_a_value_an_exception_or_a_refusal() {
    let mut pair = Pair::open();
    for key in 1..=3 {
        pair.a.call(pair.now, Head::new(key.into()), b"?", key);
    }
    pair.exchange();
    let calls = [pair.b.called(), pair.b.called(), pair.b.called()];
    pair.b.reply(calls[0], b"dune");
    let exception = Exception {
        class: "registry.no_such_key",
        origin: "here",
        file: "node.rs",
        line: 36,
        text: "Muad'Dib",
        data: b"data",
    };
    pair.b.session.raise(calls[1], &exception, &mut pair.b.out).expect("it fits");
    pair.b.session.refuse(calls[2], RefusedCode::UnknownMethod, "what?", &mut pair.b.out);
    pair.exchange();
    assert_eq!(pair.a.next(), Some(Seen::Answer(1, End::Value(b"dune".into()))));
    let raised = End::Exception {
        class: "registry.no_such_key".into(),
        text: "Muad'Dib".into(),
        data: b"data".into(),
    };
    assert_eq!(pair.a.next(), Some(Seen::Answer(2, raised)));
    let refused = End::Refused(RefusedCode::UnknownMethod, "what?".into());
    assert_eq!(pair.a.next(), Some(Seen::Answer(3, refused)));
    pair.a.assert_settled();
    pair.b.assert_settled();
}

#[test]
fn requests_start_in_the_order_in_which_they_were_made() {
    let mut pair = Pair::open_with(Limits::default(), limits(|l| l.request_window = 64));
    for n in 0..1_000 {
        if n % 3 == 0 {
            pair.a.event(pair.now, n);
        } else {
            pair.a.call(pair.now, Head::new(n), b"", 0);
        }
    }
    let mut started = Vec::new();
    while started.len() < 1_000 {
        pair.exchange();
        while let Some(seen) = pair.b.next() {
            let Seen::Request(asked) = seen else { panic!("{seen:?}") };
            started.push(asked.method);
            match asked.call {
                Some(call) => pair.b.reply(call, b""),
                None => pair.b.session.event_started(&mut pair.b.out),
            }
        }
        pair.b.session.flush_credits(&mut pair.b.out);
    }
    assert_eq!(started, (0..1_000).collect::<Vec<_>>());
}

#[test]
fn answers_come_in_any_order_and_find_their_call() {
    let mut pair = Pair::open();
    for key in 0..100 {
        pair.a.call(pair.now, Head::new(1), &[key], key.into());
    }
    pair.exchange();
    let mut asked: Vec<_> = (0..100).map(|_| pair.b.asked()).collect();
    asked.reverse();
    asked.swap(3, 70);
    for a in &asked {
        pair.b.reply(a.call.expect("a call"), &a.args);
    }
    pair.exchange();
    for a in asked {
        let key = a.args[0].into();
        assert_eq!(pair.a.next(), Some(Seen::Answer(key, End::Value(a.args))));
    }
    pair.a.assert_settled();
}

#[test]
fn both_sides_call_over_the_same_connection() {
    let mut pair = Pair::open();
    pair.a.call(pair.now, Head::new(1), b"a", 1);
    pair.b.call(pair.now, Head::new(2), b"b", 2);
    pair.exchange();
    let (to_b, to_a) = (pair.b.called(), pair.a.called());
    pair.b.reply(to_b, b"from b");
    pair.a.reply(to_a, b"from a");
    pair.exchange();
    assert_eq!(pair.a.next(), Some(Seen::Answer(1, End::Value(b"from b".into()))));
    assert_eq!(pair.b.next(), Some(Seen::Answer(2, End::Value(b"from a".into()))));
}

#[test]
fn head_and_arguments_arrive_as_they_were_given_whatever_their_size() {
    let mut pair = Pair::open();
    for size in [0, 1, 127, 128, 129, 1_023, 1_024, 1_025, 100_000] {
        let args: Vec<u8> = (0..size).map(|n| n as u8).collect();
        let trace = (size % 2 == 0).then_some(Trace { root: 11, parent: 12 });
        let head = Head { depth: 5, trace, ..Head::new(size as u64) };
        pair.a.call(pair.now, head, &args, 0);
        pair.exchange();
        let asked = pair.b.asked();
        assert_eq!((asked.method, asked.depth, asked.args), (size as u64, 5, args));
        assert_eq!(asked.deadline, Instant::FAR);
    }
}

#[test]
fn a_second_answer_is_dropped_and_counted_and_never_reaches_another_call() {
    let mut pair = Pair::open();
    pair.a.call(pair.now, Head::new(1), b"", 1);
    pair.exchange();
    let call = pair.b.called();
    pair.b.reply(call, b"first");
    put_reply(&mut pair.b.out, u32::MAX, call, &Encoded(b"again")).expect("it fits");
    pair.a.call(pair.now, Head::new(1), b"", 2);
    let bytes = std::mem::take(&mut pair.b.out);
    pair.a.feed(pair.now, &bytes);
    pair.a.call(pair.now, Head::new(1), b"", 3);
    pair.a.feed(pair.now, &bytes);
    assert_eq!(pair.a.next(), Some(Seen::Answer(1, End::Value(b"first".into()))));
    assert_eq!(pair.a.next(), None);
    assert_eq!(pair.a.closed, None);
    assert_eq!(pair.a.session.counters().duplicate_replies, 3);
    assert_eq!(pair.a.session.pending(), 2);
}

#[test]
fn a_late_answer_is_dropped_and_counted() {
    let mut pair = Pair::open();
    let id = pair.a.call(pair.now, Head::new(1), b"", 1);
    pair.exchange();
    let call = pair.b.called();
    assert_eq!(pair.a.session.cancel(id, &mut pair.a.out), Some(1));
    pair.b.reply(call, b"too late");
    pair.a.call(pair.now, Head::new(1), b"", 2);
    pair.exchange();
    assert_eq!(pair.a.next(), None);
    assert_eq!(pair.a.session.counters().late_replies, 1);
    assert_eq!(pair.a.session.pending(), 1);
    assert_eq!(pair.a.session.credit_held(), 1);
}

#[test]
fn an_answer_to_a_call_that_was_never_sent_ends_the_connection() {
    let mut probe = Pair::open();
    let id = probe.a.call(probe.now, Head::new(1), b"", 1).number();
    let slot = id & 0xff_ffff;
    let forged = [0, slot, id + 1, id + (1 << 24), u64::MAX, u64::MAX << 24, 1 << 63];
    for call in forged {
        for kind in [Kind::Reply, Kind::Refused] {
            let mut pair = Pair::open();
            pair.a.call(pair.now, Head::new(1), b"", 1);
            let mut bytes = Vec::new();
            match kind {
                Kind::Reply => put_reply(&mut bytes, u32::MAX, call, &0_u8).expect("it fits"),
                _ => Refused { code: RefusedCode::Failed, text: "" }.put(&mut bytes, call),
            }
            pair.a.feed(pair.now, &bytes);
            assert_eq!(pair.a.closed, Some(Violation::ForgedReply { call }.into()), "{call:#x}");
            assert_eq!(pair.a.session.drain().map(|(_, key)| key).collect::<Vec<_>>(), [1]);
        }
    }
}

#[test]
fn ten_thousand_random_ids_hit_nothing() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..10_000 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let mut pair = Pair::open();
        let id = pair.a.call(pair.now, Head::new(1), b"", 1).number();
        if state == id {
            continue;
        }
        let mut bytes = Vec::new();
        put_reply(&mut bytes, u32::MAX, state, &0_u8).expect("it fits");
        pair.a.feed(pair.now, &bytes);
        assert_eq!(pair.a.session.pending(), 1, "{state:#x}");
        assert!(pair.a.closed.is_some(), "{state:#x}");
    }
}

#[test]
fn an_answer_to_a_call_that_still_waits_is_forged() {
    let mut pair = Pair::open_with(Limits::default(), limits(|l| l.request_window = 0));
    let id = pair.a.call(pair.now, Head::new(1), b"", 1).number();
    assert_eq!(pair.a.session.waiting(), 1);
    let mut bytes = Vec::new();
    put_reply(&mut bytes, u32::MAX, id, &0_u8).expect("it fits");
    pair.a.feed(pair.now, &bytes);
    assert_eq!(pair.a.closed, Some(Violation::ForgedReply { call: id }.into()));
}

#[test]
fn an_answer_that_does_not_fit_the_peer_is_a_refusal_instead() {
    let mut pair = Pair::open_with(limits(|l| l.frame = 5_000), Limits::default());
    pair.a.call(pair.now, Head::new(1), b"", 1);
    pair.exchange();
    let call = pair.b.called();
    let result = pair.b.session.reply(call, &mut Encoded(&[0; 5_001]), &mut pair.b.out);
    let too_large = peers_wire::Error::OutputTooLarge { size: 5_001, limit: 5_000 };
    assert_eq!(result, Err(Box::new(too_large)));
    pair.exchange();
    let Some(Seen::Answer(1, End::Refused(RefusedCode::Failed, text))) = pair.a.next() else {
        panic!("one answer, a refusal");
    };
    assert!(text.contains("5001") && text.contains("5000"), "{text}");
    pair.a.assert_settled();
}

#[test]
fn ids_do_not_repeat_over_many_calls() {
    let mut pair = Pair::open();
    pair.b.manner = Manner::Echo;
    let mut last = 0;
    for key in 0..100_000 {
        let id = pair.a.call(pair.now, Head::new(1), &u32::to_be_bytes(key), key).number();
        assert!(id > last, "{id:#x} after {last:#x}");
        last = id;
        if key % 50 == 49 {
            pair.exchange();
            while let Some(seen) = pair.a.next() {
                let Seen::Answer(key, End::Value(value)) = seen else { panic!("{seen:?}") };
                assert_eq!(value, key.to_be_bytes());
            }
        }
    }
    pair.a.assert_settled();
}

#[test]
fn bytes_that_are_moved_into_the_output_are_the_answer_that_copying_makes() {
    let mut pair = Pair::open_with(limits(|l| l.frame = 5_000), Limits::default());
    for (key, size) in [(1, 0), (2, 2_000), (3, 4_000), (4, 4_996)] {
        pair.a.call(pair.now, Head::new(1), b"", key);
        pair.exchange();
        let (call, mut bytes) = (pair.b.called(), vec![key as u8; size]);
        let mut expected = Vec::new();
        put_reply(&mut expected, u32::MAX, call, &bytes).expect("it fits");
        pair.b.session.reply(call, &mut bytes, &mut pair.b.out).expect("it fits");
        assert!(pair.b.out == expected, "{size}");
        pair.exchange();
        assert_eq!(pair.a.next(), Some(Seen::Answer(key, End::Value(expected[16..].to_vec()))));
    }
    pair.a.call(pair.now, Head::new(1), b"", 5);
    pair.exchange();
    let call = pair.b.called();
    let result = pair.b.session.reply(call, &mut vec![0_u8; 4_997], &mut pair.b.out);
    let too_large = peers_wire::Error::OutputTooLarge { size: 5_001, limit: 5_000 };
    assert_eq!(result, Err(Box::new(too_large)));
    pair.exchange();
    let Some(Seen::Answer(5, End::Refused(RefusedCode::Failed, _))) = pair.a.next() else {
        panic!("a value that does not fit is refused");
    };
    pair.a.assert_settled();
    pair.b.assert_settled();
}

#[test]
fn after_the_end_nothing_is_sent_and_every_call_comes_back_in_order() {
    let mut pair = Pair::open();
    for key in 0..10 {
        pair.a.call(pair.now, Head::new(1), b"", key);
    }
    pair.exchange();
    let first = pair.b.called();
    pair.b.reply(first, b"");
    pair.exchange();
    pair.a.call(pair.now, Head::new(1), b"", 10); // in the slot of the one that was answered
    pair.a.write_all(pair.now);
    pair.a.session.bye_for(&CloseReason::Local, &mut pair.a.out);
    assert_eq!(frames(&pair.a.out, false).len(), 1);
    pair.a.session.bye_for(&CloseReason::Local, &mut pair.a.out);
    let refused = pair.a.try_call(pair.now, Head::new(1), b"", 99);
    assert_eq!(refused, Err(Rejected { why: Why::Closing, pending: 99 }));
    pair.a.session.refuse(1, RefusedCode::Failed, "", &mut pair.a.out);
    assert_eq!(frames(&pair.a.out, false).len(), 1, "one goodbye and nothing else");
    assert_eq!(pair.a.session.next_deadline(), None);
    pair.a_to_b(usize::MAX);
    let closed = CloseReason::PeerBye { code: ByeCode::Closed, text: String::new() };
    assert_eq!(pair.b.closed, Some(closed));
    assert!(pair.a.session.drain().map(|(_, key)| key).eq(1..=10));
}
