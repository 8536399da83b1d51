//! Reading a file and everything it imports. Paths are joined and compared as text: nothing but the
//! loader given by the user touches a file system.
//!
//! Invariants:
//! 1. Each path is read once. Kept by `a_file_named_twice_is_compiled_once`.
//! 2. `order` holds every file behind the files it imports. Kept by
//!    `as_many_files_as_there_may_be_can_import_each_other_in_a_row`.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use crate::diagnostics::{Report, Reports};
use crate::names;
use crate::source::{FileId, MAX_FILE, Sources, Span};
use crate::syntax::{ast, parse};
use crate::visible::shown;

/// The most files of one run.
const MAX_FILES: usize = 256;

/// Module names that would hide crates or types that generated code refers to.
const RESERVED_STEMS: [&str; 17] = [
    "std",
    "core",
    "alloc",
    "peers_rpc",
    "bool",
    "i8",
    "i16",
    "i32",
    "i64",
    "u8",
    "u16",
    "u32",
    "u64",
    "usize",
    "f32",
    "f64",
    "str",
];

/// Reads a file: from a disk, from memory.
pub(crate) type Loader<'l> = dyn Fn(&Path) -> io::Result<String> + 'l;

/// A parsed file.
#[derive(Debug)]
pub(crate) struct ParsedFile {
    pub(crate) tree: ast::FileTree,
    /// The file's name without its ending: the first part of every wire name it declares.
    pub(crate) stem: String,
    /// The files it imports, in order, and where it says so.
    pub(crate) imports: Vec<(FileId, Span)>,
    /// For each of them, the Rust path that `in` gives, if it does.
    pub(crate) places: Vec<Option<Vec<ast::Name>>>,
}

/// Reads a file from the disk, as far as it may be long.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    let mut text = Vec::new();
    let most = u64::try_from(MAX_FILE).unwrap_or(u64::MAX) + 1;
    File::open(path)?.take(most).read_to_end(&mut text)?;
    let whole = text.len() <= MAX_FILE;
    match String::from_utf8(text) {
        Ok(text) => Ok(text),
        // What was cut may have been cut inside a character.
        Err(_) if !whole => Ok(" ".repeat(MAX_FILE + 1)),
        Err(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8")),
    }
}

/// All files of one run, indexed by [`FileId`].
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) files: Vec<ParsedFile>,
    pub(crate) order: Vec<FileId>,
}

/// Reads and parses `path` and, breadth first, what it imports.
pub(crate) fn load(
    path: &Path,
    loader: &Loader<'_>,
    sources: &mut Sources,
    reports: &mut Reports,
) -> Loaded {
    let mut files = Files { loader, sources, reports, loaded: Loaded::default() };
    let root = normal(path);
    match files.read(&root) {
        Ok(text) => files.parse(root, text),
        Err(why) => {
            let file = files.sources.add(root, String::new());
            let title = format!("cannot read `{}`: {why}", shown(path));
            files.reports.push(Report::new(Span { file, start: 0, end: 0 }, title, ""));
            return files.loaded;
        }
    }
    // What is loaded grows while it is gone through: breadth first, without recursion.
    let mut next = 0;
    while next < files.loaded.files.len() {
        files.imports_of(FileId(next));
        next += 1;
    }
    files.check_ending();
    files.check_stems();
    files.sort();
    files.loaded
}

struct Files<'l> {
    loader: &'l Loader<'l>,
    sources: &'l mut Sources,
    reports: &'l mut Reports,
    loaded: Loaded,
}

