//! What may be asked, and how the answer leaves.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::Response;
use axum::routing::{get, post};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use tower_http::catch_panic::CatchPanicLayer;

use super::gathering::Host;
use super::report::Refused;

/// The process that asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker {
    pub(super) uid: u32,
    pub(super) pid: Option<i32>,
}

/// What `GET /v1/connections` is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    endpoint: Option<String>,
    limit: usize,
}

/// Connections that are shown unless more are asked for.
const LIMIT: usize = 100;
/// Connections that one answer may have.
const LIMIT_MAX: usize = 10_000;

/// For those who may ask.
pub(super) fn router(host: Arc<Host>) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/connections", get(connections))
        .route("/v1/plugins", get(plugins))
        .route("/v1/stop", post(stop))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(CatchPanicLayer::new())
        .with_state(host)
}

/// For all others.
pub(super) fn stranger() -> Router {
    Router::new().fallback(async |Extension(asker): Extension<Asker>| {
        tracing::warn!("control socket: refused to {asker}");
        refuse(StatusCode::FORBIDDEN, "only the host's user and root may ask".to_owned())
    })
}

async fn status(State(host): State<Arc<Host>>) -> Response {
    json(StatusCode::OK, &host.status())
}

async fn connections(State(host): State<Arc<Host>>, uri: Uri) -> Response {
    let wanted = match Wanted::parse(uri.query().unwrap_or_default()) {
        Ok(wanted) => wanted,
        Err(message) => return refuse(StatusCode::BAD_REQUEST, message),
    };
    let endpoint = wanted.endpoint.as_deref();
    match endpoint.filter(|prefix| !host.has(prefix)) {
        Some(prefix) => {
            refuse(StatusCode::NOT_FOUND, format!("no endpoint has the prefix '{prefix}'"))
        }
        None => json(StatusCode::OK, &host.connections(endpoint, wanted.limit).await),
    }
}

async fn plugins(State(host): State<Arc<Host>>) -> Response {
    json(StatusCode::OK, &host.plugins())
}

async fn stop(State(host): State<Arc<Host>>, Extension(asker): Extension<Asker>) -> Response {
    json(StatusCode::ACCEPTED, &host.stop(format!("stop asked by {asker}")))
}

async fn unknown(uri: Uri) -> Response {
    let path = uri.path();
    let message = format!(
        "there is no '{path}'; there are /v1/status, /v1/connections, /v1/plugins and /v1/stop"
    );
    refuse(StatusCode::NOT_FOUND, message)
}

/// The header Allow says which methods there are.
async fn wrong_method(method: Method, uri: Uri) -> Response {
    let message = format!("'{}' does not take {method}", uri.path());
    refuse(StatusCode::METHOD_NOT_ALLOWED, message)
}

fn refuse(status: StatusCode, error: String) -> Response {
    json(status, &Refused { error })
}

fn json(status: StatusCode, answer: &impl Serialize) -> Response {
    let (status, mut bytes) = match serde_json::to_vec(answer) {
        Ok(bytes) => (status, bytes),
        // Nothing that is told here cannot be told in JSON.
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string().into_bytes()),
    };
    bytes.push(b'\n');
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

impl Wanted {
    /// Of `endpoint=/chat&limit=20`, percent-encoded.
    fn parse(query: &str) -> Result<Self, String> {
        let mut wanted = Self { endpoint: None, limit: LIMIT };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value).decode_utf8();
            let value = value.map_err(|_| format!("the value of '{name}' is not UTF-8"))?;
            match name {
                "endpoint" => wanted.endpoint = Some(value.into_owned()),
                "limit" => wanted.limit = limit(&value)?,
                _ => return Err(format!("there is no '{name}'; there are endpoint and limit")),
            }
        }
        Ok(wanted)
    }
}

fn limit(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=LIMIT_MAX).contains(number));
    number.ok_or_else(|| format!("limit: expected a number from 1 to {LIMIT_MAX}, found '{text}'"))
}

impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid.filter(|pid| *pid > 0) {
            Some(pid) => write!(f, "process {pid} of user {}", self.uid),
            // One that lives in another namespace.
            None => write!(f, "a process of user {}", self.uid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str, expected: Result<(Option<&str>, usize), &str>) {
        let wanted = |(endpoint, limit): (Option<&str>, usize)| Wanted {
            endpoint: endpoint.map(str::to_owned),
            limit,
        };
        assert_eq!(Wanted::parse(query), expected.map(wanted).map_err(str::to_owned), "{query}");
    }

    #[test]
    fn a_query_names_an_endpoint_and_a_limit() {
        check("", Ok((None, LIMIT)));
        check("limit=7", Ok((None, 7)));
        check("endpoint=/chat", Ok((Some("/chat"), LIMIT)));
        check("limit=10000&endpoint=%2Fa%20b+%C3%A4&", Ok((Some("/a b+ä"), 10_000)));
    }

    #[test]
    fn what_a_query_cannot_say_is_told() {
        let range =
            |found: &str| format!("limit: expected a number from 1 to 10000, found '{found}'");
        for found in ["", "0", "10001", "-1", "ten", "99999999999999999999"] {
            check(&format!("limit={found}"), Err(&range(found)));
        }
        check("endpint=/chat", Err("there is no 'endpint'; there are endpoint and limit"));
        check("endpoint=%ff", Err("the value of 'endpoint' is not UTF-8"));
    }
}
