//! tokio-tungstenite.

use tokio::net::TcpStream;
use tokio_tungstenite::accept_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::{Outcome, batch};

pub(crate) async fn echo(socket: TcpStream) -> Outcome<()> {
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES);
    let socket = accept_async_with_config(socket, Some(config)).await?;
    batch::echo(socket, |message: &Message| message.is_binary() || message.is_text()).await
}

/// The default of 128 KiB is beyond what glibc's allocator keeps, and costs a small message three
/// times as much; a large frame grows the buffer in any case.
pub(crate) const READ_BUFFER_BYTES: usize = 4096;
