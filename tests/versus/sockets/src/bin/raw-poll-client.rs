//! The client of the batching loop.

use versus_sockets::{frames::Speech, poll, run};

fn main() -> std::process::ExitCode {
    run("raw-poll", |options| poll::call(options, Speech::raw))
}
