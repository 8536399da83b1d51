//! Lines of text on their way out of the process, written without ever waiting for whoever reads
//! them.
//!
//! A line goes to a pipe at once if it fits, and to a file; otherwise it joins a bounded queue,
//! which a thread empties. So a reader that is slow, stopped or asleep delays no loop. Invariants:
//! 1. Nothing but that thread waits for the output, and nothing is locked while it waits. Kept by
//!    `a_pipe_that_nobody_reads_stops_nobody_and_its_lines_are_counted`.
//! 2. Lines leave whole and in the order in which they were put; one that goes at once has none
//!    before it in the queue. Kept by `lines_of_many_threads_stay_whole`.
//! 3. A line is written, or it is counted, and the count is written where the lines are missing
//!    once there is room again. The one exception is an output that nobody can ever read any more.
//!    Kept by `the_number_of_missing_lines_stands_where_they_would`.

use rustix::event::{PollFd, PollFlags, poll};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::{AsFd, AsRawFd as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Bytes of lines that may wait for the writer; as many again may be with it.
const QUEUE: usize = 256 << 10;
/// The most bytes that a pipe takes whole or not at all.
const AT_ONCE: usize = 4_096;
/// Bytes of stack for the writer, which only writes.
const STACK: usize = 64 << 10;

/// An output for lines, shared by all threads of a process. Putting a line never blocks.
///
/// Lines that do not fit the queue, because nobody reads what was written before, are dropped and
/// counted; a line with the count takes their place as soon as there is room. Dropping the last
/// clone lets the writer finish and does not wait for it.
#[derive(Clone)]
pub struct Lines {
    shared: Arc<Owner>,
}

/// Ends the writer when the last of those who put lines is gone.
struct Owner(Arc<LineOutput>);

struct LineOutput {
    state: Mutex<LineState>,
    changed: Condvar,
    out: File,
    /// The pipe, opened once more so that it never blocks, since the flag of `out` belongs to
    /// everybody who has it; or the same file.
    at_once: Option<File>,
}

#[derive(Default)]
struct LineState {
    waiting: Vec<u8>,
    /// Lines dropped behind what waits.
    dropped: u64,
    /// Lines missing before what waits: those that could not be written, and those dropped while
    /// nothing waited.
    lost: u64,
    /// All lines ever dropped or lost.
    missing: u64,
    writing: bool,
    started: bool,
    over: bool,
}

impl Lines {
    /// Lines into `out`, a duplicate of which is kept.
    ///
    /// # Errors
    /// If the system has no descriptor left.
    pub fn new(out: impl AsFd) -> io::Result<Self> {
        let out = File::from(out.as_fd().try_clone_to_owned()?);
        let at_once = never_blocking(&out);
        let (state, changed) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(LineOutput { state, changed, out, at_once });
        Ok(Self { shared: Arc::new(Owner(shared)) })
    }

    /// Puts text that ends with a line break. Never blocks.
    pub fn put(&self, text: &str) {
        let shared = &self.shared.0;
        let mut state = shared.lock();
        // Only where nothing waits, since lines leave in the order in which they were put.
        if state.is_quiet() && shared.write_at_once(text.as_bytes()) {
            return;
        }
        // Nothing joins the queue behind lines that are missing, whose number is to stand where
        // they would.
        let room = QUEUE.saturating_sub(state.waiting.len());
        if state.dropped > 0 || text.len() > room || !shared.has_writer(&mut state) {
            return state.drop_one();
        }
        state.waiting.extend_from_slice(text.as_bytes());
        shared.changed.notify_all();
    }

    /// Waits until everything has been written, but no longer than `within`. Returns whether it
    /// has.
    pub fn flush(&self, within: Duration) -> bool {
        let shared = &self.shared.0;
        let busy = |state: &mut LineState| state.writing || !state.waiting.is_empty();
        match shared.changed.wait_timeout_while(shared.lock(), within, busy) {
            Ok((_, waited)) => !waited.timed_out(),
            Err(_) => false,
        }
    }

    /// Returns how many lines were dropped so far, or could not be written.
    pub fn missing(&self) -> u64 {
        self.shared.0.lock().missing
    }
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("missing", &self.missing()).finish_non_exhaustive()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.lock().over = true;
        self.0.changed.notify_all();
    }
}

