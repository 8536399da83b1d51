//! Keys on the command line: whose key a process has, whom it lets in, and the two commands that
//! every binary has for that.

use super::{Arguments, Failure, print_own};
use peers_rpc::kernel::{Address, ForkedRng, Handle, Kernel, PublicKey};
use peers_rpc::{
    Allow, Asked, CloseReason, Cont, Error, ErrorKind, Limits, Peers, Rpc, Security, SecurityError,
    spawn_loop_secured, spawn_loop_with,
};
use peers_secure::{AllowFile, Identity, KeyError};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

/// Bounds the wait for somebody's key: longer than connecting and the handshake may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Says whether the key of this process was given to it, and not made for this run.
static HAS_OWN: AtomicBool = AtomicBool::new(false);

/// Returns whether somebody else can know this process's key from before.
pub(super) fn has_own() -> bool {
    HAS_OWN.load(Ordering::Relaxed)
}

impl Arguments {
    /// Returns the key of the command line; without one a new key, which is enough to dial.
    /// `None` if this processor lacks what keys need and none was asked for.
    pub(super) fn identity(&self, rng: &mut ForkedRng) -> Result<Option<Identity>, Failure> {
        let Some(file) = &self.key else { return Ok(Identity::fresh(rng).ok()) };
        HAS_OWN.store(true, Ordering::Relaxed);
        Identity::load(file).map(Some).map_err(|error| wrong_key(&error))
    }

    /// Returns the policy to listen with: none unless `--key` or `--insecure` was given. It says in
    /// the log who comes.
    pub(super) fn security(&self, kernel: &Handle) -> Result<Option<Security>, Failure> {
        if self.key.is_none() {
            return Ok(self.insecure.then_some(Security::Insecure));
        }
        let list = self.allow.as_ref().map(|file| AllowFile::open(kernel, file)).transpose();
        let list = list.map_err(|error| Failure::usage(error.to_string()))?;
        if list.is_none() {
            log::warn!("anybody may come, with whatever key: there is no --allow FILE");
        }
        let allow = list.as_ref().map_or_else(Allow::anyone, AllowFile::allow);
        let told = move |key: &PublicKey, asked: Asked| {
            let may = allow.allows(key, asked);
            let name = list.as_ref().and_then(|list| list.name(key)).unwrap_or_default();
            match asked {
                Asked::Comes if may => log::info!("{key} comes {name}"),
                Asked::Stays if !may => log::info!("{key} goes {name}: it is off the list"),
                _ => {} // who is turned away is said where it happens
            }
            may
        };
        Ok(Some(Security::Sealed(Allow::asked(told))))
    }
}

fn wrong_key(error: &KeyError) -> Failure {
    Failure::usage(error.to_string())
}

/// Makes the rpc side of a process with the key of its command line.
pub(super) fn rpc(kernel: &Kernel, limits: Limits, arguments: &Arguments) -> Result<Rpc, Failure> {
    let identity = arguments.identity(&mut kernel.handle().fresh_rng()?)?;
    let rpc = match identity {
        Some(identity) => Rpc::secured(kernel, limits, identity),
        None => Rpc::with_limits(kernel, limits),
    };
    rpc.set_insecure_dialling(arguments.insecure);
    Ok(rpc)
}

/// Starts a loop on a thread of its own, for one-shot calls, with the key of the command line.
///
/// # Errors
/// When it cannot be started, or the key file is not as it must be.
pub fn client(arguments: &Arguments) -> Result<Peers, Failure> {
    client_with(arguments, Limits::default(), |_, _| ())
}

/// Does the same with limits of one's own, and runs `start` on the loop; what that returns is kept
/// as long as the loop runs.
///
/// # Errors
/// When it cannot be started, or the key file is not as it must be.
pub fn client_with<T: 'static>(
    arguments: &Arguments,
    limits: Limits,
    start: impl FnOnce(&Kernel, &Rpc) -> T + Send + 'static,
) -> Result<Peers, Failure> {
    // Only for its generator: the loop's own kernel is made on the loop's thread.
    let identity = arguments.identity(&mut Kernel::new()?.handle().fresh_rng()?)?;
    let insecure = arguments.insecure;
    let start = move |kernel: &Kernel, rpc: &Rpc| {
        rpc.set_insecure_dialling(insecure);
        start(kernel, rpc)
    };
    match identity {
        Some(identity) => spawn_loop_secured(limits, identity, start),
        None => spawn_loop_with(limits, start),
    }
    .map_err(Failure::from)
}

/// Runs the commands that every binary has. Returns whether it was one.
pub(super) fn command(arguments: &Arguments) -> Result<bool, Failure> {
    match &arguments.words[..] {
        [keygen, file] if keygen == "keygen" => generate(Path::new(file)).map(|()| true),
        [key, address] if key == "key" => {
            let address = address.parse().map_err(|error| Failure::usage(format!("{error}")))?;
            show_key(&address, arguments).map(|()| true)
        }
        _ => Ok(false),
    }
}

/// Makes a key file and prints its public key.
fn generate(file: &Path) -> Result<(), Failure> {
    let identity = Identity::fresh(&mut Kernel::new()?.handle().fresh_rng()?);
    let identity = identity.map_err(|error| wrong_key(&error))?;
    identity.save_new(file).map_err(|error| wrong_key(&error))?;
    print_own(&identity.key().to_string())
}

/// Prints the key of whoever listens at an address: dials a key that nobody has, and is told which
/// one is there. The other side learns nothing of ours.
fn show_key(address: &Address, arguments: &Arguments) -> Result<(), Failure> {
    // What this asks for is an end that the log would warn of.
    log::set_max_level(log::LevelFilter::Off);
    let peers = client(arguments)?;
    let (tell, told) = mpsc::channel();
    let nobody = address.with_key(PublicKey([0; 32]));
    peers.with(move |rpc| {
        let endpoint = rpc.connect(nobody);
        let handle = endpoint.handle().clone();
        endpoint.on_close(Cont::new(&handle, move |reason: Result<CloseReason, Error>| {
            drop(tell.send(reason));
        }));
    })?;
    let reason = told.recv_timeout(PATIENCE);
    let reason = reason.map_err(|_| Failure::usage(format!("no answer from {address}")))??;
    match reason {
        CloseReason::Security(SecurityError::WrongPeer { found, .. }) => {
            print_own(&found.to_string())
        }
        reason => Err(Failure::of_call(address, &Error::new(ErrorKind::Disconnected(reason)))),
    }
}
