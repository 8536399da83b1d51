//! Makes the worlds differ in which scenarios are played: in what must not matter to them.

use super::field::Field;
use peers_rpc::Limits;

impl Field {
    /// Tells which world a failed test has failed in: what is printed is shown only then.
    #[allow(clippy::print_stdout, reason = "the message of a failed test")]
    pub(crate) fn shown(seed: u64, setting: &str) {
        println!("seed {seed}, {setting}");
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
