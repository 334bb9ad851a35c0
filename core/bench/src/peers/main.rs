//! `peer NAME PORT` (and for some more arguments): a server to compare with, on one thread, written as its engine's documentation
//! recommends for speed.

mod axum;
mod bare;
mod batch;
mod fastwebsockets;
mod raw;
mod tokio_websockets;
mod tungstenite;

use std::error::Error;
use std::future::Future;

use tokio::net::{TcpListener, TcpStream};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["bare", port, count] => bare::serve(port.parse()?, count.parse()?),
        ["raw", certificate, key, port] => {
            on_one_thread(async { raw::serve_tls(listen(port.parse()?)?, certificate, key).await })
        }
        [name, port] => on_one_thread(serve(name, port.parse()?)),
        _ => {
            Err("peer NAME PORT, peer raw CERTIFICATE KEY PORT, peer bare PORT CONNECTIONS".into())
        }
    }
}

fn on_one_thread(server: impl Future<Output = Outcome<()>>) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(server)
}

async fn serve(name: &str, port: u16) -> Outcome<()> {
    let listener = listen(port)?;
    match name {
        "raw" => each(listener, raw::echo).await,
        "fastwebsockets" => each(listener, fastwebsockets::echo).await,
        "tokio-websockets" => each(listener, tokio_websockets::echo).await,
        "tokio-tungstenite" => each(listener, tungstenite::echo).await,
        "axum" => axum::serve(listener).await,
        _ => Err(format!("there is no peer {name}").into()),
    }
}

/// With room for as many who wait as the measurements open at once.
fn listen(port: u16) -> Outcome<TcpListener> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(([127, 0, 0, 1], port).into())?;
    Ok(socket.listen(1024)?)
}

/// A task for each connection. How one ends says nothing of the others.
async fn each<F>(listener: TcpListener, echo: fn(TcpStream) -> F) -> Outcome<()>
where
    F: Future<Output = Outcome<()>> + Send + 'static,
{
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::spawn(echo(socket));
    }
}
