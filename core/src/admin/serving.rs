//! Takes those who ask, looks who they are, and speaks HTTP with each for a while.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::geteuid;
use tokio::net::UnixStream;
use tokio::net::unix::UCred;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tower::Service;

use super::gathering::Host;
use super::routes::{Asker, router, stranger};
use super::socket::Socket;

/// Clients at one time. When one more comes, the one that came first has had its time.
const CLIENTS_MAX: usize = 64;
/// How long a client may take to ask.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one may stay.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(60);
/// The head of a request; hyper reads with no smaller buffer.
const HEADER_BYTES_MAX: usize = 8 << 10;
/// What is waited when the system has no descriptor for a client.
const REST: Duration = Duration::from_millis(100);

impl Socket {
    /// Answers for `host`, as long as it is polled.
    pub async fn serve(self, host: Host) {
        let (ours, strangers) = (router(Arc::new(host)), stranger());
        let mut clients: VecDeque<JoinHandle<()>> = VecDeque::new();
        let mut told = false;
        loop {
            let (stream, peer) = match self.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Once until it goes well again.
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!("control socket: nobody can be answered: {error}");
                    }
                    sleep(REST).await;
                    continue;
                }
            };
            told = false;
            let router = if may_ask(peer.uid(), geteuid().as_raw()) { &ours } else { &strangers };
            clients.retain(|client| !client.is_finished());
            if clients.len() >= CLIENTS_MAX
                && let Some(first) = clients.pop_front()
            {
                first.abort();
            }
            clients.push_back(tokio::spawn(talk(router.clone(), stream, peer)));
        }
    }

    async fn accept(&self) -> io::Result<(UnixStream, UCred)> {
        let (stream, _) = self.listener.accept().await?;
        let peer = stream.peer_cred()?;
        Ok((stream, peer))
    }
}

/// The mode of the file says so too; but that can be changed, and a socket be handed on.
fn may_ask(uid: u32, own: u32) -> bool {
    uid == own || uid == 0
}

/// Answers one request.
async fn talk(router: Router, stream: UnixStream, peer: UCred) {
    let asker = Asker { uid: peer.uid(), pid: peer.pid() };
    let service = service_fn(|mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(asker);
        router.clone().call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADER_BYTES_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(CLIENT_TIMEOUT, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!("control socket: {asker}: {error}"),
        Err(_) => tracing::debug!("control socket: {asker}: reads too slowly"),
    }
}

#[cfg(test)]
mod tests {
    use super::may_ask;

    #[test]
    fn the_hosts_user_and_root_may_ask() {
        assert!(may_ask(1000, 1000) && may_ask(0, 1000) && may_ask(0, 0));
        assert!(!may_ask(1001, 1000) && !may_ask(1000, 0));
    }
}