impl Files<'_> {
    fn read(&self, path: &Path) -> Result<String, String> {
        match (self.loader)(path) {
            Ok(text) if text.len() > MAX_FILE => Err(format!("it has more than {MAX_FILE} bytes")),
            Ok(text) => Ok(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err("there is no such file".into())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    fn parse(&mut self, path: PathBuf, text: String) {
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        // Sources and parsed files share their numbers, so both grow here and nowhere else.
        let file = FileId(self.sources.0.len());
        debug_assert_eq!(file.0, self.loaded.files.len(), "each source has its tree");
        let tree = parse(file, &text, self.reports);
        self.sources.add(path, text);
        let stem = stem.unwrap_or_default();
        let (imports, places) = (Vec::new(), Vec::new());
        self.loaded.files.push(ParsedFile { tree, stem, imports, places });
    }

    /// Reads what a file imports, unless it was read before.
    fn imports_of(&mut self, file: FileId) {
        let imports = self.loaded.files[file.0].tree.imports.clone();
        for import in imports {
            if let Some(found) = self.import(file, &import) {
                let ParsedFile { imports, places, .. } = &mut self.loaded.files[file.0];
                match imports.iter().find(|(other, _)| *other == found) {
                    Some((_, first)) => {
                        let title = format!("`{}` is imported twice", import.path);
                        let report = Report::new(import.span, title, "again here");
                        self.reports.push(report.and(*first, "first here"));
                    }
                    None => {
                        imports.push((found, import.span));
                        places.push(import.place);
                    }
                }
            }
        }
    }

    fn import(&mut self, from: FileId, import: &ast::Import) -> Option<FileId> {
        if let Some(help) = unusable(&import.path) {
            let title = format!("`{}` cannot be imported", import.path);
            self.reports.push(Report::new(import.span, title, "").help(help));
            return None;
        }
        let folder = self.sources.get(from).path.parent().unwrap_or_else(|| Path::new(""));
        // Compared without `.` and `..`, so that one file is not read under two names.
        let path = normal(&folder.join(&import.path));
        if let Some(known) = self.sources.0.iter().position(|source| source.path == path) {
            return Some(FileId(known));
        }
        let read = if self.loaded.files.len() < MAX_FILES {
            self.read(&path)
        } else {
            Err(format!("more than {MAX_FILES} files are imported"))
        };
        match read {
            Ok(text) => {
                self.parse(path, text);
                Some(FileId(self.loaded.files.len() - 1))
            }
            Err(why) => {
                let title = format!("cannot import `{}`: {why}", import.path);
                let label = format!("looked for {}", shown(&path));
                self.reports.push(Report::new(import.span, title, label));
                None
            }
        }
    }

    /// Checks the ending of the file that was asked for. Those of imports were checked where they
    /// stand.
    fn check_ending(&mut self) {
        let root = &self.sources.get(FileId(0)).path;
        if root.extension().is_none_or(|ending| ending != "rpc") {
            let title = format!("`{}` is no interface file", shown(root));
            let report = Report::new(self.imported_at(FileId(0)), title, "");
            self.reports.push(report.help("interface files end in `.rpc`"));
        }
    }

    /// Stems are the first part of wire names and the names of generated modules.
    fn check_stems(&mut self) {
        for at in 0..self.loaded.files.len() {
            let stem = &self.loaded.files[at].stem;
            let span = self.imported_at(FileId(at));
            let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let named =
                stem.starts_with(|c: char| c.is_ascii_alphabetic()) && stem.chars().all(letters);
            let module = names::snake(stem);
            let unusable =
                names::is_impossible(&module) || RESERVED_STEMS.contains(&module.as_str());
            if !named || unusable {
                let title = format!("`{stem}` cannot be the name of an interface file");
                let help = "the name becomes part of every wire name and a Rust module: \
                            a letter, then letters, digits and `_`, and no name that Rust needs";
                self.reports.push(Report::new(span, title, "").help(help));
                continue;
            }
            let same = |other: &ParsedFile| names::snake(&other.stem) == module;
            if let Some(first) = self.loaded.files[..at].iter().position(same) {
                let paths = [first, at].map(|at| shown(&self.sources.0[at].path));
                let title = format!("two files are named `{stem}`: {} and {}", paths[0], paths[1]);
                let help = "wire names begin with the name of the file: rename one of them";
                self.reports.push(Report::new(span, title, "the second").help(help));
            }
        }
    }

    /// Returns where a file is first imported, or the start of the file that the user named.
    fn imported_at(&self, file: FileId) -> Span {
        let imports = self.loaded.files.iter().flat_map(|parsed| &parsed.imports);
        let mut spans = imports.filter(|(imported, _)| *imported == file).map(|(_, span)| *span);
        let start = Span { file: FileId(0), start: 0, end: 0 };
        if file == FileId(0) { start } else { spans.next().unwrap_or(start) }
    }

    /// Orders files behind what they import; whatever cannot be ordered imports itself.
    fn sort(&mut self) {
        let files = &self.loaded.files;
        let mut done = vec![false; files.len()];
        // Each round takes a file whose imports are all taken. What is left then goes in a circle.
        loop {
            let ready =
                |at: &usize| !done[*at] && files[*at].imports.iter().all(|(file, _)| done[file.0]);
            let Some(next) = (0..files.len()).find(ready) else { break };
            done[next] = true;
            self.loaded.order.push(FileId(next));
        }
        if let Some(cycle) = self.cycle(&done) {
            let files = &self.loaded.files;
            let path = cycle.iter().map(|(file, _)| format!("`{}`", files[file.0].stem));
            let path = path.collect::<Vec<_>>().join(" imports ");
            let first = format!("`{}`", files[cycle[0].0.0].stem);
            let title = format!("files import each other: {path} imports {first}");
            let mut report = Report::new(cycle[0].1, title, "this import");
            for (_, span) in &cycle[1..] {
                report = report.and(*span, "leads back by this one");
            }
            self.reports.push(report.help("move what both need to a third file"));
        }
    }

    /// Returns a cycle among the files that are not done: each with its import of the next.
    fn cycle(&self, done: &[bool]) -> Option<Vec<(FileId, Span)>> {
        let mut at = FileId(done.iter().position(|done| !done)?);
        let mut path: Vec<(FileId, Span)> = Vec::new();
        loop {
            if let Some(start) = path.iter().position(|(file, _)| *file == at) {
                return Some(path.split_off(start));
            }
            let imports = &self.loaded.files[at.0].imports;
            let (next, span) = imports.iter().find(|(file, _)| !done[file.0])?;
            path.push((at, *span));
            at = *next;
        }
    }
}

/// Returns what is wrong with the path of an import, if anything.
fn unusable(path: &str) -> Option<&'static str> {
    if path.contains('\\') {
        return Some("write `/` between folders");
    }
    if path.starts_with('/') || path.contains(':') {
        return Some("paths are relative to the importing file");
    }
    (!path.ends_with(".rpc")).then_some("interface files end in `.rpc`")
}

/// Returns the path without `.` and, where a folder stands before them, without `..`.
pub(crate) fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if ends_in_folder(&normal) => {
                normal.pop();
            }
            _ => normal.push(part),
        }
    }
    normal
}

fn ends_in_folder(path: &Path) -> bool {
    matches!(path.components().next_back(), Some(Component::Normal(_)))
}
