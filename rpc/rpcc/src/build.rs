//! The compiler as a line of `build.rs`. Speaks cargo's protocol on stdout; errors go to stderr,
//! where cargo shows them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::{env, fs, process};

use crate::compiler::Compiler;
use crate::load::{normal, read_text};
use crate::visible::{shown, visible};

/// The files that this build script has written, each with the one it came from.
static WRITTEN: Mutex<BTreeMap<PathBuf, PathBuf>> = Mutex::new(BTreeMap::new());

/// Compiles an interface file, for a build script: `registry.rpc` becomes `registry.rs` in cargo's
/// `OUT_DIR`, from where `peers_rpc::include_rpc!("registry")` includes it.
///
/// `path` is relative to the package. Cargo is told to run the script again when the file or
/// something it imports changes. If anything is wrong, the errors are printed and the process exits
/// with code 1, which ends the build. That is so, too, if another file of that name was compiled
/// before: both would be written to one file.
///
/// ```no_run
/// // build.rs
/// fn main() {
///     peers_rpcc::compile("registry.rpc");
/// }
/// ```
#[expect(clippy::needless_doctest_main, reason = "the example is a whole build script")]
pub fn compile(path: impl AsRef<Path>) {
    Compiler::in_package().build(path);
}

impl Compiler<'static> {
    /// Makes a compiler that reads files from the disk, by paths relative to the package whose
    /// build script this is.
    #[must_use]
    pub fn in_package() -> Self {
        let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
        Self::with_loader(move |file| read_text(&package.join(file)))
    }
}

impl Compiler<'_> {
    /// Compiles a file in a build script, as [`compile`] does, with the options of this compiler.
    ///
    /// ```no_run
    /// // Cargo.toml has `calls = { package = "peers-rpc", … }`.
    /// peers_rpcc::Compiler::in_package().crate_path("calls").build("registry.rpc");
    /// ```
    pub fn build(&self, path: impl AsRef<Path>) {
        finish(to_out_dir(self, path.as_ref()));
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a build script talks to cargo")]
fn finish(written: Result<Vec<PathBuf>, String>) {
    match written {
        Ok(files) => {
            for file in files {
                println!("cargo::rerun-if-changed={}", file.display());
            }
        }
        Err(message) => {
            eprintln!("{}", message.trim_end());
            process::exit(1);
        }
    }
}

/// Compiles and writes; returns the files to watch, or what is to be printed.
fn to_out_dir(compiler: &Compiler<'_>, path: &Path) -> Result<Vec<PathBuf>, String> {
    let folder = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: call this from build.rs")?;
    let output = compiler.compile(path).map_err(|diagnostics| diagnostics.to_string())?;
    let name = path.with_extension("rs");
    let name = name.file_name().ok_or_else(|| format!("{} is not a file", shown(path)))?;
    let target = Path::new(&folder).join(name);
    // Before anything is written: of two files of one name the first must stay whole.
    claim(&target, path)?;
    fs::write(&target, output.rust)
        .map_err(|error| format!("cannot write {}: {error}", shown(&target)))?;
    Ok(output.files)
}

/// Notes that `target` is written from `source`; fails if it was from another file.
fn claim(target: &Path, source: &Path) -> Result<(), String> {
    let mut written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
    let first = written.entry(target.into()).or_insert_with(|| source.into());
    same_output(first, source).map_or(Ok(()), Err)
}

/// Tells what is wrong with two files of one name, unless they are the same: their outputs would be
/// one file.
pub fn same_output(first: &Path, second: &Path) -> Option<String> {
    let name = first.file_stem().unwrap_or_default().to_string_lossy();
    (normal(first) != normal(second)).then(|| {
        format!(
            "{} and {} would both be written to {}.rs: rename one of them (the name of a file is also a \
             part of what travels)",
            shown(first),
            shown(second),
            visible(&name)
        )
    })
}
