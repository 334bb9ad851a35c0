//! axum's `ws`, on its own `serve`.

use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::get;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

use super::tungstenite::READ_BUFFER_BYTES;
use super::{Outcome, batch};

pub(crate) async fn serve(listener: TcpListener) -> Outcome<()> {
    let router = axum::Router::new().route("/", get(upgrade));
    let listener = listener.tap_io(|socket| drop(socket.set_nodelay(true)));
    Ok(axum::serve(listener, router).await?)
}

async fn upgrade(upgrade: WebSocketUpgrade) -> Response {
    upgrade.read_buffer_size(READ_BUFFER_BYTES).on_upgrade(|socket| async {
        let is_data = |message: &Message| matches!(message, Message::Binary(_) | Message::Text(_));
        // How a connection ends says nothing of the others.
        let _ = batch::echo(socket, is_data).await;
    })
}
