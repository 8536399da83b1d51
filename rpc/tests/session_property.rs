//! Any interleaving: two sessions do random things while their bytes crawl back and forth in random
//! pieces. Each call ends exactly once, with its own answer; requests start in order; in the end
//! every count is back at zero.

mod session_harness;

use peers_kernel::Instant;
use peers_rpc::limits::Limits;
use peers_rpc::session::{CallId, Head, Why};
use peers_wire::{Encoded, Exception, RefusedCode};
use proptest::prelude::*;
use session_harness::{Asked, End, Pair, Seen, Side, limits, millis, secs};
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Step {
    /// Makes a call with so many bytes of arguments, and so many milliseconds to live.
    Call {
        size: usize,
        wait: Option<u64>,
    },
    Event,
    /// Ends one of its calls early.
    Cancel(prop::sample::Index),
    /// Answers one of the calls it holds.
    Answer(prop::sample::Index, Manner),
    /// Starts one of the events it holds.
    Start,
    /// Writes at most so many bytes to the socket.
    Write(usize),
    /// Reads at most so many bytes from it.
    Read(usize),
    Pass(u64),
}

#[derive(Clone, Copy, Debug)]
enum Manner {
    Value,
    Exception,
    Refused,
    TooLarge,
}

fn steps() -> impl Strategy<Value = Vec<(bool, Step)>> {
    let wait = prop_oneof![Just(None), (1_u64..2_000).prop_map(Some)];
    let manner = prop_oneof![
        4 => Just(Manner::Value),
        1 => Just(Manner::Exception),
        1 => Just(Manner::Refused),
        1 => Just(Manner::TooLarge),
    ];
    let bytes = || prop_oneof![1_usize..20, 20_usize..400, Just(usize::MAX)];
    let size = prop_oneof![4_usize..20, 100_usize..160, 1_000_usize..6_000];
    let step = prop_oneof![
        6 => (size, wait).prop_map(|(size, wait)| Step::Call { size, wait }),
        2 => Just(Step::Event),
        2 => any::<prop::sample::Index>().prop_map(Step::Cancel),
        5 => (any::<prop::sample::Index>(), manner).prop_map(|(i, how)| Step::Answer(i, how)),
        2 => Just(Step::Start),
        6 => bytes().prop_map(Step::Write),
        6 => bytes().prop_map(Step::Read),
        1 => (1_u64..300).prop_map(Step::Pass),
    ];
    prop::collection::vec((any::<bool>(), step), 1..300)
}

/// Holds what a side must not forget.
#[derive(Debug, Default)]
struct Book {
    calls: BTreeMap<u32, CallId>,
    made: u32,
    ended: BTreeMap<u32, usize>,
    /// Bytes that were written to this side and not read by it.
    pipe: Vec<u8>,
    held: Vec<Asked>,
    events: usize,
    last_started: u64,
}

struct Run {
    pair: Pair,
    books: [Book; 2],
}

impl Run {
    fn new(grants: (u32, u32), frames: (u32, u32)) -> Self {
        let pair = Pair::new(patient(grants.0, frames.0), patient(grants.1, frames.1));
        Self { pair, books: Default::default() }
    }

    fn side(&mut self, dialled: bool) -> (&mut Side, &mut Book) {
        let [a, b] = &mut self.books;
        if dialled { (&mut self.pair.a, a) } else { (&mut self.pair.b, b) }
    }

    fn step(&mut self, dialled: bool, step: &Step) {
        let now = self.pair.now;
        let (side, book) = self.side(dialled);
        match step {
            Step::Call { size, wait } => call(side, book, now, *size, *wait),
            Step::Event => {
                book.made += 1;
                let head = Head::new(book.made.into());
                let taken = side.session.event(now, &head, &mut Vec::new(), &mut side.out);
                assert!(taken.is_ok() || side.session.waiting() == 20, "the queue is full");
            }
            Step::Cancel(index) if !book.calls.is_empty() => {
                let nth = index.index(book.calls.len());
                let (key, id) = book.calls.iter().nth(nth).map(|(k, i)| (*k, *i)).expect("nth");
                if side.session.cancel(id, &mut side.out).is_some() {
                    book.end(key);
                }
            }
            Step::Answer(index, manner) if !book.held.is_empty() => {
                let asked = book.held.remove(index.index(book.held.len()));
                answer(side, &asked, *manner);
            }
            Step::Start if book.events > 0 => {
                book.events -= 1;
                side.session.event_started(&mut side.out);
            }
            Step::Write(most) => {
                let bytes = side.write(now, *most);
                self.side(!dialled).1.pipe.extend(bytes);
            }
            Step::Read(most) => {
                let bytes: Vec<u8> = book.pipe.drain(..(*most).min(book.pipe.len())).collect();
                side.feed(now, &bytes);
            }
            Step::Pass(ms) => {
                self.pair.now = now + millis(*ms);
                self.pair.a.expire(self.pair.now);
                self.pair.b.expire(self.pair.now);
            }
            Step::Cancel(_) | Step::Answer(..) | Step::Start => {}
        }
        self.read_events();
    }

