//! A node in a process of its own, for demonstrations and tests: started from a binary, found by
//! the line it prints.

use super::{Failure, print_own};
use peers_rpc::Escaped;
use peers_rpc::kernel::Address;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;

/// A running node. Dropping it kills the process and waits for it.
#[derive(Debug)]
pub struct NodeProcess {
    child: Child,
    address: Address,
    readers: Vec<JoinHandle<()>>,
}

impl NodeProcess {
    /// Starts `binary` with these arguments and waits for the line that says where it listens. This
    /// one and its further lines are printed as they come.
    ///
    /// # Errors
    /// When it cannot be started, or ends before it listens.
    pub fn start(
        binary: &Path,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Result<Self, Failure> {
        // Whoever starts it notices by its own output that nobody reads any more.
        Self::launch(binary, arguments, Stdio::inherit(), |line| drop(print_own(&line)))
    }

    /// Starts it likewise, but each line goes to `lines`, those on standard error too: for
    /// demonstrations that show the lines of several nodes in an order that makes sense, and for
    /// tests. When `lines` is full, the node waits.
    ///
    /// # Errors
    /// When it cannot be started, or ends before it listens.
    pub fn start_into(
        binary: &Path,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        lines: &SyncSender<String>,
    ) -> Result<Self, Failure> {
        let lines = lines.clone();
        Self::launch(binary, arguments, Stdio::piped(), move |line| drop(lines.send(line)))
    }

    fn launch(
        binary: &Path,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        stderr: Stdio,
        show: impl Fn(String) + Clone + Send + 'static,
    ) -> Result<Self, Failure> {
        let mut child = Command::new(binary)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let mut node = Self::of(child);
        let errors = stderr.map(BufReader::new);
        node.readers.extend(errors.map(|lines| pass_on(lines, show.clone())).transpose()?);
        let stdout = stdout.ok_or_else(|| Failure::usage("no pipe to the node"))?;
        let mut lines = BufReader::new(stdout);
        let mut first = String::new();
        lines.read_line(&mut first)?;
        let unclear = || Failure::usage(not_listening(&first));
        node.address = listening(&first).ok_or_else(unclear)?;
        show(first.trim_end().to_owned());
        node.readers.push(pass_on(lines, show)?);
        Ok(node)
    }

    /// Makes a node of a process that was started and has not said yet where it listens. From here
    /// on it ends with its owner.
    pub(super) fn of(child: Child) -> Self {
        Self { child, address: Address::unix(""), readers: Vec::new() }
    }

    /// Notes where it listens.
    pub(super) fn listens(&mut self, address: Address) {
        self.address = address;
    }

    /// Returns where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, as a crash would.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn kill(&mut self) -> Result<(), Failure> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        if let Err(failure) = self.kill() {
            log::debug!("a node was gone before it was ended: {}", failure.text);
        }
        for reader in self.readers.drain(..) {
            if reader.join().is_err() {
                log::warn!("the thread that read a node's lines panicked");
            }
        }
    }
}

/// Reads lines on a thread of their own until there are no more.
pub(super) fn pass_on(
    lines: impl BufRead + Send + 'static,
    show: impl Fn(String) + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    let thread = std::thread::Builder::new().name("node output".to_owned());
    thread.spawn(move || lines.lines().map_while(Result::ok).for_each(show))
}

/// Says what a node said instead of where it listens.
pub(super) fn not_listening(first: &str) -> String {
    match first.trim_end() {
        "" => "the node ended before it listened: see what it printed above".to_owned(),
        line => format!("the node does not say where it listens, but: {}", Escaped(line)),
    }
}

/// Returns the address out of `PID [ADDRESS]: listening`.
pub(super) fn listening(line: &str) -> Option<Address> {
    let (_, rest) = line.trim_end().split_once(" [")?;
    rest.strip_suffix("]: listening")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_the_line() {
        let address = listening("4625 [inet:localhost:5000]: listening\n").unwrap();
        assert_eq!(address.to_string(), "inet:localhost:5000");
        assert_eq!(
            listening("1 [inet:[::1]:5000]: listening").unwrap().to_string(),
            "inet:[::1]:5000"
        );
        assert!(listening("4625 [inet:localhost:5000]: put a -> b").is_none());
    }
}
