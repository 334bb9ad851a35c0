//! From a URL to an open WebSocket, and what a user is told if there is none.

use std::io;
use std::path::PathBuf;

use super::Options;
use super::error::Error;
use crate::client::{self, Ask, DialError, DialLimits, Dialled};
use crate::conf::NamedFile;
use crate::tls;

/// A head may be so long.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Of the body of a refusal, so much is shown.
const SAID_BYTES_MAX: usize = 1000;

pub(super) async fn dial(options: &Options) -> Result<Dialled, Error> {
    let limits = DialLimits {
        within: options.timeout,
        head_bytes_max: HEAD_BYTES_MAX,
        said_bytes_max: SAID_BYTES_MAX,
        keepalive: None,
    };
    let tls = options.url.tls.then(|| tls::Client::new(cacert(options).as_ref())).transpose()?;
    let dialled = client::dial(&options.url.server, tls.as_ref(), &ask(options), limits).await;
    dialled.map_err(|error| told(options, error))
}

fn cacert(options: &Options) -> Option<NamedFile> {
    let file = |path: &PathBuf| NamedFile { path: path.clone(), at: "--cacert".to_owned() };
    options.cacert.as_ref().map(file)
}

fn ask(options: &Options) -> Ask {
    let is_host = |name: &str| name.eq_ignore_ascii_case("host");
    let host = options.headers.iter().find(|(name, _)| is_host(name));
    let headers = options.headers.iter().filter(|(name, _)| !is_host(name));
    Ask {
        host: host.map_or_else(|| options.url.authority(), |(_, value)| value.clone()),
        target: options.url.target.clone(),
        origin: options.origin.clone(),
        subprotocols: options.subprotocols.clone(),
        deflate: options.compression,
        headers: headers.map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect(),
    }
}

fn told(options: &Options, error: DialError) -> Error {
    let error = match error {
        DialError::Ask(error) => return Error::Request(error),
        DialError::Insecure(error) => {
            return Error::Insecure { url: options.url.to_string(), error };
        }
        DialError::Answer(refusal) => return Error::Handshake(refusal),
        DialError::Ended | DialError::Broken(_) => return Error::NoAnswer,
        DialError::Unresolved { source, .. } => source,
        DialError::Unreachable(error) => error,
        DialError::Unconnected(_) | DialError::Unanswered(_) => io::ErrorKind::TimedOut.into(),
    };
    Error::Unreachable { url: options.url.to_string(), error }
}
