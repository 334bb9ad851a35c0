//! tokio-websockets.

use tokio::net::TcpStream;
use tokio_websockets::{Message, ServerBuilder};

use super::{Outcome, batch};

pub(crate) async fn echo(socket: TcpStream) -> Outcome<()> {
    let (_, socket) = ServerBuilder::new().accept(socket).await?;
    batch::echo(socket, |message: &Message| message.is_binary() || message.is_text()).await
}
