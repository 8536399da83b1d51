//! Tells what a process has used so far, as the system tells.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs;
use std::time::Duration;

/// Processor time of a process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Time on a processor, all threads.
    pub cpu: Duration,
}

impl Usage {
    /// Of this process.
    pub fn of_self() -> Self {
        Self::of(&std::process::id().to_string()).unwrap_or_default()
    }

    /// Of another process.
    pub fn of_process(pid: u32) -> Option<Self> {
        Self::of(&pid.to_string())
    }

    /// Sums the nanoseconds of all threads, which the scheduler counts.
    fn of(process: &str) -> Option<Self> {
        let mut cpu = Duration::ZERO;
        for thread in fs::read_dir(format!("/proc/{process}/task")).ok()? {
            let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            cpu += Duration::from_nanos(text.split_whitespace().next()?.parse().ok()?);
        }
        Some(Self { cpu })
    }
}

/// Bytes of memory that a process has resident.
pub fn resident(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find(|line| line.starts_with("Rss:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// Lets this process have as many descriptors as the system allows.
pub fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        eprintln!("the descriptor limit stays at {:?}: {error}", limit.current);
    }
}
