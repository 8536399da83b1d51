//! Measures what a stretch of work took of both sides, for what is no stream of calls.

use crate::options::Options;
use crate::process::Usage;
use crate::recorder::Report;
use std::time::Instant;

/// Begun, and not ended yet.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    began: Instant,
    ours: Usage,
    server: Option<Usage>,
}

impl Span {
    /// Begins.
    pub fn begin(options: &Options) -> Self {
        let server = options.server_pid.and_then(Usage::of_process);
        Self { ours: Usage::of_self(), server, began: Instant::now() }
    }

    /// Ends it: so many connections were opened.
    pub fn connected(self, options: &Options, connections: usize) -> Report {
        let wall = self.began.elapsed().as_secs_f64();
        let mut cpu = Usage::of_self().cpu - self.ours.cpu;
        let server = options.server_pid.and_then(Usage::of_process);
        if let (Some(before), Some(after)) = (self.server, server) {
            cpu += after.cpu - before.cpu;
        }
        let mut report = Report::of(options);
        report.number("connects_per_s", connections as f64 / wall);
        report.number("cpu_us_per_connect", cpu.as_secs_f64() * 1e6 / connections as f64);
        report
    }
}
