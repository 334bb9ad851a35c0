//! `peer NAME PORT`: a server to compare with, on one thread, written as its engine's documentation
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
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().ok_or("peer NAME PORT")?;
    let port: u16 = arguments.next().ok_or("peer NAME PORT")?.parse()?;
    if name == "bare" {
        let count = arguments.next().ok_or("peer bare PORT CONNECTIONS")?.parse()?;
        return bare::serve(port, count);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = listen(port)?;
        match name.as_str() {
            "raw" => each(listener, raw::echo).await,
            "fastwebsockets" => each(listener, fastwebsockets::echo).await,
            "tokio-websockets" => each(listener, tokio_websockets::echo).await,
            "tokio-tungstenite" => each(listener, tungstenite::echo).await,
            "axum" => axum::serve(listener).await,
            _ => Err(format!("there is no peer {name}").into()),
        }
    })
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
