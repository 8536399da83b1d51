//! The client over tarpc.

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;
use tarpc::client::Config;
use tarpc::context;
use tarpc::serde_transport;
use tarpc::tokio_serde::formats::Bincode;
use tarpc::tokio_util::codec::LengthDelimitedCodec;
use tokio::task::LocalSet;
use versus_load::{
    BATCH, BURST, CHUNK, LARGE, Mode, Options, Recorder, Report, Span, Words, key, resident,
};
use versus_tarpc::BenchClient;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::from_arguments("tarpc");
    versus_load::raise_descriptor_limit();
    match options.mode {
        Mode::Pending | Mode::Steady => options.unsupported(),
        Mode::Idle => idle(&options).await,
        Mode::Connect => LocalSet::new().run_until(connects(&options)).await,
        _ => LocalSet::new().run_until(run(&options)).await,
    }
}

async fn connect(options: &Options) -> Result<BenchClient, Box<dyn Error>> {
    let stream = tokio::net::TcpStream::connect(&options.addr).await?;
    stream.set_nodelay(true)?;
    let framed = LengthDelimitedCodec::builder().new_framed(stream);
    let transport = serde_transport::new(framed, Bincode::default());
    let mut config = Config::default();
    config.max_in_flight_requests = config.max_in_flight_requests.max(options.window);
    config.pending_request_buffer = config.pending_request_buffer.max(options.window);
    Ok(BenchClient::new(config, transport).spawn())
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
            tasks.push(tokio::task::spawn_local(calls(client, words, recorder, options.mode)));
        }
    }
    for task in tasks {
        task.await??;
    }
    Rc::into_inner(recorder).ok_or("a task is left")?.into_inner().report().print();
    Ok(())
}

async fn calls(
    client: BenchClient,
    words: Words,
    recorder: Rc<RefCell<Recorder>>,
    mode: Mode,
) -> Result<(), tarpc::client::RpcError> {
    for number in 0.. {
        let mark = recorder.borrow_mut().start();
        match mode {
            Mode::Large => {
                client.echo(context::current(), vec![7; LARGE]).await?;
            }
            Mode::Stream => {
                let push = |_| client.push(context::current(), vec![7; CHUNK]);
                futures::future::try_join_all((0..BATCH).map(push)).await?;
            }
            _ => {
                let (key, value) = words.at(number);
                let found = client.get(context::current(), key.to_owned()).await?;
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
async fn greeted(options: Options) -> Result<BenchClient, Box<dyn Error>> {
    let client = connect(&options).await?;
    client.get(context::current(), key(0)).await?;
    Ok(client)
}

async fn connects(options: &Options) -> Result<(), Box<dyn Error>> {
    let span = Span::begin(options);
    let mut clients = Vec::new();
    while clients.len() < options.conns {
        let burst = BURST.min(options.conns - clients.len());
        let tasks: Vec<_> =
            (0..burst).map(|_| tokio::task::spawn_local(greeted(options.clone()))).collect();
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
