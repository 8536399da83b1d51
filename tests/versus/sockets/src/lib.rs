//! Bare sockets: what calls of this size could cost if they were nothing but bytes. No ids, no
//! lookup, no limits.
//!
//! [`block`] waits in `read`; [`lane`] and [`poll`] serve many connections on one `polling` loop
//! and answer all that has come with one write. Both are used by the raw programs and by the client
//! of redis-server.

pub mod block;
pub mod frames;
pub mod lane;
pub mod poll;
pub mod socket;

/// The outcome of a program.
pub type Done = Result<(), Box<dyn std::error::Error>>;

/// Runs a program: its error is printed.
pub fn run(
    name: &str,
    program: impl FnOnce(&versus_load::Options) -> Done,
) -> std::process::ExitCode {
    let options = versus_load::Options::from_arguments(name);
    versus_load::raise_descriptor_limit();
    match program(&options) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", options.name);
            std::process::ExitCode::FAILURE
        }
    }
}
