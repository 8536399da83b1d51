//! The client over tonic.

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;
use tokio::task::LocalSet;
use tonic::transport::{Channel, Endpoint};
use versus_load::{
    BATCH, CHUNK, LARGE, Mode, Options, Recorder, Report, key, keys, resident, value,
};
use versus_tonic::bench_client::BenchClient;
use versus_tonic::{Data, Key, WINDOW};

type Client = BenchClient<Channel>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::from_arguments("tonic");
    versus_load::raise_descriptor_limit();
    match options.mode {
        Mode::Steady => options.unsupported(),
        Mode::Idle => idle(&options).await,
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

async fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let recorder = Rc::new(RefCell::new(Recorder::new(options)));
    let mut tasks = Vec::new();
    for _ in 0..options.active() {
        let client = connect(options).await?;
        for _ in 0..options.window {
            let (client, recorder) = (client.clone(), recorder.clone());
            tasks.push(tokio::task::spawn_local(calls(client, recorder, options.mode)));
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
    recorder: Rc<RefCell<Recorder>>,
    mode: Mode,
) -> Result<(), tonic::Status> {
    let keys = keys();
    for key in keys.iter().cycle() {
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
                let found = client.get(Key { key: key.clone() }).await?.into_inner();
                assert_eq!(found.value, value(key), "a wrong value");
            }
        }
        if !recorder.borrow_mut().finish(mark) {
            break;
        }
    }
    Ok(())
}

async fn idle(options: &Options) -> Result<(), Box<dyn Error>> {
    let pid = options.server_pid.ok_or("--server-pid is needed")?;
    let mut first = connect(options).await?;
    first.get(Key { key: key(0) }).await?;
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
