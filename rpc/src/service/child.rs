//! A node in a process of its own, for demonstrations and tests: started from a binary, found by the line it prints.

use super::Failure;
use peers_kernel::Address;
use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

/// A running node. Dropping it kills the process and waits for it.
#[derive(Debug)]
pub struct NodeProcess {
    child: Child,
    address: Address,
    printer: Option<JoinHandle<()>>,
}

impl NodeProcess {
    /// Starts `binary` with these arguments and waits for the line that says where it listens. Its further lines are
    /// printed as they come.
    ///
    /// # Errors
    /// When it cannot be started, or ends before it listens.
    pub fn start(
        binary: &Path,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Result<Self, Failure> {
        let mut child = Command::new(binary)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| Failure::usage("no pipe to the node"))?;
        let mut lines = BufReader::new(stdout);
        let mut first = String::new();
        lines.read_line(&mut first)?;
        let Some(address) = listening(&first) else {
            child.kill()?;
            child.wait()?;
            return Err(Failure::usage(format!("the node did not start to listen: {first:?}")));
        };
        print!("{first}");
        let printer =
            std::thread::Builder::new().name("node output".to_owned()).spawn(move || {
                for line in lines.lines().map_while(Result::ok) {
                    let mut out = std::io::stdout().lock();
                    drop(writeln!(out, "{line}").and_then(|()| out.flush()));
                }
            })?;
        Ok(Self { child, address, printer: Some(printer) })
    }

    /// Where it listens.
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
        if let Some(printer) = self.printer.take()
            && printer.join().is_err()
        {
            log::warn!("the thread that printed a node's lines panicked");
        }
    }
}

/// The address out of `PID [ADDRESS]: listening`.
fn listening(line: &str) -> Option<Address> {
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
