//! The client over tonic.

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;
use tokio::task::LocalSet;
use tonic::transport::{Channel, Endpoint};
use versus_load::{
    BATCH, BURST, CHUNK, LARGE, Mode, Options, Recorder, Report, Span, Words, key, resident,
};
use versus_tonic::bench_client::BenchClient;
use versus_tonic::{Data, Key, WINDOW};

type Client = BenchClient<Channel>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::from_arguments("tonic");
    versus_load::raise_descriptor_limit();
    match options.mode {
        Mode::Pending | Mode::Steady => options.unsupported(),
        Mode::Idle => idle(&options).await,
        Mode::Connect => LocalSet::new().run_until(connects(&options)).await,
        _ => LocalSet::new().run_until(run(&options)).await,
    }
}

async fn connect(options: &Options) -> Result<Client, Box<dyn Error>> {
    let endpoint = Endpoint::from_shared(format!("http://{}", options.addr))?
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .tcp_nodelay(true);
    Ok(BenchClient::new(endpoint.connect().await?))
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
    mut client: Client,
    words: Words,
    recorder: Rc<RefCell<Recorder>>,
    mode: Mode,
) -> Result<(), tonic::Status> {
    for number in 0.. {
        let mark = recorder.borrow_mut().start();
        match mode {
            Mode::Large => {
                client.echo(Data { data: vec![7; LARGE] }).await?;
            }
            Mode::Stream => {
                let batch = (0..BATCH).map(|_| Data { data: vec![7; CHUNK] });
                client.push(tokio_stream::iter(batch)).await?;
            }
            _ => {
                let (key, value) = words.at(number);
                let found = client.get(Key { key: key.to_owned() }).await?.into_inner();
                assert_eq!(found.value, value, "a wrong value");
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
    let mut client = connect(&options).await?;
    client.get(Key { key: key(0) }).await?;
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
