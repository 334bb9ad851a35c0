//! The handshake: the request leaves, and the answer is held against it.

use switchboard_websocket::handshake::deflate::{Agreed, Offer};
use switchboard_websocket::handshake::{
    Request, RequestError, Response, ResponseError, random_key_from, response_head_len,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use super::{Ask, DialError, DialLimits, Refusal, Stream, random};

/// A request, written.
pub(super) struct Asked<'a> {
    key: String,
    offered: Vec<&'a str>,
    deflate: Option<Offer>,
    bytes: Vec<u8>,
}

/// A good answer.
pub(super) struct Answer {
    pub(super) early: Vec<u8>,
    pub(super) subprotocol: Option<String>,
    pub(super) deflate: Option<Agreed>,
    pub(super) headers: Vec<(String, Vec<u8>)>,
}

/// Most heads are shorter.
const HEAD_BYTES: usize = 512;

impl<'a> Asked<'a> {
    pub(super) fn new(ask: &'a Ask) -> Result<Self, RequestError> {
        let key = random_key_from(random::key());
        let offered: Vec<&str> = ask.subprotocols.iter().map(String::as_str).collect();
        let headers: Vec<_> =
            ask.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let request = Request {
            origin: ask.origin.as_deref(),
            subprotocols: &offered,
            deflate: ask.deflate,
            headers: &headers,
            ..Request::new(&ask.host, &ask.target, &key)
        };
        let mut bytes = Vec::new();
        request.write(&mut bytes)?;
        Ok(Self { key, offered, deflate: ask.deflate, bytes })
    }

    pub(super) async fn shake(
        &self,
        socket: &mut impl Stream,
        end: Instant,
        limits: DialLimits,
    ) -> Result<Answer, DialError> {
        let answered = timeout_at(end, self.exchange(socket, limits.head_bytes_max)).await;
        let (mut head, len) = answered.unwrap_or(Err(DialError::Unanswered(limits.within)))?;
        let mut early = head.split_off(len);
        let error = match self.judge(&head) {
            Ok(answer) => return Ok(Answer { early, ..answer }),
            Err(error) => error,
        };
        let len = said_len(&head, limits.said_bytes_max);
        // What has not come by then is not waited for.
        let _ = timeout_at(end, read_up_to(socket, &mut early, len)).await;
        early.truncate(len);
        Err(Refusal { error, said: first_line(&early) }.into())
    }

    /// The head of the answer, what came behind it, and where it ends.
    async fn exchange(
        &self,
        socket: &mut impl Stream,
        head_bytes_max: usize,
    ) -> Result<(Vec<u8>, usize), DialError> {
        // A server may answer, and end, before it has read it all: then its answer says more.
        let mut sent = socket.write_all(&self.bytes).await;
        if sent.is_ok() {
            sent = socket.flush().await;
        }
        let mut head = Vec::with_capacity(HEAD_BYTES);
        loop {
            let read = socket.read_buf(&mut head).await;
            if !matches!(read, Ok(1..)) {
                sent.and(read).map_err(DialError::Broken)?;
                return Err(DialError::Ended);
            }
            if let Some(len) = response_head_len(&head, head_bytes_max).map_err(Refusal::from)? {
                return Ok((head, len));
            }
        }
    }

    fn judge(&self, head: &[u8]) -> Result<Answer, ResponseError> {
        let response = Response::parse(head)?;
        let (subprotocol, deflate) = match &self.deflate {
            Some(offer) => response.check_deflate(&self.key, &self.offered, offer)?,
            None => (response.check(&self.key, &self.offered)?, None),
        };
        let subprotocol = subprotocol.map(str::to_owned);
        let headers = response.headers().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(Answer { early: Vec::new(), subprotocol, deflate, headers: headers.collect() })
    }
}

/// How much of a refusal's body is of interest: plain text of a known length.
fn said_len(head: &[u8], limit: usize) -> usize {
    let Ok(response) = Response::parse(head) else { return 0 };
    let value = |name| response.values(name).next().map(String::from_utf8_lossy);
    let is_text = value("Content-Type").is_some_and(|kind| kind.starts_with("text/plain"));
    let length = value("Content-Length").and_then(|length| length.parse::<usize>().ok());
    length.filter(|_| is_text).map_or(0, |length| length.min(limit))
}

async fn read_up_to(socket: &mut impl Stream, bytes: &mut Vec<u8>, len: usize) {
    while bytes.len() < len && matches!(socket.read_buf(bytes).await, Ok(1..)) {}
}

fn first_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.lines().next().unwrap_or_default().trim().to_owned()
}
