//! A list of who may come, in a file that people edit while the program runs.

use crate::files::{self, Rights, shown};
use peers_rpc::kernel::{Handle, PublicKey};
use peers_rpc::{Allow, Asked, Escaped, Instant};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

/// The longest list, in bytes: some ten thousand keys.
const LONGEST: usize = 1 << 20;
/// A list is read again when it is asked for, but not sooner than this. Time stamps are no help:
/// they miss quick edits.
const AGAIN: Duration = Duration::from_secs(1);
/// Bytes of a bad line that are shown.
const SHOWN: usize = 80;

/// Whom a list names: keys, with the names behind them.
type Names = BTreeMap<PublicKey, String>;

/// A line that is none, and its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadLine {
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// Reads a list: a key on each line, behind it a name for the log. What stands behind `#` is for
/// people.
pub(crate) fn read(text: &str) -> (Names, Vec<BadLine>) {
    let (mut names, mut bad) = (Names::new(), Vec::new());
    for (at, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let (key, name) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match key.parse() {
            _ if line.is_empty() => {}
            Ok(key) => {
                names.insert(key, Escaped(name.trim()).to_string());
            }
            Err(_) => {
                let short: String = key.chars().take(SHOWN).collect();
                bad.push(BadLine { line: at + 1, text: Escaped(&short).to_string() });
            }
        }
    }
    (names, bad)
}

/// A list of keys in a file, read again when it is asked for.
///
/// Opening it fails at a bad line; later, a bad line is logged and names nobody. While the file
/// cannot be read, nobody new comes, and who is in stays.
#[derive(Clone)]
pub struct AllowFile(Rc<List>);

struct List {
    path: PathBuf,
    kernel: Handle,
    state: RefCell<LastLook>,
}

/// Holds what the last look at the file has found.
struct LastLook {
    /// Whom the file names; none while it cannot be read.
    names: Option<Names>,
    read: Instant,
    /// What was wrong the last time, so that it is said once.
    said: String,
}

impl AllowFile {
    /// Reads the list for the first time.
    ///
    /// # Errors
    /// If it cannot be read, if group or others may write to it, at the first line that begins
    /// with no key, and in a simulated world, which has no files.
    pub fn open(kernel: &Handle, path: impl Into<PathBuf>) -> Result<Self, AllowFileError> {
        let path = path.into();
        if kernel.is_simulated() {
            return Err(AllowFileError::Simulated);
        }
        let (names, bad) = load(&path)?;
        if let Some(BadLine { line, text }) = bad.into_iter().next() {
            return Err(AllowFileError::BadLine { path: shown(&path), line, text });
        }
        let state = LastLook { names: Some(names), read: kernel.now(), said: String::new() };
        Ok(Self(Rc::new(List { path, kernel: kernel.clone(), state: state.into() })))
    }

    /// Returns whether the list names `key`; nothing while it cannot be read.
    pub fn names(&self, key: &PublicKey) -> Option<bool> {
        self.0.refresh();
        self.0.state.borrow().names.as_ref().map(|names| names.contains_key(key))
    }

    /// Returns the policy that lets in whom the list names at that time.
    pub fn allow(&self) -> Allow {
        let list = self.clone();
        Allow::asked(move |key, asked| list.names(key).unwrap_or(asked == Asked::Stays))
    }

    /// Returns the name behind a key.
    pub fn name(&self, key: &PublicKey) -> Option<String> {
        let name = self.0.state.borrow().names.as_ref()?.get(key)?.clone();
        (!name.is_empty()).then_some(name)
    }
}

impl List {
    fn refresh(&self) {
        let mut state = self.state.borrow_mut();
        let now = self.kernel.now();
        if now - state.read < AGAIN {
            return;
        }
        state.read = now;
        let said = match load(&self.path) {
            Ok((names, bad)) => {
                state.names = Some(names);
                bad.iter()
                    .map(|bad| AllowFileError::line(&self.path, bad).to_string() + "; ")
                    .collect()
            }
            Err(error) => {
                state.names = None;
                format!("{error}; until it can be read again, nobody new comes in")
            }
        };
        if said != state.said && !said.is_empty() && self.kernel.may_log() {
            log::warn!("{}", Escaped(said.trim_end_matches("; ")));
        }
        state.said = said;
    }
}

fn load(path: &Path) -> Result<(Names, Vec<BadLine>), AllowFileError> {
    let text = files::read(path, LONGEST, |metadata| {
        let rights = Rights::of(metadata);
        let (mode, path) = (rights.mode, String::new());
        if rights.let_others_write() {
            Err(AllowFileError::Writable { path, mode })
        } else {
            Ok(())
        }
    });
    text.map(|text| read(&text)).map_err(|error| error.of(path))
}

impl fmt::Debug for AllowFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AllowFile({})", shown(&self.0.path))
    }
}

/// Says why a list of keys cannot be used, in words for whoever edits it.
#[derive(Debug)]
#[non_exhaustive]
pub enum AllowFileError {
    /// The system does not let us read it.
    Unreadable {
        /// The file.
        path: String,
        /// The system's words.
        error: io::Error,
    },
    /// Group or others may write to it, and so decide who comes in.
    Writable {
        /// The file.
        path: String,
        /// Its rights.
        mode: u32,
    },
    /// A line begins with no key.
    BadLine {
        /// The file.
        path: String,
        /// The number of the line, from one.
        line: usize,
        /// Its first word.
        text: String,
    },
    /// A simulated world has no files.
    Simulated,
}

impl AllowFileError {
    fn line(path: &Path, bad: &BadLine) -> Self {
        Self::BadLine { path: shown(path), line: bad.line, text: bad.text.clone() }
    }

    /// Names the file.
    fn of(self, file: &Path) -> Self {
        match self {
            Self::Unreadable { error, .. } => Self::Unreadable { path: shown(file), error },
            Self::Writable { mode, .. } => Self::Writable { path: shown(file), mode },
            other => other,
        }
    }
}

impl From<io::Error> for AllowFileError {
    fn from(error: io::Error) -> Self {
        Self::Unreadable { path: String::new(), error }
    }
}

impl fmt::Display for AllowFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, error } => write!(f, "{path} cannot be read: {error}"),
            Self::Writable { path, mode } => write!(
                f,
                "{path} can be written by others (mode {mode:04o}): chmod go-w {path}; look who is on it"
            ),
            Self::BadLine { path, line, text } => {
                write!(f, "{path}, line {line}: `{text}` is no key: 64 hex digits")
            }
            Self::Simulated => f.write_str("a simulated world has no files: use Allow::keys"),
        }
    }
}

impl std::error::Error for AllowFileError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_a_key_a_line_with_a_name_and_remarks() {
        let (one, two) = (PublicKey([1; 32]), PublicKey([0xab; 32]));
        let upper = two.to_string().to_uppercase();
        let text =
            format!("# friends\n\n  {one}  alice of the mill # since May\r\n{upper}\n07fe\n");
        let (names, bad) = read(&text);
        assert_eq!(names.len(), 2);
        assert_eq!((&names[&one][..], &names[&two][..]), ("alice of the mill", ""));
        assert_eq!(bad, [BadLine { line: 5, text: "07fe".into() }]);
    }
}
