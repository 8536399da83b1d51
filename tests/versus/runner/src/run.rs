//! One measurement: a server, a client, and what else the machine did meanwhile.

use crate::plan::{Server, System, Test};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, io};

/// Holds what a client said, and how much of the machine others used, from 0 to 1; unknown where
/// the client does not say what it used itself.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) fields: BTreeMap<String, f64>,
    pub(crate) others: Option<f64>,
}

/// Says how long a server may take to start, and a client beyond its time.
const PATIENCE: Duration = Duration::from_secs(60);

fn program(name: &str) -> PathBuf {
    let beside = env::current_exe().ok().and_then(|path| Some(path.parent()?.join(name)));
    beside.unwrap_or_else(|| name.into())
}

/// Returns whether its programs were built, or installed.
pub(crate) fn is_there(system: &System) -> bool {
    let server = match system.server {
        Server::Ours(name) => program(name).exists(),
        Server::Redis => {
            let mut version = Command::new("redis-server");
            version.arg("--version").stdout(Stdio::null()).status().is_ok()
        }
    };
    server && program(system.client).exists()
}

/// Ends with its owner.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _gone_already = self.0.kill();
        let _gone_already = self.0.wait();
    }
}

/// Runs one client against one server. `None` if the test does not apply to the system.
///
/// # Errors
/// When one of them cannot be started, fails, or takes too long.
pub(crate) fn measure(system: &System, test: &Test, seconds: f64) -> io::Result<Option<Measured>> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let socket = format!("unix:{}/versus-{port}.socket", env::temp_dir().display());
    let addr = if system.unix { socket } else { format!("127.0.0.1:{port}") };
    let server = serve(system, port, &addr)?;
    let before = (busy()?, Instant::now());
    let cores = if test.two_cores { "1" } else { "0" };
    let mut client = pinned(cores, &program(system.client).display().to_string());
    client.args(["--addr", &addr, "--name", system.name]);
    client.args(["--seconds", &seconds.to_string(), "--server-pid", &server.0.id().to_string()]);
    client.args(test.flags.split(' '));
    let mut running = Running(client.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?);
    let status = wait(&mut running.0, PATIENCE + Duration::from_secs_f64(seconds))?;
    let mut line = String::new();
    if let Some(mut out) = running.0.stdout.take() {
        out.read_to_string(&mut line)?;
    }
    match status {
        Some(0) => {}
        Some(3) => return Ok(None),
        _ => return Err(io::Error::other("the client failed")),
    }
    let fields = numbers(&line);
    let wall = before.1.elapsed().as_secs_f64();
    let all = busy()? - before.0;
    // The client's line covers its measuring time; the rest is warming up, at the same pace.
    let own = own_share(&fields);
    let others = own.map(|own| ((all - own * wall) / wall / processors()).clamp(0.0, 1.0));
    Ok(Some(Measured { fields, others }))
}

/// Processors that client and server together kept busy.
fn own_share(fields: &BTreeMap<String, f64>) -> Option<f64> {
    let of = |name: &str| fields.get(name).copied();
    let for_a_million = of("client_cpu_s_per_mcall")? + of("server_cpu_s_per_mcall")?;
    Some(for_a_million * of("calls_per_s")? / 1e6)
}

fn serve(system: &System, port: u16, addr: &str) -> io::Result<Running> {
    match system.server {
        Server::Ours(name) => {
            let mut command = pinned("0", &program(name).display().to_string());
            command.args(["--addr", addr]).stdout(Stdio::piped()).stderr(Stdio::null());
            let mut running = Running(command.spawn()?);
            let mut said = String::new();
            if let Some(out) = running.0.stdout.take() {
                BufReader::new(out).read_line(&mut said)?;
            }
            if said.trim() == "READY" { Ok(running) } else { Err(io::Error::other("no server")) }
        }
        Server::Redis => {
            let mut command = pinned("0", "redis-server");
            command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
            command.args(["--appendonly", "no", "--maxclients", "15000", "--protected-mode", "no"]);
            let running = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
            let started = Instant::now();
            while TcpStream::connect(addr).is_err() {
                if started.elapsed() > PATIENCE {
                    return Err(io::Error::other("redis-server does not listen"));
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok(running)
        }
    }
}

fn pinned(core: &str, program: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", core, program]);
    command
}

fn wait(child: &mut Child, patience: Duration) -> io::Result<Option<i32>> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.code());
        }
        if started.elapsed() > patience {
            return Err(io::Error::other("the client takes too long"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The numbers in a flat line of JSON.
fn numbers(line: &str) -> BTreeMap<String, f64> {
    let pairs = line.trim().trim_matches(['{', '}']).split(',');
    pairs
        .filter_map(|pair| {
            let (name, value) = pair.split_once(':')?;
            Some((name.trim_matches('"').to_owned(), value.parse().ok()?))
        })
        .collect()
}

fn processors() -> f64 {
    std::thread::available_parallelism().map_or(1.0, |count| count.get() as f64)
}

/// Seconds that all processors of the machine were busy for, since it was started.
fn busy() -> io::Result<f64> {
    let text = fs::read_to_string("/proc/stat")?;
    let ticks: Vec<f64> = text
        .lines()
        .next()
        .into_iter()
        .flat_map(str::split_whitespace)
        .flat_map(str::parse)
        .collect();
    // user, nice, system, idle, iowait, irq, softirq, steal, then guests, which are in user
    // already.
    let idle: f64 = ticks.iter().skip(3).take(2).sum();
    let all: f64 = ticks.iter().take(8).sum();
    Ok((all - idle) / 100.0)
}
