//! What is measured on what.

/// How a system's server is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// A program of this workspace.
    Ours(&'static str),
    /// redis-server, from the system.
    Redis,
}

/// A system under test.
#[derive(Clone, Debug)]
pub(crate) struct System {
    pub(crate) name: &'static str,
    pub(crate) server: Server,
    pub(crate) client: &'static str,
    /// Over a Unix socket instead of TCP.
    pub(crate) unix: bool,
}

/// All systems, in the order of the columns.
pub(crate) fn systems() -> Vec<System> {
    let of = |name, server, client, unix| System { name, server, client, unix };
    vec![
        of("raw-block", Server::Ours("raw-block-server"), "raw-block-client", false),
        of("raw-poll", Server::Ours("raw-poll-server"), "raw-poll-client", false),
        of("peers", Server::Ours("peers-bench-server"), "peers-bench-client", false),
        of("peers-unix", Server::Ours("peers-bench-server"), "peers-bench-client", true),
        of("redis", Server::Redis, "redis-client", false),
        of("capnp", Server::Ours("capnp-server"), "capnp-client", false),
        of("tarpc", Server::Ours("tarpc-server"), "tarpc-client", false),
        of("tonic", Server::Ours("tonic-server"), "tonic-client", false),
    ]
}

/// One row of the table.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    /// The client's flags.
    pub(crate) flags: &'static str,
    /// The field of the results that counts.
    pub(crate) field: &'static str,
    /// The system that ratios are taken to.
    pub(crate) base: &'static str,
    /// Client and server on a core each, instead of sharing one.
    pub(crate) two_cores: bool,
    /// Only for the systems whose name begins so.
    only: &'static str,
}

impl Test {
    pub(crate) fn is_for(&self, system: &System) -> bool {
        system.name.starts_with(self.only)
    }
}

/// All tests.
pub(crate) fn tests() -> Vec<Test> {
    let of = |name, label, flags, field, base| Test {
        name,
        label,
        flags,
        field,
        base,
        two_cores: false,
        only: "",
    };
    let calls = "calls_per_s";
    vec![
        of("latency", "latency p50, us", "--mode latency", "p50_us", "raw-block"),
        of("w16", "window 16, calls/s", "--mode pipeline --window 16", calls, "raw-poll"),
        of("w256", "window 256, calls/s", "--mode pipeline --window 256", calls, "raw-poll"),
        of("w4096", "window 4096, calls/s", "--mode pipeline --window 4096", calls, "raw-poll"),
        Test {
            only: "peers",
            ..of("w65536", "window 65536, calls/s", "--mode pipeline --window 65536", calls, "")
        },
        Test {
            two_cores: true,
            ..of(
                "w256x2",
                "window 256, two cores",
                "--mode pipeline --window 256",
                calls,
                "raw-poll",
            )
        },
        Test {
            only: "peers",
            ..of(
                "among-idle",
                "window 256 among 5,000 idle connections",
                "--mode pipeline --window 256 --idle 5000",
                calls,
                "",
            )
        },
        of("c1000", "1000 connections x 1", "--mode conns --conns 1000", calls, "raw-poll"),
        of("c64", "64 connections x 16", "--mode conns --conns 64 --window 16", calls, "raw-poll"),
        of(
            "idle",
            "idle bytes a connection",
            "--mode idle --conns 9000",
            "bytes_per_conn",
            "raw-poll",
        ),
        of("large", "1 MiB echo, MB/s", "--mode large", "mb_per_s", "raw-block"),
        of("stream", "64 KiB one-way, MB/s", "--mode stream --window 4", "mb_per_s", "raw-block"),
    ]
}