impl LineState {
    /// Returns whether a line put now would be the next to leave.
    fn is_quiet(&self) -> bool {
        !self.writing && self.waiting.is_empty() && self.dropped + self.lost == 0
    }

    /// Counts a line that will not be written.
    fn drop_one(&mut self) {
        self.missing += 1;
        if self.waiting.is_empty() {
            self.lost += 1;
        } else {
            self.dropped += 1;
        }
    }
}

impl LineOutput {
    fn lock(&self) -> MutexGuard<'_, LineState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the text has left, or never can.
    fn write_at_once(&self, text: &[u8]) -> bool {
        let Some(mut pipe) = self.at_once.as_ref().filter(|_| text.len() <= AT_ONCE) else {
            return false;
        };
        match pipe.write(text) {
            Ok(count) => count == text.len(),
            Err(error) => error.kind() == ErrorKind::BrokenPipe,
        }
    }

    /// Starts the writer unless there is one. A process that has no thread left for it drops its
    /// lines.
    fn has_writer(self: &Arc<Self>, state: &mut LineState) -> bool {
        if !state.started {
            let writer = self.clone();
            let thread = thread::Builder::new().name("peers-output".to_owned()).stack_size(STACK);
            state.started = thread.spawn(move || writer.write_all_there_is()).is_ok();
        }
        state.started
    }

    /// Writes what is put, until all who put lines are gone: the life of the writer.
    fn write_all_there_is(&self) {
        let mut state = self.lock();
        loop {
            while state.waiting.is_empty() {
                if state.over {
                    return;
                }
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.writing = true;
            let batch = std::mem::take(&mut state.waiting);
            let (before, behind) =
                (std::mem::take(&mut state.lost), std::mem::take(&mut state.dropped));
            drop(state); // nobody who puts a line waits for whoever reads
            let unsaid = self.write_batch(&batch, before, behind);
            state = self.lock();
            state.missing += unsaid[1];
            state.lost += unsaid.iter().sum::<u64>();
            state.writing = false;
            self.changed.notify_all();
        }
    }

    /// Writes lines with the counts of those missing before and behind them. Returns how many are
    /// missing now unsaid: of those before, of these, of those behind.
    fn write_batch(&self, batch: &[u8], before: u64, behind: u64) -> [u64; 3] {
        let lines = batch.iter().filter(|byte| **byte == b'\n').count() as u64;
        let parts = [notice(before), batch.to_vec(), notice(behind)];
        let mut unsaid = [before, lines, behind];
        for (part, missing) in parts.iter().zip(&mut unsaid) {
            match self.write_all(part) {
                Ok(()) => *missing = 0,
                // Nobody is there who could miss them.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return [0; 3],
                Err(_) => break,
            }
        }
        unsaid
    }

    fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match (&self.out).write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    // Somebody who shares the pipe wants it so.
                    poll(&mut [PollFd::new(&self.out, PollFlags::OUT)], None)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Returns the line that stands for lines that are missing.
fn notice(missing: u64) -> Vec<u8> {
    let lines = if missing == 1 { "line is" } else { "lines are" };
    let pid = std::process::id();
    match missing {
        0 => Vec::new(),
        _ => format!(
            "{pid}: {missing} {lines} missing here: this output was not read, or was full\n"
        )
        .into(),
    }
}

/// Returns the output by a descriptor that has no reader to wait for, where the system can give
/// one: the pipe opened once more, or the file itself, which nobody reads.
fn never_blocking(out: &File) -> Option<File> {
    let kind = out.metadata().ok()?.file_type();
    if kind.is_file() {
        return out.try_clone().ok();
    }
    if !kind.is_fifo() {
        return None;
    }
    let flags = rustix::fs::OFlags::NONBLOCK.bits();
    let mut options = OpenOptions::new();
    options.write(true).custom_flags(flags.try_into().ok()?);
    options.open(format!("/proc/self/fd/{}", out.as_raw_fd())).ok()
}
