//! The server over capnp-rpc: one thread.

use capnp_rpc::{RpcSystem, rpc_twoparty_capnp::Side, twoparty};
use futures::AsyncReadExt;
use std::collections::HashMap;
use std::io::Write;
use std::rc::Rc;
use tokio_util::compat::TokioAsyncReadCompatExt;
use versus_capnp::bench_capnp::bench;
use versus_load::{Options, raise_descriptor_limit, table};

struct Server(HashMap<String, String>);

impl bench::Server for Server {
    async fn get(
        self: Rc<Self>,
        params: bench::GetParams,
        mut results: bench::GetResults,
    ) -> Result<(), capnp::Error> {
        let key = params.get()?.get_key()?.to_str()?;
        let value = self.0.get(key).ok_or_else(|| capnp::Error::failed("no such key".into()))?;
        results.get().set_value(value);
        Ok(())
    }

    async fn echo(
        self: Rc<Self>,
        params: bench::EchoParams,
        mut results: bench::EchoResults,
    ) -> Result<(), capnp::Error> {
        results.get().set_data(params.get()?.get_data()?);
        Ok(())
    }

    async fn push(
        self: Rc<Self>,
        params: bench::PushParams,
        _: bench::PushResults,
    ) -> Result<(), capnp::Error> {
        params.get()?.get_data()?;
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tokio::task::LocalSet::new().run_until(serve()).await
}

async fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::from_arguments("capnp");
    raise_descriptor_limit();
    let listener = tokio::net::TcpListener::bind(&options.addr).await?;
    println!("READY");
    std::io::stdout().flush()?;
    let client: bench::Client = capnp_rpc::new_client(Server(table()));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.compat().split();
        let network = twoparty::VatNetwork::new(
            futures::io::BufReader::new(reader),
            futures::io::BufWriter::new(writer),
            Side::Server,
            Default::default(),
        );
        let system = RpcSystem::new(Box::new(network), Some(client.clone().client));
        tokio::task::spawn_local(system);
    }
}
