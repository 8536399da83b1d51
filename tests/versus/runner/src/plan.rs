//! Plans what is measured on what.

/// Says how a system's server is started.
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
    /// Holds what its figure counts.
    pub(crate) unit: &'static str,
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

    /// Returns the test for a table of something else.
    pub(crate) fn without_unit(&self) -> Self {
        Self { unit: "", ..self.clone() }
    }

    fn beside(self, base: &'static str) -> Self {
        Self { base, ..self }
    }

    fn ours(self) -> Self {
        Self { only: "peers", base: "", ..self }
    }

    fn on_two_cores(self) -> Self {
        Self { two_cores: true, ..self }
    }
}

/// All tests.
pub(crate) fn tests() -> Vec<Test> {
    let mut tests = speed();
    tests.extend(cost());
    tests
}

/// Streams of calls.
fn speed() -> Vec<Test> {
    let calls = |name, label, flags| {
        let (unit, field, base) = ("calls/s", "calls_per_s", "raw-poll");
        Test { name, label, unit, flags, field, base, two_cores: false, only: "" }
    };
    let bytes = |test: Test| Test { unit: "MB/s", field: "mb_per_s", ..test.beside("raw-block") };
    let latency = calls("latency", "latency", "--mode latency").beside("raw-block");
    vec![
        Test { unit: "p50, us", field: "p50_us", ..latency },
        calls("w16", "window 16", "--mode pipeline --window 16"),
        calls("w256", "window 256", "--mode pipeline --window 256"),
        calls("w4096", "window 4096", "--mode pipeline --window 4096"),
        calls("w65536", "window 65536", "--mode pipeline --window 65536").ours(),
        calls("w256x2", "window 256, two cores", "--mode pipeline --window 256").on_two_cores(),
        calls(
            "among-1",
            "window 256 among 1 idle connection",
            "--mode pipeline --window 256 --idle 1 --warmup 4",
        )
        .ours(),
        calls(
            "among-10k",
            "window 256 among 10,000",
            "--mode pipeline --window 256 --idle 10000 --warmup 4",
        )
        .ours(),
        calls("c1000", "1000 connections x 1", "--mode conns --conns 1000"),
        calls("c64", "64 connections x 16", "--mode conns --conns 64 --window 16"),
        bytes(calls("large", "1 MiB echo", "--mode large")),
        bytes(calls("stream", "64 KiB one-way", "--mode stream --window 4")),
    ]
}

/// Returns what connections and waiting calls take.
fn cost() -> Vec<Test> {
    let of = |name, label, unit, flags, field| {
        let base = "raw-poll";
        Test { name, label, unit, flags, field, base, two_cores: false, only: "" }
    };
    let pending = "--mode pending --conns 16000";
    vec![
        of(
            "connect",
            "connect and one call, both sides",
            "us of processor",
            "--mode connect --conns 3000",
            "cpu_us_per_connect",
        ),
        of(
            "idle",
            "idle connection, server",
            "bytes",
            "--mode idle --conns 10000",
            "bytes_per_conn",
        ),
        of("pending", "pending call, client", "bytes", pending, "client_bytes_per_call").ours(),
        of("held", "pending call, server", "bytes", pending, "server_bytes_per_call").ours(),
    ]
}
