//! Log lines in the tutorial's format, on standard error:
//! `[2026/11/22 22:56:57] WARNING:  notice -- [link.rs:415]: notice: text [rpc]`.
//!
//! Lines never wait for whoever reads them: see [`Errors`].

use super::Errors;
use log::{Level, Record};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The name of the program.
static PROGRAM: OnceLock<String> = OnceLock::new();

/// Sets the log up. `RUST_LOG` chooses what is shown, warnings and errors by default.
pub fn init_log() {
    let settings = env_logger::Env::default().default_filter_or("warn");
    let mut builder = env_logger::Builder::from_env(settings);
    builder.target(env_logger::Target::Pipe(Box::new(Errors)));
    builder.format(|out, record| writeln!(out, "{}", line(&now(), record)));
    let program = std::env::args_os().next().map(PathBuf::from);
    let name =
        program.as_ref().and_then(|path| path.file_stem()).map(|name| name.to_string_lossy());
    PROGRAM.get_or_init(|| name.map_or_else(|| "program".to_owned(), |name| name.into_owned()));
    // A second call in one process (tests) keeps the first log.
    drop(builder.try_init());
}

/// Reads the wall clock, which nothing but a log line needs.
#[expect(clippy::disallowed_methods, reason = "a log line tells when it was written")]
fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

fn line(time: &str, record: &Record<'_>) -> String {
    let level = match record.level() {
        Level::Error => "ERROR",
        Level::Warn => "WARNING",
        Level::Info => "INFO",
        Level::Debug => "DEBUG",
        Level::Trace => "TRACE",
    };
    // A target of its own names the kind of trouble; a module path is merely where it was noticed.
    let kind = match record.target() {
        path if path.contains("::") || path.starts_with("peers_") => "notice",
        kind => kind,
    };
    let file = record.file().unwrap_or("?").rsplit(['/', '\\']).next().unwrap_or("?");
    let line = record.line().unwrap_or(0);
    let origin = match record.module_path() {
        Some(path) => path.split("::").next().unwrap_or(path),
        None => PROGRAM.get().map_or("program", String::as_str), // said on its behalf
    };
    let origin = origin.strip_prefix("peers_").unwrap_or(origin);
    let time = time.replace('-', "/").replace('T', " ").replace('Z', "");
    format!("[{time}] {level}:  {kind} -- [{file}:{line}]: {kind}: {} [{origin}]", record.args())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_tutorials_shape() {
        let record = Record::builder()
            .level(Level::Warn)
            .target("illegal_operation")
            .file(Some("apps/p2p/src/node.rs"))
            .line(Some(415))
            .module_path(Some("peers_p2p::node"))
            .args(format_args!("Invalid endpoint"))
            .build();
        assert_eq!(
            line("2005-07-14T22:56:57Z", &record),
            "[2005/07/14 22:56:57] WARNING:  illegal_operation -- [node.rs:415]: \
             illegal_operation: Invalid endpoint [p2p]"
        );
    }

    #[test]
    fn a_line_names_the_part_that_wrote_it() {
        for (module, origin) in [
            (Some("peers_kernel::meter"), "[kernel]"),
            (Some("peers_rpc"), "[rpc]"),
            (Some("weather::station"), "[weather]"),
            (None, "[program]"),
        ] {
            let record = Record::builder().module_path(module).args(format_args!("x")).build();
            assert!(line("2005-07-14T22:56:57Z", &record).ends_with(origin), "{module:?}");
        }
    }
}
