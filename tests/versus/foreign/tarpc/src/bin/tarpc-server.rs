//! The server over tarpc: one thread, bincode; a task for each connection, which is faster here
//! than one for each request.

use futures::StreamExt;
use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;
use tarpc::context::Context;
use tarpc::serde_transport;
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::Bincode;
use tarpc::tokio_util::codec::LengthDelimitedCodec;
use versus_load::{Options, raise_descriptor_limit, table};
use versus_tarpc::Bench;

#[derive(Clone)]
struct Server(Arc<HashMap<String, String>>);

impl Bench for Server {
    async fn get(self, _: Context, key: String) -> String {
        self.0.get(&key).cloned().unwrap_or_default()
    }

    async fn echo(self, _: Context, data: Vec<u8>) -> Vec<u8> {
        data
    }

    async fn push(self, _: Context, data: Vec<u8>) {
        drop(data);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let options = Options::from_arguments("tarpc");
    raise_descriptor_limit();
    let listener = tokio::net::TcpListener::bind(&options.addr).await?;
    println!("READY");
    std::io::stdout().flush()?;
    let server = Server(Arc::new(table()));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let framed = LengthDelimitedCodec::builder().new_framed(stream);
        let transport = serde_transport::new(framed, Bincode::default());
        let requests = BaseChannel::with_defaults(transport).execute(server.clone().serve());
        tokio::spawn(requests.for_each(|response| response));
    }
}
