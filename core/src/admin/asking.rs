//! The other side of the control socket: asks a host one thing.

use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::geteuid;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::report::Refused;

/// What a host has said.
pub(super) struct Answer {
    /// JSON, and a newline.
    pub(super) body: String,
    /// The process that listens; none if it is in another namespace.
    pub(super) pid: Option<i32>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    #[error("{}: there is no control socket; does a host run with this conf?", .0.display())]
    Absent(PathBuf),
    #[error("{}: nobody listens; the host that made it was killed", .0.display())]
    Dead(PathBuf),
    #[error("{}: this is no socket", .0.display())]
    NoSocket(PathBuf),
    #[error("{}: permission denied; only the host's user and root may ask", .0.display())]
    Denied(PathBuf),
    #[error(
        "{}: user {owner} listens there, who is neither root nor you; \
         whoever it is, it is not your host", .path.display()
    )]
    NotOurs { path: PathBuf, owner: u32 },
    #[error("{}: the host does not answer", .0.display())]
    Silent(PathBuf),
    #[error("{}: {source}", .path.display())]
    Broken { path: PathBuf, source: io::Error },
    #[error("{}: what comes back is no answer of a host: {what}", .path.display())]
    Garbled { path: PathBuf, what: &'static str },
    #[error("{0}")]
    Refused(String),
}

/// sysexits.h: not available.
const UNAVAILABLE: u8 = 69;
/// How long a host may take to answer. A shard that is held up makes it take some seconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// No answer is longer.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

impl AskError {
    /// 69: the host cannot be reached.
    pub(super) fn exit_status(&self) -> u8 {
        match self {
            Self::Garbled { .. } | Self::Refused(_) => 1,
            _ => UNAVAILABLE,
        }
    }
}

impl Answer {
    /// As what it should be.
    pub(super) fn read<T: DeserializeOwned>(&self, path: &Path) -> Result<T, AskError> {
        serde_json::from_str(&self.body).map_err(|_| garbled(path, "other JSON was expected"))
    }
}

/// Asks the host that listens at `path`.
pub(super) async fn ask(path: &Path, method: &str, target: &str) -> Result<Answer, AskError> {
    let mut stream = UnixStream::connect(path).await.map_err(|error| unreachable(path, error))?;
    let broken = |source| AskError::Broken { path: path.to_owned(), source };
    let peer = stream.peer_cred().map_err(broken)?;
    if !is_trusted(peer.uid(), geteuid().as_raw()) {
        return Err(AskError::NotOurs { path: path.to_owned(), owner: peer.uid() });
    }
    // In version 1.0 the end of the stream is the end of the answer.
    let request = format!("{method} {target} HTTP/1.0\r\n\r\n");
    let exchange = async {
        stream.write_all(request.as_bytes()).await?;
        let mut bytes = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes).await?;
        Ok(bytes)
    };
    let bytes = timeout(PATIENCE, exchange).await;
    let bytes = bytes.map_err(|_| AskError::Silent(path.to_owned()))?.map_err(broken)?;
    let (status, body) = parse(&bytes).map_err(|what| garbled(path, what))?;
    let answer = Answer { body: body.to_owned(), pid: peer.pid().filter(|pid| *pid > 0) };
    match status {
        200 | 202 => Ok(answer),
        403 => Err(AskError::Denied(path.to_owned())),
        _ => Err(AskError::Refused(answer.read::<Refused>(path)?.error)),
    }
}

/// Root may ask anybody's host; others their own, and root's, which will refuse them.
fn is_trusted(owner: u32, own: u32) -> bool {
    owner == own || owner == 0 || own == 0
}

fn unreachable(path: &Path, error: io::Error) -> AskError {
    let path = path.to_owned();
    let is_socket = || path.metadata().is_ok_and(|about| about.file_type().is_socket());
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => AskError::Absent(path),
        io::ErrorKind::ConnectionRefused if is_socket() => AskError::Dead(path),
        io::ErrorKind::ConnectionRefused => AskError::NoSocket(path),
        io::ErrorKind::PermissionDenied => AskError::Denied(path),
        // Its queue is full of clients that it does not accept.
        io::ErrorKind::WouldBlock => AskError::Silent(path),
        _ => AskError::Broken { path, source: error },
    }
}

fn garbled(path: &Path, what: &'static str) -> AskError {
    AskError::Garbled { path: path.to_owned(), what }
}

/// The status and the body of a response, which has as many bytes as it says.
fn parse(bytes: &[u8]) -> Result<(u16, &str), &'static str> {
    let text = str::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or("it ends in its head")?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let is_http = first.next().is_some_and(|version| version.starts_with("HTTP/1."));
    let status = first.next().and_then(|status| status.parse().ok()).filter(|_| is_http);
    let status = status.ok_or("it is not HTTP")?;
    let is_length = |name: &str| name.eq_ignore_ascii_case("content-length");
    let mut headers = lines.filter_map(|line| line.split_once(':'));
    let length = headers.find(|(name, _)| is_length(name)).map(|(_, length)| length.trim());
    match length.and_then(|length| length.parse::<usize>().ok()) {
        Some(length) if length == body.len() => Ok((status, body)),
        _ => Err("it is cut"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_or_none() {
        let good = "HTTP/1.0 200 OK\r\nContent-Type: x\r\ncontent-length: 3\r\n\r\n{}\n";
        assert_eq!(parse(good.as_bytes()), Ok((200, "{}\n")));
        for length in 0..good.len() {
            assert!(parse(&good.as_bytes()[..length]).is_err(), "{length} bytes of it");
        }
        assert_eq!(parse(format!("{good}!").as_bytes()), Err("it is cut"));
        assert_eq!(parse(b"+OK\r\nContent-Length: 0\r\n\r\n"), Err("it is not HTTP"));
        assert_eq!(parse(b"HTTP/1.1 two\r\nContent-Length: 0\r\n\r\n"), Err("it is not HTTP"));
        assert_eq!(parse(b"\xff"), Err("it is not UTF-8"));
    }

    #[test]
    fn a_socket_of_somebody_else_is_not_asked() {
        assert!(is_trusted(1000, 1000) && is_trusted(0, 1000) && is_trusted(1000, 0));
        assert!(!is_trusted(1001, 1000));
    }
}
