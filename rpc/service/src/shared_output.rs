//! One pipe for the output of several nodes, for demonstrations that show their lines in the order
//! in which they were written.

use super::child::{NodeProcess, listening, not_listening, pass_on};
use super::{Failure, print};
use std::ffi::OsStr;
use std::io::{BufReader, PipeWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Says how long a line of a node may take to appear.
const PATIENCE: Duration = Duration::from_secs(10);
/// Lines that may wait to be shown; when there are more, the nodes wait.
const LINES: usize = 1_024;

/// A pipe that several nodes write into.
///
/// A node that writes before it answers has written all of its lines when its caller has the
/// answer: [`show_written`](Self::show_written) shows them.
#[derive(Debug)]
pub struct SharedOutput {
    pipe: PipeWriter,
    lines: Receiver<String>,
    /// Ends by itself when nobody holds the pipe's other end any more.
    _reader: JoinHandle<()>,
}

impl SharedOutput {
    /// Makes the pipe, and starts the thread that reads it.
    ///
    /// # Errors
    /// Fails as the operating system does.
    pub fn new() -> Result<Self, Failure> {
        let (reader, pipe) = std::io::pipe()?;
        let (sender, lines) = sync_channel(LINES);
        let reader = pass_on(BufReader::new(reader), move |line| drop(sender.send(line)))?;
        Ok(Self { pipe, lines, _reader: reader })
    }

    /// Starts `binary` with these arguments, its standard output into the pipe, and shows what is
    /// written up to the line that says where it listens.
    ///
    /// # Errors
    /// When it cannot be started, or does not say in ten seconds where it listens.
    pub fn start(
        &self,
        binary: &Path,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Result<NodeProcess, Failure> {
        let mut command = Command::new(binary);
        command.args(arguments).stdin(Stdio::null()).stdout(self.pipe.try_clone()?);
        let mut node = NodeProcess::of(command.spawn()?);
        let begins = format!("{} [", node.id());
        let line = self.show_until(|line| line.starts_with(&begins))?;
        let unclear = || Failure::usage(not_listening(&line));
        node.listens(listening(&line).ok_or_else(unclear)?);
        Ok(node)
    }

    /// Shows the nodes' lines up to the first that is `last`, and returns that one.
    ///
    /// # Errors
    /// When there is none within ten seconds, or lines cannot be printed.
    pub fn show_until(&self, last: impl Fn(&str) -> bool) -> Result<String, Failure> {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.map_err(|_| Failure::usage("a node does not say what it should"))?;
            // An empty line is only a mark of ours.
            if !line.is_empty() {
                print(&line)?;
            }
            if last(&line) {
                return Ok(line);
            }
        }
    }

    /// Shows the lines that have been written until now.
    ///
    /// # Errors
    /// When they cannot be read or printed.
    pub fn show_written(&mut self) -> Result<(), Failure> {
        // Behind everything that is in the pipe already.
        writeln!(self.pipe)?;
        self.show_until(str::is_empty).map(drop)
    }
}
