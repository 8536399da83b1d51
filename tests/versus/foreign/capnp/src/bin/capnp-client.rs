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
    BATCH, CHUNK, LARGE, Mode, Options, Recorder, Report, key, keys, resident, value,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::from_arguments("capnp");
    versus_load::raise_descriptor_limit();
    let done = match options.mode {
        Mode::Steady => options.unsupported(),
        Mode::Idle => LocalSet::new().run_until(idle(&options)).await,
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

async fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let recorder = Rc::new(RefCell::new(Recorder::new(options)));
    let mut tasks = Vec::new();
    for _ in 0..options.active() {
        let client = connect(options).await?;
        for _ in 0..options.window {
            let (client, recorder) = (client.clone(), recorder.clone());
            tasks.push(spawn_local(calls(client, recorder, options.mode)));
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
    recorder: Rc<RefCell<Recorder>>,
    mode: Mode,
) -> Result<(), capnp::Error> {
    let keys = keys();
    let (large, chunk) = (vec![7; LARGE], vec![7; CHUNK]);
    for key in keys.iter().cycle() {
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
                    request.get().set_data(&chunk);
                    request.send().promise
                };
                futures::future::try_join_all((0..BATCH).map(push)).await?;
            }
            _ => {
                let mut request = client.get_request();
                request.get().set_key(key);
                let response = request.send().promise.await?;
                let found = response.get()?.get_value()?.to_string()?;
                assert_eq!(found, value(key), "a wrong value");
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
    let greet = async |client: &Client| {
        let mut request = client.get_request();
        request.get().set_key(key(0));
        request.send().promise.await.map(drop)
    };
    let first = connect(options).await?;
    greet(&first).await?;
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
