//! Runs the transcripts of a document: what a reader would type, in several terminals, and what
//! they would see.
//!
//! A fence that begins with ` ```console ` is a transcript. A name behind it says in which
//! terminal; without one, it is the reader's main one. In a fence:
//!
//! * `$ COMMAND` runs a command to its end; the lines below are what it prints, standard error
//!   included;
//! * `$ COMMAND &` starts it in the background; the lines below are awaited, and come from any
//!   background process of that terminal;
//! * lines before the first command are awaited from the background processes of that terminal;
//! * `$ kill PID`, `$ kill -9 PID`, `$ echo $?` and `$ echo TEXT >> FILE` mean what they say.
//!
//! A line `...` stands for any number of lines, `[..]` inside a line for any text.
//!
//! The document shows ports, process ids and node ids of one real run; this run has others.
//! Listening ports are replaced by free ones in commands and back in output; a process id is
//! learned where a process first shows it, and so is a key, where it is a line of its own; node ids
//! and the ports of dialling sockets compare as equal. Files whose names end in `.key` or `.list`
//! lie in a folder of the run's own.
//!
//! Nothing outlives a run: background processes are killed by id when it ends, and every wait has a
//! deadline.

use crate::difference::difference;
use crate::elision::{line_matches, lines_match, without_chance};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Says how long an expected line of a background process may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// One fence of a document.
#[derive(Debug, PartialEq, Eq)]
pub struct Fence {
    /// Says which terminal.
    pub terminal: String,
    /// Line of the document on which it begins.
    pub line: usize,
    /// Its lines.
    pub lines: Vec<String>,
}

/// The transcripts of a document, in order.
pub fn fences(document: &str) -> Vec<Fence> {
    let mut found: Vec<Fence> = Vec::new();
    let mut inside = false;
    for (at, line) in document.lines().enumerate() {
        if let Some(info) = line.strip_prefix("```") {
            if !inside && info.split_whitespace().next() == Some("console") {
                let terminal = info.split_whitespace().nth(1).unwrap_or("main").to_owned();
                found.push(Fence { terminal, line: at + 1, lines: Vec::new() });
                inside = true;
            } else {
                inside = false;
            }
        } else if inside && let Some(fence) = found.last_mut() {
            fence.lines.push(line.to_owned());
        }
    }
    found
}

/// The background processes of one terminal.
#[derive(Debug)]
struct Terminal {
    lines: Receiver<String>,
    sender: Sender<String>,
    /// Lines that came and were not expected yet.
    kept: Vec<String>,
    children: Vec<Child>,
}

impl Default for Terminal {
    fn default() -> Self {
        let (sender, lines) = channel();
        Self { lines, sender, kept: Vec::new(), children: Vec::new() }
    }
}

/// A reader at work.
#[derive(Debug, Default)]
pub struct Session {
    /// Says where the commands are.
    binaries: BTreeMap<String, PathBuf>,
    /// Port in the document to port of this run.
    ports: BTreeMap<String, String>,
    /// Process id of this run to process id in the document.
    pids: BTreeMap<String, String>,
    /// Key of this run to key in the document.
    keys: BTreeMap<String, String>,
    /// Holds the files of this run, once there are some.
    folder: Option<PathBuf>,
    terminals: BTreeMap<String, Terminal>,
    last_code: i32,
}

