//! Lengths of texts, and how many lines there are.

use super::common::Field;
use super::harness::limits;
use crate::limits::Limits;
use crate::{ErrorKind, Rpc};
use peers_kernel::{Kernel, Wait};
use std::cell::RefCell;
use std::sync::Once;

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

struct Keeper;

impl log::Log for Keeper {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        LINES.with_borrow_mut(|lines| lines.push(record.args().to_string()));
    }

    fn flush(&self) {}
}

/// Returns what is logged while a task of that loop runs: lines are counted by loop.
fn logged(kernel: &mut Kernel, task: impl FnOnce() + 'static) -> Vec<String> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Keeper).expect("the tests of this crate have one logger");
        log::set_max_level(log::LevelFilter::Warn);
    });
    kernel.handle().schedule(task);
    LINES.take();
    kernel.turn(Wait::No).expect("a turn");
    LINES.take()
}

/// A reason that quotes the peer, in the line about the end of its connection.
pub(super) fn log_field() {
    for limit in [256, 40] {
        let mut kernel = Kernel::simulated(1);
        let rpc = Rpc::with_limits(&kernel.handle(), limits(|l| l.log_field = limit));
        let before = "the peer said goodbye: internal error: ";
        for (length, shown) in [(limit, true), (limit + 1, false)] {
            let text = "x".repeat(length.saturating_sub(before.len()));
            let bye = crate::CloseReason::PeerBye {
                code: peers_wire::ByeCode::Internal,
                text: text.clone(),
            };
            let endpoint = rpc.connect(&peers_kernel::Address::sim("nobody"));
            let name = endpoint.name().expect("it is being dialled");
            let context = rpc.context().clone();
            let lines = logged(&mut kernel, move || context.log_close(&name, &bye));
            assert_eq!(lines.len(), 1);
            let whole = lines[0].ends_with(&format!("{before}{text}"));
            assert_eq!(whole, shown, "{lines:?}");
            assert_eq!(lines[0].ends_with(&format!("… ({length} bytes)")), !shown, "{lines:?}");
        }
    }
}

pub(super) fn log_rate() {
    for rate in [10, 3] {
        let mut kernel = Kernel::simulated(1);
        let rpc = Rpc::with_limits(&kernel.handle(), limits(|l| l.log_rate = rate));
        for (count, passed) in [(rate, rate), (1, 0)] {
            let context = rpc.context().clone();
            let warn = move || (0..count).for_each(|_| context.log(format_args!("again")));
            assert_eq!(logged(&mut kernel, warn).len(), passed as usize, "of {count} more");
        }
    }
}

pub(super) fn error_text() {
    for limit in [100, 1_024] {
        let mut field = Field::simulated(1);
        let small = limits(|l| l.error_text = limit);
        let (client, _server, node) = field.pair_with(Limits::default(), small);
        for (length, arrives) in [(limit, limit), (limit + 1, limit)] {
            let error =
                field.outcome(&client, node.fail("x".repeat(length))).expect_err("it fails");
            assert_eq!(error.kind(), &ErrorKind::Failed("x".repeat(arrives)));
            let error =
                field.outcome(&client, node.raise("x".repeat(length))).expect_err("it raises");
            let ErrorKind::Raised(raised) = error.kind() else { panic!("{error}") };
            assert_eq!(raised.text.len(), arrives);
        }
    }
    // The protocol's own limits are below the default: 4 KiB for an exception, 1 KiB for anything
    // else.
    let mut field = Field::simulated(1);
    let (client, _server, node) = field.pair();
    let error = field.outcome(&client, node.fail("x".repeat(5_000))).expect_err("it fails");
    assert_eq!(error.kind(), &ErrorKind::Failed("x".repeat(1_024)));
    let error = field.outcome(&client, node.raise("x".repeat(5_000))).expect_err("it raises");
    let ErrorKind::Raised(raised) = error.kind() else { panic!("{error}") };
    assert_eq!(raised.text.len(), 4_096);
}
