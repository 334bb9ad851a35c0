//! The base line: bytes come back, whatever they mean.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Outcome;

pub(crate) async fn echo(mut socket: TcpStream) -> Outcome<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = socket.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        socket.write_all(&buffer[..count]).await?;
    }
}
