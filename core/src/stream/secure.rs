//! TLS on a socket of the runtime: for the handshake, and for HTTP until a row takes over.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::tls::{Session, TlsError, looks_like_http, on_a_worker};

/// A stream whose handshake is done.
#[derive(Debug)]
pub struct Secure<S> {
    socket: S,
    session: Session,
    /// Plaintext that has come and was not asked for yet.
    plain: Vec<u8>,
    /// Ciphertext that has not left.
    out: Vec<u8>,
}

/// Why there is no [`Secure`]. Each is a sentence on the peer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecureError {
    /// It does not speak TLS as it should, refused, or is not whom we want.
    #[error("{0}")]
    Tls(#[from] TlsError),
    /// A client that speaks HTTP; the socket has nothing else to read at the moment.
    #[error("it speaks plain HTTP on a listener with <ssl>")]
    PlainHttp,
    /// It has gone.
    #[error("it ended the connection during the TLS handshake")]
    Ended,
    /// The connection broke.
    #[error("the connection broke during the TLS handshake: {0}")]
    Broken(#[from] io::Error),
    /// A fault of ours.
    #[error("the TLS handshake failed inside of us")]
    Fault,
}

/// Most first messages of a client are shorter; one that is silent costs no more.
const HELLO_BYTES: usize = 4 << 10;
/// Ciphertext read at once.
const READ_BYTES: usize = 16 << 10;
/// Plaintext that becomes ciphertext at once.
const PIECE_BYTES_MAX: usize = 16 << 10;
/// Ciphertext that waits; above that a write waits too.
const OUT_BYTES_MAX: usize = 64 << 10;

impl<S: AsyncRead + AsyncWrite + Unpin> Secure<S> {
    /// Makes the handshake as a server. If it fails, an alert or a word in plain HTTP tells the
    /// client why, and the stream is ended.
    ///
    /// # Errors
    /// There is none that succeeds. It takes as long as the client takes.
    pub async fn accept(mut socket: S, session: Session) -> Result<Self, SecureError> {
        match shake(&mut socket, session, Vec::new()).await {
            Ok(Shaken { session, plain, out }) => Ok(Self { socket, session, plain, out }),
            Err(error) => {
                if let SecureError::PlainHttp = error {
                    // That the client does not hear it is no matter.
                    let _ = socket.write_all(NOT_PLAIN.as_bytes()).await;
                }
                leave(&mut socket).await;
                Err(error)
            }
        }
    }

    /// Makes the handshake as a client.
    ///
    /// # Errors
    /// There is none that succeeds, or the server is another one than `session` asks for.
    pub async fn connect(mut socket: S, mut session: Session) -> Result<Self, SecureError> {
        let mut out = Vec::new();
        session.begin(&mut out)?;
        let Shaken { session, plain, out } = shake(&mut socket, session, out).await?;
        Ok(Self { socket, session, plain, out })
    }
}

impl<S> Secure<S> {
    /// What is beneath.
    pub fn socket(&self) -> &S {
        &self.socket
    }

    /// The stream, its session, plaintext that has come, and ciphertext that has not left.
    pub fn into_parts(self) -> (S, Session, Vec<u8>, Vec<u8>) {
        (self.socket, self.session, self.plain, self.out)
    }
}

const NOT_PLAIN: &str = "HTTP/1.1 400 Bad Request\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 61\r\n\
    Connection: close\r\n\r\n\
    400 this port speaks TLS: use https:// or wss:// to reach it\n";

/// A handshake that is done, without its socket.
struct Shaken {
    session: Session,
    plain: Vec<u8>,
    out: Vec<u8>,
}

/// One step of a handshake: what has come is worked off, beside the runtime.
struct Step {
    session: Session,
    input: Vec<u8>,
    plain: Vec<u8>,
    out: Vec<u8>,
}

impl Step {
    fn work(mut self) -> (Self, Result<(), TlsError>) {
        let mut keep = |piece: &[u8]| self.plain.extend_from_slice(piece);
        let result = self.session.receive(&mut self.input, &mut keep, &mut self.out);
        self.input.clear();
        (self, result)
    }
}

async fn shake<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut S,
    session: Session,
    out: Vec<u8>,
) -> Result<Shaken, SecureError> {
    let mut step = Step { session, input: Vec::new(), plain: Vec::new(), out };
    let mut is_first = step.out.is_empty();
    loop {
        socket.write_all(&step.out).await?;
        step.out.clear();
        if step.session.is_open() {
            let Step { session, plain, .. } = step;
            return Ok(Shaken { session, plain, out: Vec::new() });
        }
        step.input.reserve(HELLO_BYTES);
        if socket.read_buf(&mut step.input).await? == 0 {
            return Err(SecureError::Ended);
        }
        if std::mem::take(&mut is_first) && looks_like_http(&step.input) {
            return Err(SecureError::PlainHttp);
        }
        let result;
        (step, result) = on_a_worker(move || step.work()).await.ok_or(SecureError::Fault)?;
        if let Err(error) = result {
            // The alert says why; whether it is heard or not.
            let _ = socket.write_all(&step.out).await;
            return Err(error.into());
        }
    }
}

/// Ends a stream of which not all was read, so that what was said last is not overtaken by a reset.
async fn leave<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut S) {
    const PATIENCE: std::time::Duration = std::time::Duration::from_secs(1);
    const READS: usize = 16;
    let read = async {
        if socket.shutdown().await.is_err() {
            return;
        }
        let mut buffer = vec![0; READ_BYTES];
        for _ in 0..READS {
            if !matches!(socket.read(&mut buffer).await, Ok(1..)) {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(PATIENCE, read).await;
}

impl<S: AsyncWrite + Unpin> Secure<S> {
    /// Writes ciphertext until no more than `rest` bytes of it are left.
    fn poll_send(&mut self, cx: &mut Context<'_>, rest: usize) -> Poll<io::Result<()>> {
        while self.out.len() > rest {
            match ready!(Pin::new(&mut self.socket).poll_write(cx, &self.out))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => drop(self.out.drain(..sent)),
            }
        }
        if self.out.is_empty() {
            self.out = Vec::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Secure<S> {
    /// An end without TLS's word for it is an end too: HTTP and WebSocket have their own.
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.plain.is_empty() && !this.session.has_ended() {
            let mut cipher = [0; READ_BYTES];
            let mut read = ReadBuf::new(&mut cipher);
            ready!(Pin::new(&mut this.socket).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            let mut keep = |piece: &[u8]| this.plain.extend_from_slice(piece);
            let received = this.session.receive(read.filled_mut(), &mut keep, &mut this.out);
            // If there is no room for an answer now, it leaves with the next write.
            let _ = this.poll_send(cx, 0)?;
            received.map_err(io::Error::other)?;
        }
        let count = this.plain.len().min(buffer.remaining());
        buffer.put_slice(&this.plain[..count]);
        this.plain.drain(..count);
        if this.plain.is_empty() {
            this.plain = Vec::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Secure<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx, OUT_BYTES_MAX))?;
        let piece = &bytes[..bytes.len().min(PIECE_BYTES_MAX)];
        this.session.encrypt(piece, &mut this.out).map_err(io::Error::other)?;
        // What does not leave now waits for a flush.
        let _ = this.poll_send(cx, 0)?;
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx, 0))?;
        Pin::new(&mut this.socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // A session that has failed has nothing to say.
        let _ = this.session.finish(&mut this.out);
        ready!(this.poll_send(cx, 0))?;
        Pin::new(&mut this.socket).poll_shutdown(cx)
    }
}
