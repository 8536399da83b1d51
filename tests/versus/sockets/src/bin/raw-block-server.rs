//! The server of the blocking loop.

fn main() -> std::process::ExitCode {
    versus_sockets::run("raw-block", versus_sockets::block::serve)
}
