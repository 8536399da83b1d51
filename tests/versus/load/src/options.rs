//! The flags that every program takes.

use lexopt::{Arg, Parser, ValueExt};
use std::str::FromStr;
use std::time::Duration;

/// Says what a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One call at a time on one connection.
    Latency,
    /// So many calls at a time (`--window`) on one connection.
    Pipeline,
    /// Many connections (`--conns`), so many calls at a time on each.
    Conns,
    /// Many connections that do nothing: what the server needs for each.
    Idle,
    /// Echoes of 1 MiB, one at a time.
    Large,
    /// Messages of 64 KiB in one direction, as fast as they go.
    Stream,
    /// Connections opened (`--conns`), each with one call: what one takes of both sides.
    Connect,
    /// Calls that are not answered (`--conns`, on one connection): what each side keeps for one.
    Pending,
    /// Paced calls, one line for each.
    Steady,
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Ok(match word {
            "latency" => Self::Latency,
            "pipeline" => Self::Pipeline,
            "conns" => Self::Conns,
            "idle" => Self::Idle,
            "large" => Self::Large,
            "stream" => Self::Stream,
            "connect" => Self::Connect,
            "pending" => Self::Pending,
            "steady" => Self::Steady,
            _ => return Err(format!("no such mode: {word}")),
        })
    }
}

impl Mode {
    /// The word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Pipeline => "pipeline",
            Self::Conns => "conns",
            Self::Idle => "idle",
            Self::Large => "large",
            Self::Stream => "stream",
            Self::Connect => "connect",
            Self::Pending => "pending",
            Self::Steady => "steady",
        }
    }
}

/// The flags of one run.
#[derive(Clone, Debug)]
pub struct Options {
    /// `HOST:PORT` or `unix:/path`.
    pub addr: String,
    /// Holds what a client does.
    pub mode: Mode,
    /// Calls at a time, on each connection.
    pub window: usize,
    /// Connections; calls, for [`Mode::Pending`].
    pub conns: usize,
    /// Further connections that do nothing.
    pub idle: usize,
    /// Says how long to measure.
    pub seconds: Duration,
    /// Says how long to run before measuring.
    pub warmup: Duration,
    /// Calls in a second, for [`Mode::Steady`].
    pub rate: f64,
    /// The server's process, to be measured as well.
    pub server_pid: Option<u32>,
    /// Holds what to call the system in the results.
    pub name: String,
}

impl Options {
    /// The flags of this process. Ends it with a message if they are wrong.
    pub fn from_arguments(name: &str) -> Self {
        Self::parse(Parser::from_env(), name).unwrap_or_else(|error| {
            eprintln!("{error}");
            std::process::exit(2)
        })
    }

    fn parse(mut parser: Parser, name: &str) -> Result<Self, lexopt::Error> {
        let seconds = |parser: &mut Parser| -> Result<Duration, lexopt::Error> {
            let seconds: f64 = parser.value()?.parse()?;
            Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string().into())
        };
        let mut options = Self {
            addr: String::new(),
            mode: Mode::Latency,
            window: 1,
            conns: 1,
            idle: 0,
            seconds: Duration::from_secs(2),
            warmup: Duration::from_millis(300),
            rate: 100.0,
            server_pid: None,
            name: name.to_owned(),
        };
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Long("addr") => options.addr = parser.value()?.string()?,
                Arg::Long("mode") => options.mode = parser.value()?.parse()?,
                Arg::Long("window") => options.window = parser.value()?.parse()?,
                Arg::Long("conns") => options.conns = parser.value()?.parse()?,
                Arg::Long("idle") => options.idle = parser.value()?.parse()?,
                Arg::Long("seconds") => options.seconds = seconds(&mut parser)?,
                Arg::Long("warmup") => options.warmup = seconds(&mut parser)?,
                Arg::Long("rate") => options.rate = parser.value()?.parse()?,
                Arg::Long("server-pid") => options.server_pid = Some(parser.value()?.parse()?),
                Arg::Long("name") => options.name = parser.value()?.string()?,
                other => return Err(other.unexpected()),
            }
        }
        if options.addr.is_empty() {
            return Err("--addr HOST:PORT or unix:/path is needed".into());
        }
        options.window = options.window.max(1);
        options.conns = options.conns.max(1);
        if options.mode == Mode::Latency {
            options.window = 1;
        }
        Ok(options)
    }

    /// Connections that carry calls.
    pub fn active(&self) -> usize {
        if self.mode == Mode::Conns { self.conns } else { 1 }
    }

    /// The path of a Unix address.
    pub fn unix_path(&self) -> Option<&str> {
        self.addr.strip_prefix("unix:")
    }

    /// Returns how often results look at the clock: each call where calls are slow, one in 64 where
    /// they are fast.
    pub(crate) fn stride(&self) -> u64 {
        match self.mode {
            Mode::Pipeline | Mode::Conns if self.window * self.active() >= 16 => 64,
            _ => 1,
        }
    }

    /// Says what was asked for and cannot be done, and ends the process: the runner leaves it out.
    pub fn unsupported(&self) -> ! {
        eprintln!("{}: mode {} does not apply", self.name, self.mode.word());
        std::process::exit(3)
    }
}