impl Session {
    /// A session in which these commands exist.
    pub fn new(binaries: impl IntoIterator<Item = (&'static str, PathBuf)>) -> Self {
        let mut session = Self::default();
        session.binaries.extend(binaries.into_iter().map(|(name, path)| (name.to_owned(), path)));
        session
    }

    /// Types a fence and compares what shows.
    ///
    /// # Errors
    /// What was expected and what came instead, with the line of the document.
    pub fn run(&mut self, fence: &Fence) -> Result<(), String> {
        let mut expected: Vec<&str> = Vec::new();
        let mut output: Option<Vec<String>> = None;
        for line in fence.lines.iter().map(String::as_str).chain(["$"]) {
            let Some(command) = line.strip_prefix('$') else {
                expected.push(line);
                continue;
            };
            self.compare(&fence.terminal, &expected, output.take())
                .map_err(|problem| format!("the transcript at line {}: {problem}", fence.line))?;
            expected.clear();
            let command = command.trim();
            if !command.is_empty() {
                output = self.command(&fence.terminal, command)?;
            }
        }
        Ok(())
    }

    fn compare(
        &mut self,
        terminal: &str,
        expected: &[&str],
        output: Option<Vec<String>>,
    ) -> Result<(), String> {
        match output {
            Some(output) => {
                self.learn_keys(expected, &output);
                let shown: Vec<String> = output.iter().map(|line| self.as_shown(line)).collect();
                if lines_match(expected, &shown) {
                    return Ok(());
                }
                // What differs by chance from run to run is no difference.
                let plain = |lines: &[&str]| {
                    lines.iter().map(|line| without_chance(line)).collect::<Vec<_>>().join("\n")
                };
                let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
                let differ = difference(&plain(expected), &plain(&shown));
                Err(format!("it prints other lines (- expected, + found):\n{differ}"))
            }
            None => {
                // Lines that are shown whole take theirs first, so that an elision does not take it
                // from them.
                let (elided, whole): (Vec<&str>, Vec<&str>) =
                    expected.iter().copied().partition(|line| line.contains("[..]"));
                let mut lines = whole.into_iter().chain(elided);
                lines.try_for_each(|line| self.expect_line(terminal, line))
            }
        }
    }

    /// Takes each new key that is a line of its own for the one that the document shows there.
    fn learn_keys(&mut self, expected: &[&str], output: &[String]) {
        for (shown, ours) in expected.iter().zip(output) {
            let is_known = self.keys.contains_key(ours) || self.keys.values().any(|k| k == shown);
            if is_key(shown) && is_key(ours) && !is_known {
                self.keys.insert(ours.clone(), (*shown).to_owned());
            }
        }
    }

    /// The path of a file of this run.
    fn file(&mut self, name: &str) -> PathBuf {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let folder = self.folder.get_or_insert_with(|| {
            let number = MADE.fetch_add(1, Ordering::Relaxed);
            let name = format!("peers-transcript-{}-{number}", std::process::id());
            std::env::temp_dir().join(name)
        });
        drop(std::fs::create_dir_all(&*folder)); // what is written there says so if it is not there
        folder.join(name)
    }

    /// Appends a line to a file.
    fn write_line(&mut self, text: &str, file: &str) -> std::io::Result<()> {
        let text: Vec<String> = text.split(' ').map(|word| self.as_typed(word)).collect();
        let path = self.file(file);
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
        writeln!(file, "{}", text.join(" "))
    }

    /// Waits until a background process of the terminal has printed the line. Lines of several
    /// processes come in any order, so what does not match now is kept for later.
    fn expect_line(&mut self, terminal: &str, expected: &str) -> Result<(), String> {
        let mut kept = std::mem::take(&mut self.terminal(terminal).kept);
        let found = kept.iter().position(|line| self.matches(expected, line));
        let outcome = match found {
            Some(at) => {
                kept.remove(at);
                Ok(())
            }
            None => self.read_until(terminal, expected, &mut kept),
        };
        self.terminal(terminal).kept = kept;
        outcome
    }

    fn read_until(
        &mut self,
        terminal: &str,
        expected: &str,
        kept: &mut Vec<String>,
    ) -> Result<(), String> {
        loop {
            let Ok(line) = self.terminal(terminal).lines.recv_timeout(PATIENCE) else {
                let kept = kept.join("\n");
                return Err(format!("{expected:?} was never printed; these were:\n{kept}"));
            };
            if self.matches(expected, &line) {
                return Ok(());
            }
            kept.push(line);
        }
    }

    fn terminal(&mut self, name: &str) -> &mut Terminal {
        self.terminals.entry(name.to_owned()).or_default()
    }

    /// Returns whether a line is the expected one. A process id not seen before is taken for the
    /// one that the document shows.
    fn matches(&mut self, expected: &str, line: &str) -> bool {
        if line_matches(expected, &self.as_shown(line)) {
            return true;
        }
        let (Some(shown), Some(ours)) = (leading_number(expected), leading_number(line)) else {
            return false;
        };
        let is_new = !self.pids.contains_key(ours) && !self.pids.values().any(|pid| pid == shown);
        let rest = self.as_shown(&line[ours.len()..]);
        let same = is_new && line_matches(&expected[shown.len()..], &rest);
        if same {
            self.pids.insert(ours.to_owned(), shown.to_owned());
        }
        same
    }

    /// Runs a command; its output, or none yet if it goes on in the background.
    fn command(&mut self, terminal: &str, line: &str) -> Result<Option<Vec<String>>, String> {
        if line == "echo $?" {
            return Ok(Some(vec![self.last_code.to_string()]));
        }
        if let Some((text, file)) =
            line.strip_prefix("echo ").and_then(|rest| rest.split_once(" >> "))
        {
            let written = self.write_line(text, file);
            return written.map(|()| Some(Vec::new())).map_err(|error| format!("{file}: {error}"));
        }
        let (line, background) = match line.strip_suffix('&') {
            Some(line) => (line, true),
            None => (line, false),
        };
        let words = words(line);
        let (name, arguments) = words.split_first().ok_or("an empty command")?;
        let arguments: Vec<String> = arguments.iter().map(|word| self.as_typed(word)).collect();
        let binary = self.binaries.get(name).cloned().unwrap_or_else(|| PathBuf::from(name));
        let mut command = Command::new(&binary);
        command.args(&arguments).current_dir(crate::root());
        command.stdin(Stdio::null()).env_remove("RUST_LOG");
        if background {
            return self
                .start(terminal, command)
                .map(|()| None)
                .map_err(|e| format!("{name}: {e}"));
        }
        let output = command.output().map_err(|error| format!("{name}: {error}"))?;
        self.last_code = output.status.code().unwrap_or(-1);
        let text = [output.stdout, output.stderr].concat();
        Ok(Some(String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()))
    }

    fn start(&mut self, terminal: &str, mut command: Command) -> std::io::Result<()> {
        let terminal = self.terminal(terminal);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        if let Some(stdout) = child.stdout.take() {
            forward(stdout, terminal.sender.clone());
        }
        if let Some(stderr) = child.stderr.take() {
            forward(stderr, terminal.sender.clone());
        }
        terminal.children.push(child);
        Ok(())
    }

    /// A word of the document as this run types it.
    fn as_typed(&mut self, word: &str) -> String {
        if let Some((pid, _)) = self.pids.iter().find(|(_, shown)| *shown == word) {
            return pid.clone();
        }
        if word.ends_with(".key") || word.ends_with(".list") {
            return self.file(word).display().to_string();
        }
        let mut word = word.to_owned();
        for (ours, shown) in &self.keys {
            word = word.replace(shown, ours);
        }
        let word = word.as_str();
        let Some((head, port)) = word.rsplit_once(':') else { return word.to_owned() };
        let is_port = port.parse::<u16>().is_ok_and(|port| port > 0);
        if !head.starts_with("inet:") || !is_port {
            return word.to_owned();
        }
        let ours = self.ports.entry(port.to_owned()).or_insert_with(free_port);
        format!("{head}:{ours}")
    }

    /// A line of this run as the document would show it.
    fn as_shown(&self, line: &str) -> String {
        let mut line = line.to_owned();
        for (shown, ours) in &self.ports {
            line = line.replace(&format!(":{ours}"), &format!(":{shown}"));
        }
        for (ours, shown) in &self.keys {
            line = line.replace(ours, shown);
        }
        if let Some(folder) = &self.folder {
            line = line.replace(&format!("{}/", folder.display()), "");
        }
        match line.split_once([' ', ':']) {
            Some((pid, rest)) if self.pids.contains_key(pid) => {
                let separator = &line[pid.len()..line.len() - rest.len()];
                format!("{}{separator}{rest}", self.pids[pid])
            }
            _ => line,
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let children = self.terminals.values_mut().flat_map(|terminal| &mut terminal.children);
        for child in children {
            drop(child.kill()); // one that has ended already is what we want
            drop(child.wait());
        }
        if let Some(folder) = &self.folder {
            drop(std::fs::remove_dir_all(folder));
        }
    }
}

/// Returns whether a line is a key and nothing else.
fn is_key(line: &str) -> bool {
    line.len() == 64 && line.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The digits that a line begins with.
fn leading_number(line: &str) -> Option<&str> {
    let end = line.find(|c: char| !c.is_ascii_digit()).unwrap_or(line.len());
    (end > 0).then(|| &line[..end])
}

fn forward(from: impl Read + Send + 'static, to: Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if to.send(line).is_err() {
                break;
            }
        }
    });
}

