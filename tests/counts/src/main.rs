//! `counts PROGRAM OPERATIONS` runs a program; `counts list` names them all, each with the two
//! numbers of operations whose difference is taken, and what one operation is.

use std::process::ExitCode;

fn main() -> ExitCode {
    peers_counts::main(&peers_counts::PROGRAMS)
}
