//! From an HTTP request to a row of the shard.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    CONNECTION, CONTENT_TYPE, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;

use super::Refused;
use super::client::{Accepted, Client};
use crate::connection::{self, Opening, Shard};
use crate::endpoint::{self, Endpoint};
use crate::handshake::{self, Handshake};
use crate::shard::{Accept, Answer, Reject};

impl From<connection::Refused> for Refused {
    fn from(refused: connection::Refused) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, refused.to_string())
    }
}

/// Asks the endpoint and answers the client; behind a 101 `serve` hands the socket over.
pub(super) async fn upgrade(
    client: &Client,
    mut request: Request,
    endpoint: &Arc<Endpoint>,
    below: &str,
) -> Result<Response, Refused> {
    let settings = &endpoint.settings;
    let shaken =
        handshake::check(request.method(), request.version(), request.headers(), settings)?;
    let upgraded = hyper::upgrade::on(&mut request);
    let opening = open(client, &request, endpoint, below, &shaken)?;
    let conn = opening.conn();
    match opening.answer(settings.limits.handshake_timeout).await? {
        Answer::Accept(accept) => {
            let accepted = Accepted::new(conn, upgraded);
            let response = switching(&shaken, &accept)
                .map_err(|reason| Refused::new(StatusCode::SERVICE_UNAVAILABLE, reason))?;
            client.accept(accepted);
            Ok(response)
        }
        Answer::Reject(reject) => rejected(reject),
    }
}

/// Asks the endpoint, in its own words: nothing below here knows HTTP.
fn open(
    client: &Client,
    request: &Request,
    endpoint: &Arc<Endpoint>,
    below: &str,
    shaken: &Handshake,
) -> Result<Opening, Refused> {
    let shard = Shard::current().ok_or_else(|| {
        Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "this thread has no shard")
    })?;
    let headers: Vec<(&str, &[u8])> =
        request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let header = |name: HeaderName| {
        request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    };
    let uri = request.uri();
    let local = client.local.map_or_else(|| "unix".to_owned(), |local| local.to_string());
    let request = endpoint::Request {
        uid: 0,
        tls: client.tls,
        authority: header(axum::http::header::HOST),
        target: uri.path_and_query().map_or("/", |target| target.as_str()),
        route: &endpoint.settings.mount.prefix,
        path: below,
        query: uri.query().unwrap_or(""),
        peer: &client.to_string(),
        local: &local,
        subprotocol: shaken.subprotocol.as_deref().unwrap_or(""),
        subprotocols: &shaken.subprotocols,
        headers: &headers,
    };
    let agreed = shaken.deflate.as_ref().map(|accepted| &accepted.agreed);
    Ok(shard.open(endpoint, request, agreed)?)
}

/// The 101. RFC 6455, section 4.2.2.
fn switching(shaken: &Handshake, accept: &Accept) -> Result<Response, String> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    add(headers, &accept.headers);
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    let key = HeaderValue::from_str(&shaken.accept).map_err(|error| error.to_string())?;
    headers.insert(SEC_WEBSOCKET_ACCEPT, key);
    if let Some(deflate) = &shaken.deflate {
        let answer = HeaderValue::from_str(&deflate.answer).map_err(|error| error.to_string())?;
        headers.insert(SEC_WEBSOCKET_EXTENSIONS, answer);
    }
    let choice = accept.subprotocol.as_ref().or(shaken.subprotocol.as_ref());
    if let Some(choice) = choice.filter(|choice| !choice.is_empty()) {
        if !shaken.subprotocols.contains(choice) {
            return Err(format!(
                "the endpoint chose the subprotocol {choice:?}, which the client does not offer"
            ));
        }
        let choice = HeaderValue::from_str(choice).map_err(|error| error.to_string())?;
        headers.insert(SEC_WEBSOCKET_PROTOCOL, choice);
    }
    Ok(response)
}

fn rejected(reject: Reject) -> Result<Response, Refused> {
    let status = StatusCode::from_u16(reject.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    if reject.body.is_empty() && reject.headers.is_empty() {
        return Err(Refused::new(status, "the endpoint refused"));
    }
    let mut response = Response::new(Body::from(reject.body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    add(headers, &reject.headers);
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.entry(CONTENT_TYPE).or_insert(plain);
    Ok(response)
}

/// Adds an endpoint's headers; the endpoint's border has checked them.
fn add(headers: &mut HeaderMap, more: &[(String, Vec<u8>)]) {
    for (name, value) in more {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
}
