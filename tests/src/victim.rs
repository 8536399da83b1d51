//! A process to attack, as the tests hold it: started, asked how it is, killed at the end.

use crate::raw::Raw;
use crate::trial::TrialProxy;
use peers_rpc::{Address, Error, Peers, SyncEndpoint, spawn_loop};
use peers_service::NodeProcess;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::sync_channel;

/// A running victim and an honest client that is connected to it all the time.
#[derive(Debug)]
pub struct Victim {
    process: NodeProcess,
    honest: TrialProxy<SyncEndpoint>,
    _client: Peers,
    log: PathBuf,
}

/// Runs the binary `$0` with at most `$2` descriptors, its log in the file `$1`.
/// `$3` is what its environment says besides.
const RUN: &str = "ulimit -n \"$2\" && exec env $3 \"$0\" 2>\"$1\"";

impl Victim {
    /// Starts `binary` and connects the honest client.
    ///
    /// # Panics
    /// When that does not work.
    pub fn start(binary: &str) -> Self {
        Self::with_descriptors(binary, 8_192)
    }

    /// Starts it with at most so many descriptors for the process.
    ///
    /// # Panics
    /// When that does not work.
    pub fn with_descriptors(binary: &str, limit: u32) -> Self {
        Self::with_environment(binary, limit, "")
    }

    /// Starts it likewise, with so much in its environment besides: words such as `NAME=VALUE`.
    ///
    /// # Panics
    /// When that does not work.
    pub fn with_environment(binary: &str, limit: u32, environment: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let file = format!("peers-victim-{}-{number}.log", std::process::id());
        let log = std::env::temp_dir().join(file);
        let arguments =
            ["-c", RUN, binary, &log.display().to_string(), &limit.to_string(), environment];
        let (unread, _) = sync_channel(0); // its lines go nowhere
        let process =
            NodeProcess::start_into(Path::new("/bin/sh"), arguments, &unread).expect("it starts");
        let client = spawn_loop().expect("a loop starts");
        let endpoint = client.connect(process.address()).expect("the loop lives");
        let victim = Self { process, honest: TrialProxy::new(endpoint), _client: client, log };
        victim.assert_well();
        victim
    }

    /// Returns where it listens.
    pub fn address(&self) -> &Address {
        self.process.address()
    }

    /// A connection that speaks bytes.
    pub fn raw(&self) -> Raw {
        Raw::connect(self.address())
    }

    /// Connects, and exchanges the hellos.
    pub fn greeted(&self) -> Raw {
        Raw::greeted(self.address())
    }

    /// The honest client's proxy.
    pub fn honest(&self) -> &TrialProxy<SyncEndpoint> {
        &self.honest
    }

    /// Returns what it has logged so far.
    ///
    /// # Panics
    /// When its log cannot be read.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("a log")
    }

    /// The process itself.
    pub fn process(&mut self) -> &mut NodeProcess {
        &mut self.process
    }

    /// It serves the client that was there before, and a new one.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn assert_well(&self) {
        let served: Result<String, Error> = self.honest.echo("well?").wait();
        assert_eq!(served.as_deref(), Ok("well?"), "the honest client");
        let mut fresh = self.greeted();
        fresh.echo(1, "new here");
        assert_eq!(fresh.reply_to(1), "new here");
    }

    /// Asserts that it serves again once it has noticed that others have gone: until then a new
    /// client may be turned away.
    ///
    /// # Panics
    /// When it never does.
    #[track_caller]
    pub fn assert_well_in_the_end(&self) {
        let opens = (0..10_000).any(|_| self.raw().is_greeted());
        assert!(opens, "it turns everybody away");
        self.assert_well();
    }

    /// Bytes of memory that the process occupies now.
    ///
    /// # Panics
    /// When the system does not tell.
    pub fn memory(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most that it has occupied so far.
    ///
    /// # Panics
    /// When the system does not tell.
    pub fn peak_memory(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// Returns how many descriptors it has open.
    ///
    /// # Panics
    /// When the system does not tell.
    pub fn descriptors(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.process.id());
        fs::read_dir(folder).expect("the process lives").count()
    }

    fn status(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.process.id());
        let status = fs::read_to_string(path).expect("the process lives");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect(name);
        let kilobytes = line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number");
        kilobytes * 1_024
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.log)); // a file too many in the temporary folder is no failure
    }
}
