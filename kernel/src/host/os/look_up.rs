//! Looks names up with the system's resolver, which blocks, takes as long as it likes, and cannot
//! be stopped: each on a thread of its own.

use crate::host::names::{LookUpResult, usable};
use crate::host::ready::Resolved;
use std::io::{self, ErrorKind};
use std::net::ToSocketAddrs;
use std::thread;

/// Looks `name` up on a thread and hands the answer to `then`, there.
pub(crate) fn look_up(
    name: String,
    then: impl FnOnce(&str, LookUpResult) + Send + 'static,
) -> io::Result<()> {
    let work = move || {
        let answer = ask_system(&name);
        then(&name, answer)
    };
    thread::Builder::new().name("peers-look-up".to_owned()).spawn(work).map(drop)
}

/// Asks the system's resolver. Blocks.
fn ask_system(host: &str) -> LookUpResult {
    match (host, 0).to_socket_addrs() {
        Ok(found) => usable(host, found.map(Resolved::Inet).collect()),
        Err(error) => {
            // The system has one kind of error for all of these; ours says that it is about the
            // name.
            let advice = "is the name right, and does this machine's name service answer?";
            Err((ErrorKind::NotFound, format!("{error}; {advice}")))
        }
    }
}
