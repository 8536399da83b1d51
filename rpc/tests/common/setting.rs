//! Makes the worlds differ in which scenarios are played: in what must not matter to them.

use super::field::Field;
use peers_rpc::Limits;
use std::cell::Cell;
use std::panic;

/// Says how the worlds of a test differ from those that it asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Setting {
    #[default]
    AsAsked,
    /// So much is added to each seed: other latencies, and another order of what happens at one
    /// time.
    OtherSeed(u64),
    OneTask(u64),
    LittleRoom(u64),
    SmallPieces(u64),
}

thread_local! {
    /// The setting that the tests of this thread are played in.
    static SETTING: Cell<Setting> = const { Cell::new(Setting::AsAsked) };
}

/// A test that stands in a world of its own: its name, and the settings that it is not played in,
/// with the reasons.
pub(crate) type Played = (&'static str, fn(), &'static [(&'static str, &'static str)]);

/// Plays tests in other worlds than those that they ask for: one after the other, in each of these.
pub(crate) fn play(setting: fn(u64) -> Setting, seeds: u64, tests: &[Played]) {
    let mut failed = Vec::new();
    for setting in (1..=seeds).map(setting) {
        let says = format!("{setting:?}");
        let is_meant = |(but, _): &(&str, &str)| says.starts_with(but);
        for (name, test, _) in tests.iter().filter(|(.., not)| !not.iter().any(is_meant)) {
            tell(&format!("{name}, {says}"));
            SETTING.set(setting);
            if panic::catch_unwind(test).is_err() {
                failed.push(format!("{name}, {says}"));
            }
        }
    }
    SETTING.take();
    assert!(failed.is_empty(), "these failed: {failed:#?}");
}

/// Says what is shown only if the test fails.
#[allow(clippy::print_stdout, reason = "the message of a failed test")]
fn tell(what: &str) {
    println!("{what}");
}

/// Makes tests of those that ask for simulated worlds: the same in other worlds, in what must not
/// matter to them. Where it does, a `not` says why.
macro_rules! in_other_worlds {
    ($($test:ident $(, not $setting:ident: $why:literal)*);* $(;)?) => {
        mod in_other_worlds {
            use crate::common::{Played, Setting, play};

            const TESTS: &[Played] =
                &[$((stringify!($test), super::$test, &[$((stringify!($setting), $why)),*])),*];

            #[test]
            fn with_other_seeds() {
                play(Setting::OtherSeed, 2, TESTS);
            }

            #[test]
            fn with_one_task_a_turn() {
                play(Setting::OneTask, 1, TESTS);
            }

            #[test]
            fn with_little_room() {
                play(Setting::LittleRoom, 1, TESTS);
            }

            #[test]
            fn in_small_pieces() {
                play(Setting::SmallPieces, 1, TESTS);
            }
        }
    };
}
pub(crate) use in_other_worlds;

impl Field {
    /// Tells which world a failed test has failed in: what is printed is shown only then.
    pub(crate) fn shown(seed: u64, setting: &str) {
        tell(&format!("seed {seed}, {setting}"));
    }

    /// The world of that seed, or what the setting makes of it.
    pub(super) fn set(seed: u64, world: impl FnOnce(u64) -> Self) -> Self {
        match SETTING.get() {
            Setting::AsAsked => world(seed),
            Setting::OtherSeed(more) => world(seed + more),
            Setting::OneTask(more) => world(seed + more).one_task_a_turn(),
            Setting::LittleRoom(more) => world(seed + more).little_room(),
            Setting::SmallPieces(more) => world(seed + more).in_small_pieces(),
        }
    }

    /// Lets the processes that come run one task in each turn.
    pub(crate) fn one_task_a_turn(mut self) -> Self {
        self.one_task = true;
        self
    }

    /// Gives the processes that come little room wherever their tests do not say how much: few
    /// credits, short queues.
    pub(crate) fn little_room(mut self) -> Self {
        self.little_room = true;
        self
    }

    /// Lets sockets take and give a few bytes at once as long as that is not too slow, and makes
    /// the frames small of processes whose tests do not say how large they are.
    pub(crate) fn in_small_pieces(mut self) -> Self {
        self.world().in_pieces(7, 10_000);
        self.small_pieces = true;
        self
    }

    /// Leaves the frames of the processes that come as large as ever: their test sends large
    /// values.
    pub(crate) fn large_frames(&mut self) {
        self.small_pieces = false;
    }

    pub(super) fn limits(&self, mut limits: Limits) -> Limits {
        let usual = Limits::default();
        if self.little_room {
            let small = |value: &mut usize, usual: usize, small: usize| {
                if *value == usual {
                    *value = small;
                }
            };
            small(&mut limits.output_low_water, usual.output_low_water, 64);
            small(&mut limits.inbound_queue, usual.inbound_queue, 64);
            if limits.request_window == usual.request_window {
                limits.request_window = limits.request_window_before_hello;
            }
        }
        if self.small_pieces && limits.frame == usual.frame {
            limits.frame = limits.frame_before_hello;
        }
        limits
    }
}
