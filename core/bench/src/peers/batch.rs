//! Echo for engines that are a stream and a sink: all that has come is answered with one write.

use std::error::Error;

use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};

use super::Outcome;

/// Until the client goes. Messages that are not `data` are left to the engine.
pub(crate) async fn echo<S, M, E>(mut socket: S, is_data: fn(&M) -> bool) -> Outcome<()>
where
    S: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
    E: Error + Send + Sync + 'static,
{
    while let Some(first) = socket.next().await {
        let mut next = Some(first);
        while let Some(message) = next {
            let message = message?;
            if is_data(&message) {
                socket.feed(message).await?;
            }
            next = socket.next().now_or_never().flatten();
        }
        socket.flush().await?;
    }
    Ok(())
}
