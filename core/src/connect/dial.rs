//! From a URL to an open WebSocket: the socket and the handshake.

use std::io;

use rustix::rand::{GetRandomFlags, getrandom};
use switchboard_websocket::handshake::{Request, Response, random_key_from, response_head_len};
use switchboard_websocket::{Server, Url};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::Options;
use super::error::Error;

/// An open WebSocket.
pub(super) struct Dialled {
    pub(super) stream: Box<dyn Stream>,
    /// What came right behind the server's answer.
    pub(super) input: Vec<u8>,
    pub(super) subprotocol: Option<String>,
    /// The headers of the answer.
    pub(super) headers: Vec<(String, String)>,
}

/// Whatever bytes pass through.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// A head may be so long.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Of the body of a refusal, so much is shown.
const BODY_BYTES_MAX: usize = 1000;

pub(super) async fn dial(options: &Options) -> Result<Dialled, Error> {
    let asked = Asked::new(options)?;
    let url = &options.url;
    let unreachable = |error| Error::Unreachable { url: url.to_string(), error };
    let too_late = || unreachable(io::ErrorKind::TimedOut.into());
    let open = async {
        let mut stream = connect(url).await.map_err(unreachable)?;
        shake_hands(&mut stream, &asked, options).await.map(|opened| opened.with(stream))
    };
    tokio::time::timeout(options.timeout, open).await.map_err(|_| too_late())?
}

async fn connect(url: &Url) -> io::Result<Box<dyn Stream>> {
    Ok(match &url.server {
        Server::Tcp { host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.set_nodelay(true)?;
            Box::new(stream)
        }
        Server::Unix(path) => Box::new(UnixStream::connect(path).await?),
    })
}

/// Four or sixteen bytes that nobody can foretell.
pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // So few bytes always come at once, unless the machine has only just been switched on.
    getrandom(&mut bytes, GetRandomFlags::empty()).expect("Linux gives random bytes");
    bytes
}

/// The request, written.
struct Asked {
    key: String,
    bytes: Vec<u8>,
}

impl Asked {
    fn new(options: &Options) -> Result<Self, Error> {
        let key = random_key_from(random());
        let (hosts, headers): (Vec<_>, Vec<_>) =
            options.headers.iter().partition(|(name, _)| name.eq_ignore_ascii_case("host"));
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let own = options.url.authority();
        let host = hosts.first().map_or(own.as_str(), |(_, value)| value);
        let mut bytes = Vec::new();
        Request {
            origin: options.origin.as_deref(),
            subprotocols: &offered(options),
            headers: &headers,
            ..Request::new(host, &options.url.target, &key)
        }
        .write(&mut bytes)?;
        Ok(Self { key, bytes })
    }
}

fn offered(options: &Options) -> Vec<&str> {
    options.subprotocols.iter().map(String::as_str).collect()
}

/// What the server said.
struct Opened {
    input: Vec<u8>,
    subprotocol: Option<String>,
    headers: Vec<(String, String)>,
}

impl Opened {
    fn with(self, stream: Box<dyn Stream>) -> Dialled {
        let Self { input, subprotocol, headers } = self;
        Dialled { stream, input, subprotocol, headers }
    }
}

async fn shake_hands(
    stream: &mut Box<dyn Stream>,
    asked: &Asked,
    options: &Options,
) -> Result<Opened, Error> {
    // A server may answer, and end, before it has read it all: then its answer says more.
    let sent = stream.write_all(&asked.bytes).await;
    let mut input = Vec::new();
    let head_len = loop {
        let plain = |error| Error::Handshake { error, body: String::new() };
        if let Some(len) = response_head_len(&input, HEAD_BYTES_MAX).map_err(plain)? {
            break len;
        }
        match stream.read_buf(&mut input).await {
            Ok(0) | Err(_) => {
                sent?;
                return Err(Error::NoAnswer);
            }
            Ok(_) => {}
        }
    };
    let rest = input.split_off(head_len);
    let judged = Response::parse(&input).and_then(|response| {
        let subprotocol = response.check(&asked.key, &offered(options))?.map(str::to_owned);
        Ok((subprotocol, headers(&response)))
    });
    match judged {
        Ok((subprotocol, headers)) => Ok(Opened { input: rest, subprotocol, headers }),
        Err(error) => Err(Error::Handshake { error, body: body(stream, &input, rest).await }),
    }
}

fn headers(response: &Response<'_>) -> Vec<(String, String)> {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    response.headers().map(|(name, value)| (name.to_owned(), text(value))).collect()
}

/// The first line of what a server says to its refusal, if it is plain text of a known length.
async fn body(stream: &mut Box<dyn Stream>, head: &[u8], mut body: Vec<u8>) -> String {
    let Ok(response) = Response::parse(head) else { return String::new() };
    let value = |name| response.values(name).next().map(String::from_utf8_lossy);
    let is_text = value("Content-Type").is_some_and(|kind| kind.starts_with("text/plain"));
    let length = value("Content-Length").and_then(|length| length.parse::<usize>().ok());
    let Some(length) = length.filter(|_| is_text) else { return String::new() };
    while body.len() < length.min(BODY_BYTES_MAX) {
        if !matches!(stream.read_buf(&mut body).await, Ok(1..)) {
            break;
        }
    }
    body.truncate(length.min(BODY_BYTES_MAX));
    let text = String::from_utf8_lossy(&body);
    text.lines().next().map(|line| format!(": {}", line.trim())).unwrap_or_default()
}
