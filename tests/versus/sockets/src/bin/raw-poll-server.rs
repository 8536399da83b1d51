//! The server of the batching loop.

fn main() -> std::process::ExitCode {
    versus_sockets::run("raw-poll", versus_sockets::poll::serve)
}