    fn read_events(&mut self) {
        for dialled in [true, false] {
            let (side, book) = self.side(dialled);
            assert_eq!(side.closed, None);
            while let Some(seen) = side.next() {
                book.note(seen);
            }
        }
    }

    /// Lets everything come to its end.
    fn finish(&mut self) {
        for _ in 0..10_000 {
            for step in [Step::Write(usize::MAX), Step::Read(usize::MAX), Step::Pass(0)] {
                self.step(true, &step);
                self.step(false, &step);
            }
            let mut busy = false;
            for dialled in [true, false] {
                let (side, book) = self.side(dialled);
                book.held.drain(..).for_each(|asked| answer(side, &asked, Manner::Value));
                for _ in 0..std::mem::take(&mut book.events) {
                    side.session.event_started(&mut side.out);
                }
                side.session.flush_credits(&mut side.out);
                busy |= !side.out.is_empty() || !book.pipe.is_empty();
            }
            if !busy {
                return;
            }
        }
        panic!("the conversation does not end");
    }
}

impl Book {
    fn end(&mut self, key: u32) {
        *self.ended.entry(key).or_default() += 1;
    }

    fn note(&mut self, seen: Seen) {
        match seen {
            Seen::Answer(key, end) => {
                if let End::Value(value) = end {
                    let (said, value) = value.split_at(4);
                    assert_eq!(said, (value.len() as u32).to_be_bytes());
                    assert_eq!(value[..4], key.to_be_bytes(), "an answer to another call");
                }
                self.end(key);
            }
            Seen::Expired(key, why) => {
                assert!(matches!(why, Why::Expired | Why::TooLarge { .. }));
                self.end(key);
            }
            Seen::Request(asked) => {
                assert!(asked.method > self.last_started, "started out of order");
                self.last_started = asked.method;
                match asked.call {
                    Some(_) => self.held.push(asked),
                    None => self.events += 1,
                }
            }
            Seen::Cancelled(_) | Seen::HalfClosed(_) | Seen::Opened(_) => {}
        }
    }
}

fn call(side: &mut Side, book: &mut Book, now: Instant, size: usize, wait: Option<u64>) {
    book.made += 1;
    let key = book.made;
    let mut args = key.to_be_bytes().to_vec();
    args.resize(size, 0);
    let deadline = wait.map_or(Instant::FAR, |ms| now + millis(ms));
    let head = Head { deadline, ..Head::new(book.made.into()) };
    match side.try_call(now, head, &args, key) {
        Ok(id) => {
            book.calls.insert(key, id);
        }
        Err(rejected) => assert_eq!(rejected.pending, key),
    }
}

/// Answers with a part of the arguments that fits any frame, or otherwise.
fn answer(side: &mut Side, asked: &Asked, manner: Manner) {
    let call = asked.call.expect("only calls are held");
    let mut value = asked.args[..asked.args.len().min(3_000)].to_vec();
    match manner {
        Manner::Value => {
            side.session.reply(call, &mut value, &mut side.out).expect("it fits");
        }
        Manner::Refused => {
            side.session.refuse(call, RefusedCode::NoReply, "", &mut side.out);
        }
        Manner::Exception => {
            let e = Exception { class: "c", origin: "", file: "f", line: 1, text: "t", data: b"" };
            side.session.raise(call, &e, &mut side.out).expect("it fits");
        }
        Manner::TooLarge => {
            let result = side.session.reply(call, &mut Encoded(&[0; 10_000]), &mut side.out);
            assert!(result.is_err());
        }
    }
}

fn patient(grant: u32, frame: u32) -> Limits {
    limits(|l| {
        (l.ping_idle, l.peer_timeout, l.keep_alive) = (secs(3_600), secs(7_200), secs(0));
        (l.handshake_timeout, l.frame_timeout, l.write_stall_timeout) =
            (secs(3_600), secs(3_600), secs(3_600));
        (l.request_window, l.request_window_before_hello, l.frame) = (grant, 3, frame);
        (l.waiting, l.output_low_water) = (20, 2_000);
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_call_ends_exactly_once(
        steps in steps(),
        grants in (1_u32..80, 1_u32..80),
        frames in (4_096_u32..6_000, 4_096_u32..6_000),
    ) {
        let mut run = Run::new(grants, frames);
        for (dialled, step) in &steps {
            run.step(*dialled, step);
        }
        run.finish();
        for dialled in [true, false] {
            let (side, book) = run.side(dialled);
            side.assert_settled();
            prop_assert_eq!(side.session.counters().duplicate_replies, 0);
            let ended: Vec<_> = book.ended.iter().map(|(key, times)| (*key, *times)).collect();
            let once: Vec<_> = book.calls.keys().map(|key| (*key, 1)).collect();
            prop_assert_eq!(ended, once);
        }
    }
}
