//! The client of the blocking loop.

use versus_sockets::{block, frames::Speech, run};

fn main() -> std::process::ExitCode {
    run("raw-block", |options| block::call(options, Speech::raw))
}
