//! Files that a secure peer depends on: who may read its key, who may write its list.
//!
//! It is the opened file that is judged, not the path, which may lead elsewhere a moment later.

use peers_rpc::Escaped;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use zeroize::Zeroizing;

/// Shows a path in one line.
pub(crate) fn shown(path: &Path) -> String {
    Escaped(&path.to_string_lossy()).to_string()
}

/// Reads a whole file of at most `limit` bytes, if `judge` finds nothing wrong with it.
pub(crate) fn read<E: From<io::Error>>(
    path: &Path,
    limit: usize,
    judge: impl FnOnce(&Metadata) -> Result<(), E>,
) -> Result<Zeroizing<String>, E> {
    let regular = |metadata: &Metadata| {
        let odd = io::Error::new(io::ErrorKind::InvalidInput, "this is no regular file");
        metadata.is_file().then_some(()).ok_or(odd)
    };
    // Opening a pipe would wait for its other end.
    regular(&std::fs::metadata(path)?)?;
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    regular(&metadata)?;
    judge(&metadata)?;
    // With room for all from the start, nothing is left behind where it grew.
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit.min(metadata.len() as usize) + 1));
    file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        let text = format!("it has more than {limit} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text).into());
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => {
            let mut own = Zeroizing::new(String::with_capacity(text.len()));
            own.push_str(text);
            Ok(own)
        }
        Err(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "it is no text").into()),
    }
}

/// Writes a file that nobody else may read, and that was not there before.
pub(crate) fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a key is no use, and its place would be taken.
        let _gone = std::fs::remove_file(path);
    }
    written
}

/// Who may do what with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rights {
    pub(crate) mode: u32,
    pub(crate) owner: u32,
    /// The user that this process works for.
    pub(crate) ours: u32,
}

impl Rights {
    #[cfg(unix)]
    pub(crate) fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        let ours = rustix::process::geteuid().as_raw();
        Self { mode: metadata.mode() & 0o7777, owner: metadata.uid(), ours }
    }

    /// Where there are no such rights, the file is its user's.
    #[cfg(not(unix))]
    pub(crate) fn of(_: &Metadata) -> Self {
        Self { mode: 0o600, owner: 0, ours: 0 }
    }

    /// Returns whether somebody may read it who should not. What root has mounted may be for a
    /// group.
    pub(crate) fn are_open(self) -> bool {
        self.mode & 0o007 != 0 || (self.mode & 0o070 != 0 && self.owner != 0)
    }

    /// Returns whether it is neither ours nor root's: its owner may change it at any time.
    pub(crate) fn are_foreign(self) -> bool {
        self.owner != 0 && self.owner != self.ours
    }

    /// Returns whether group or others may write to it.
    pub(crate) fn let_others_write(self) -> bool {
        self.mode & 0o022 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_for_its_user_and_root_alone() {
        let rights = |mode, owner| Rights { mode, owner, ours: 1000 };
        for (mode, owner, open) in [
            (0o600, 1000, false),
            (0o400, 1000, false),
            (0o700, 1000, false),
            (0o640, 1000, true),
            (0o620, 1000, true),
            (0o604, 1000, true),
            (0o601, 1000, true),
            (0o440, 0, false),
            (0o444, 0, true),
            (0o600, 0, false),
        ] {
            assert_eq!(rights(mode, owner).are_open(), open, "{mode:o} of {owner}");
        }
        assert!(!rights(0o600, 1000).are_foreign() && !rights(0o600, 0).are_foreign());
        assert!(rights(0o600, 1001).are_foreign());
    }
}
