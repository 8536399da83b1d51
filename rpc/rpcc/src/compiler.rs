//! The compiler as a library.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::compat::Change;
use crate::diagnostics::{Diagnostics, Report, Reports};
use crate::load::{Loader, load, read_text};
use crate::model::Model;
use crate::schema::Schema;
use crate::source::{FileId, Sources, Span};
use crate::{check, compat, emit};

/// Compiles interface files, from a disk or from memory.
///
/// ```
/// use peers_rpcc::Compiler;
///
/// let text = "interface echo { say(text: string) -> string }";
/// let compiler = Compiler::with_loader(|_path| Ok(text.into()));
/// let output = compiler.compile("echo.rpc")?;
/// assert!(output.rust.contains("pub trait LocalEcho"));
/// # Ok::<(), peers_rpcc::Diagnostics>(())
/// ```
pub struct Compiler<'l> {
    loader: Box<Loader<'l>>,
    /// The crate that generated code is written against, as it was named.
    rpc: String,
}

/// Holds what a [`Compiler`] makes of an interface file.
#[derive(Clone, Debug)]
pub struct Output {
    /// The Rust, to be included in a module.
    pub rust: String,
    /// The file and everything it imports: what the Rust depends on.
    pub files: Vec<PathBuf>,
}

impl Compiler<'static> {
    /// Makes a compiler that reads files from the disk.
    #[must_use]
    pub fn new() -> Self {
        Self::with_loader(read_text)
    }
}

impl Default for Compiler<'static> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'l> Compiler<'l> {
    /// Makes a compiler that gets the text of a path from `loader`. Paths of imports are joined to
    /// the folder of the importing file and have no `.` and `..` but in front.
    pub fn with_loader(loader: impl Fn(&Path) -> io::Result<String> + 'l) -> Self {
        Self { loader: Box::new(loader), rpc: "peers_rpc".into() }
    }

    /// Names the crate that the generated code uses, for a package that depends on it under another
    /// name, or reaches it through a module: `my_rpc`, `crate::rpc`. Without this it is
    /// `peers_rpc`.
    ///
    /// ```
    /// # use peers_rpcc::Compiler;
    /// let text = "interface echo { say(text: string) -> string }";
    /// let compiler = Compiler::with_loader(|_path| Ok(text.into())).crate_path("my_rpc");
    /// assert!(compiler.compile("echo.rpc")?.rust.contains("::my_rpc::Caller"));
    /// # Ok::<(), peers_rpcc::Diagnostics>(())
    /// ```
    #[must_use]
    pub fn crate_path(mut self, path: impl Into<String>) -> Self {
        self.rpc = path.into();
        self
    }

    /// Compiles a file and what it imports.
    ///
    /// # Errors
    /// Everything that is wrong with the files, as far as one error does not hide another.
    pub fn compile(&self, path: impl AsRef<Path>) -> Result<Output, Diagnostics> {
        let (model, sources) = self.model(path.as_ref())?;
        let files = sources.0.into_iter().map(|source| source.path).collect();
        Ok(Output { rust: emit::emit(&model), files })
    }

    /// Reads a file and what it imports, and returns what they mean, without writing Rust.
    ///
    /// # Errors
    /// As [`compile`](Self::compile).
    pub fn schema(&self, path: impl AsRef<Path>) -> Result<Schema, Diagnostics> {
        Ok(Schema::new(self.model(path.as_ref())?.0))
    }

    /// Compares two versions of a file, with what they import.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub fn compare(
        &self,
        old: impl AsRef<Path>,
        new: impl AsRef<Path>,
    ) -> Result<Vec<Change>, Diagnostics> {
        let (old, _) = self.model(old.as_ref())?;
        let (new, _) = self.model(new.as_ref())?;
        Ok(compat::compare(&old, &new))
    }

    fn model(&self, path: &Path) -> Result<(Model, Sources), Diagnostics> {
        let (mut sources, mut reports) = (Sources::default(), Reports::default());
        let loaded = load(path, &*self.loader, &mut sources, &mut reports);
        let rpc = self.rpc(&mut reports);
        // Checks take for granted that every file was read and parsed.
        let model =
            if reports.is_empty() { check::check(&loaded, &sources, &mut reports) } else { None };
        let model = model.map(|model| Model { rpc, ..model });
        match model {
            Some(model) => Ok((model, sources)),
            None => Err(Diagnostics::new(sources, reports)),
        }
    }
}

impl Compiler<'_> {
    /// Returns the path of the crate of calls, from the root.
    fn rpc(&self, reports: &mut Reports) -> String {
        let named = self.rpc.strip_prefix("::").unwrap_or(&self.rpc);
        check::rust_path(named.split("::")).unwrap_or_else(|why| {
            let title =
                format!("`{}` cannot be the crate that generated code uses: {why}", self.rpc);
            let start = Span { file: FileId(0), start: 0, end: 0 };
            let report = Report::new(start, title, "compiling this file");
            reports.push(report.help("name a crate, such as `peers_rpc`, or a path from `crate`"));
            String::new()
        })
    }
}

impl fmt::Debug for Compiler<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiler").field("crate_path", &self.rpc).finish_non_exhaustive()
    }
}
