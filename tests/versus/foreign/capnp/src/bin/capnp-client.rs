//! The client over capnp-rpc.

use capnp_rpc::{RpcSystem, rpc_twoparty_capnp::Side, twoparty};
use futures::AsyncReadExt;
use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;
use tokio::task::{LocalSet, spawn_local};
use tokio_util::compat::TokioAsyncReadCompatExt;
use versus_capnp::bench_capnp::bench::Client;
use versus_load::{
    BATCH, BURST, CHUNK, LARGE, Mode, Options, Recorder, Report, Span, Words, key, resident,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::from_arguments("capnp");
    versus_load::raise_descriptor_limit();
    let done = match options.mode {
        Mode::Pending | Mode::Steady => options.unsupported(),
        Mode::Idle => LocalSet::new().run_until(idle(&options)).await,
        Mode::Connect => LocalSet::new().run_until(connects(&options)).await,
        _ => LocalSet::new().run_until(run(&options)).await,
    };
    if done.is_ok() {
        // The connections' tasks never end by themselves.
        std::process::exit(0);
    }
    done
}

async fn connect(options: &Options) -> Result<Client, Box<dyn Error>> {
    let stream = tokio::net::TcpStream::connect(&options.addr).await?;
    stream.set_nodelay(true)?;
    let (reader, writer) = stream.compat().split();
    let network = Box::new(twoparty::VatNetwork::new(
        futures::io::BufReader::new(reader),
        futures::io::BufWriter::new(writer),
        Side::Client,
        Default::default(),
    ));
    let mut system = RpcSystem::new(network, None);
    let client = system.bootstrap(Side::Server);
    spawn_local(system);
    Ok(client)
}

/// One task for each call that is on its way, once all connections are there.
async fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let mut clients = Vec::new();
    for _ in 0..options.active() {
        clients.push(connect(options).await?);
    }
    let words = Words::all();
    let recorder = Rc::new(RefCell::new(Recorder::new(options)));
    let mut tasks = Vec::new();
    for client in clients {
        for _ in 0..options.window {
            let (client, words, recorder) = (client.clone(), words.clone(), recorder.clone());
            tasks.push(spawn_local(calls(client, words, recorder, options.mode)));
        }
    }
    for task in tasks {
        task.await??;
    }
    Rc::into_inner(recorder).ok_or("a task is left")?.into_inner().report().print();
    Ok(())
}

async fn calls(
    client: Client,
    words: Words,
    recorder: Rc<RefCell<Recorder>>,
    mode: Mode,
) -> Result<(), capnp::Error> {
    let large = match mode {
        Mode::Large => vec![7; LARGE],
        Mode::Stream => vec![7; CHUNK],
        _ => Vec::new(),
    };
    for number in 0.. {
        let mark = recorder.borrow_mut().start();
        match mode {
            Mode::Large => {
                let mut request = client.echo_request();
                request.get().set_data(&large);
                let response = request.send().promise.await?;
                assert_eq!(response.get()?.get_data()?.len(), LARGE, "a wrong echo");
            }
            Mode::Stream => {
                let push = |_| {
                    let mut request = client.push_request();
                    request.get().set_data(&large);
                    request.send().promise
                };
                futures::future::try_join_all((0..BATCH).map(push)).await?;
            }
            _ => {
                let (key, value) = words.at(number);
                let mut request = client.get_request();
                request.get().set_key(key);
                let response = request.send().promise.await?;
                let found = response.get()?.get_value()?.to_str()?;
                assert_eq!(found, value, "a wrong value");
            }
        }
        if !recorder.borrow_mut().finish(mark) {
            break;
        }
    }
    Ok(())
}

/// A connection with one call.
async fn greeted(options: Options) -> Result<Client, Box<dyn Error>> {
    let client = connect(&options).await?;
    let mut request = client.get_request();
    request.get().set_key(key(0));
    request.send().promise.await?;
    Ok(client)
}

async fn connects(options: &Options) -> Result<(), Box<dyn Error>> {
    let span = Span::begin(options);
    let mut clients = Vec::new();
    while clients.len() < options.conns {
        let burst = BURST.min(options.conns - clients.len());
        let tasks: Vec<_> = (0..burst).map(|_| spawn_local(greeted(options.clone()))).collect();
        for task in tasks {
            clients.push(task.await??);
        }
    }
    span.connected(options, clients.len()).print();
    Ok(())
}

async fn idle(options: &Options) -> Result<(), Box<dyn Error>> {
    let pid = options.server_pid.ok_or("--server-pid is needed")?;
    let _first = greeted(options.clone()).await?;
    let before = resident(pid).ok_or("the server's memory cannot be read")?;
    let mut clients = Vec::new();
    for _ in 0..options.conns {
        clients.push(connect(options).await?);
    }
    tokio::time::sleep(options.seconds).await;
    let after = resident(pid).ok_or("the server is gone")?;
    let mut report = Report::of(options);
    report.number("bytes_per_conn", after.saturating_sub(before) as f64 / clients.len() as f64);
    report.print();
    Ok(())
}
