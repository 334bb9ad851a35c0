//! fastwebsockets, as in its example.

use fastwebsockets::{FragmentCollector, OpCode, upgrade};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::Outcome;

pub(crate) async fn echo(socket: TcpStream) -> Outcome<()> {
    let served = http1::Builder::new().serve_connection(TokioIo::new(socket), service_fn(accept));
    Ok(served.with_upgrades().await?)
}

async fn accept(mut request: Request<Incoming>) -> Outcome<Response<Empty<Bytes>>> {
    let (response, upgraded) = upgrade::upgrade(&mut request)?;
    tokio::spawn(async {
        // How a connection ends says nothing of the others.
        let _ = tokio::task::unconstrained(talk(upgraded)).await;
    });
    Ok(response)
}

async fn talk(upgraded: upgrade::UpgradeFut) -> Outcome<()> {
    let mut socket = FragmentCollector::new(upgraded.await?);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            _ => {}
        }
    }
}