fn free_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it has an address").port().to_string()
}

/// Words as a shell splits them: spaces separate, quotes keep together.
fn words(line: &str) -> Vec<String> {
    let (mut found, mut word, mut quote, mut begun) = (Vec::new(), String::new(), None, false);
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '"' || c == '\'' => (quote, begun) = (Some(c), true),
            None if c.is_whitespace() => {
                if begun {
                    found.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            _ => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        found.push(word);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_know_their_terminal() {
        let found =
            fences("text\n```console a\n$ x\ny\n```\n```rust\n$ no\n```\n```console\n$ z\n```\n");
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].terminal.as_str(), found[0].line), ("a", 2));
        assert_eq!(found[0].lines, ["$ x", "y"]);
        assert_eq!(
            (found[1].terminal.as_str(), &found[1].lines[..]),
            ("main", &["$ z".to_owned()][..])
        );
    }

    #[test]
    fn a_wrong_transcript_fails() {
        let mut session = Session::new([]);
        let fence = |lines: &[&str]| Fence {
            terminal: "main".to_owned(),
            line: 1,
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        };
        session.run(&fence(&["$ echo 'a  b' c", "a  b c", "$ false", "$ echo $?", "1"])).unwrap();
        assert!(session.run(&fence(&["$ echo a", "b"])).is_err());
        assert!(session.run(&fence(&["$ echo a"])).is_err());
        assert!(session.run(&fence(&["$ true", "a"])).is_err());
    }
}
