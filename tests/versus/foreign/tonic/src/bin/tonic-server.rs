//! The server over tonic: one thread.

use std::collections::HashMap;
use std::io::Write;
use tokio_stream::StreamExt;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};
use versus_load::{Options, raise_descriptor_limit, table};
use versus_tonic::bench_server::{Bench, BenchServer};
use versus_tonic::{Data, Done, Key, Value, WINDOW};

struct Table(HashMap<String, String>);

#[tonic::async_trait]
impl Bench for Table {
    async fn get(&self, request: Request<Key>) -> Result<Response<Value>, Status> {
        match self.0.get(&request.get_ref().key) {
            Some(value) => Ok(Response::new(Value { value: value.clone() })),
            None => Err(Status::not_found("no such key")),
        }
    }

    async fn echo(&self, request: Request<Data>) -> Result<Response<Data>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn push(&self, request: Request<Streaming<Data>>) -> Result<Response<Done>, Status> {
        let mut messages = request.into_inner();
        while let Some(message) = messages.next().await {
            drop(message?);
        }
        Ok(Response::new(Done {}))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::from_arguments("tonic");
    raise_descriptor_limit();
    let incoming = TcpIncoming::bind(options.addr.parse()?)?.with_nodelay(Some(true));
    println!("READY");
    std::io::stdout().flush()?;
    Server::builder()
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .add_service(BenchServer::new(Table(table())))
        .serve_with_incoming(incoming)
        .await?;
    Ok(())
}
