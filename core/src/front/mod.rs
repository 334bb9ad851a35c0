//! The HTTP side: hyper, axum and tower around our own route table.
//!
//! A request asks for a WebSocket, and `upgrade` answers; or it does not, and `files` does. Whatever
//! is refused gets its status here, and its reason in the log; in debug mode the client reads it too.

mod client;
mod files;
mod serve;
mod socket;
mod upgrade;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    CONNECTION, CONTENT_TYPE, RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::sync::watch;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::conf::Limits;
use crate::endpoint::Endpoint;
use crate::handshake;
use crate::route::{self, Table};
use crate::tls;

use client::Client;

pub use files::Files;
pub use serve::on_arrival;

/// All that answers HTTP, for one conf.
pub struct Front {
    /// `<websocket>` sections.
    pub websockets: Table<Arc<Endpoint>>,
    /// `<http>` sections.
    pub files: Table<Arc<Files>>,
    /// What a listener with `<ssl>` speaks TLS with, by its index.
    pub tls: Vec<Option<tls::Server>>,
    /// Of the host.
    pub limits: Limits,
    /// Responses that refuse say why.
    pub debug_mode: bool,
    /// Turns true when the host stops.
    pub stop: watch::Receiver<bool>,
}

/// The layers round the one handler: our table routes, not axum's. Both are put round it at once,
/// as each `layer` of a router costs every request some boxes.
fn router(front: Arc<Front>) -> Router {
    let nosniff = HeaderValue::from_static("nosniff");
    let layers = ServiceBuilder::new()
        .layer(CatchPanicLayer::new())
        .layer(SetResponseHeaderLayer::if_not_present(X_CONTENT_TYPE_OPTIONS, nosniff));
    Router::new().fallback(answer).layer(layers).with_state(front)
}

async fn answer(State(front): State<Arc<Front>>, request: Request) -> Response {
    let target = request.uri().clone();
    let Some(client) = request.extensions().get::<Arc<Client>>().cloned() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    match front.dispatch(&client, request).await {
        Ok(response) => {
            tracing::debug!("{client} {target}: {}", response.status().as_u16());
            response
        }
        Err(refused) => {
            let (status, reason) = (refused.status.as_u16(), &refused.reason);
            tracing::info!("{client} {target}: {status}: {reason}");
            front.refuse(&refused)
        }
    }
}

/// A request that is not answered as its client wishes.
#[derive(Debug)]
struct Refused {
    status: StatusCode,
    /// For a person.
    reason: String,
}

impl Refused {
    fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into() }
    }
}

impl From<handshake::Refusal> for Refused {
    fn from(refusal: handshake::Refusal) -> Self {
        Self::new(refusal.status(), refusal.to_string())
    }
}

impl From<route::BadPath> for Refused {
    fn from(bad: route::BadPath) -> Self {
        Self::new(StatusCode::BAD_REQUEST, bad.to_string())
    }
}

impl Front {
    async fn dispatch(&self, client: &Client, mut request: Request) -> Result<Response, Refused> {
        handshake::name_host(&mut request)?;
        let path = route::decode(request.uri().path())?;
        // RFC 9112, section 3.2.2: the host of a target in absolute form goes before the header.
        let host = request
            .uri()
            .host()
            .map_or_else(|| handshake::host_name(request.headers()), str::to_ascii_lowercase);
        let websocket = self.websockets.find(client.listener, &host, &path);
        if handshake::is_asked_for(request.headers()) {
            let found = websocket.ok_or_else(|| {
                Refused::new(StatusCode::NOT_FOUND, "no <websocket> section takes this path")
            })?;
            return upgrade::upgrade(client, request, found.target, found.below).await;
        }
        if let Some(found) = self.files.find(client.listener, &host, &path) {
            let (head, _) = request.into_parts();
            return found.target.answer(&head, found.below).await;
        }
        Err(match websocket {
            Some(_) => handshake::Refusal::NoUpgrade.into(),
            None => Refused::new(StatusCode::NOT_FOUND, "no section takes this path"),
        })
    }

    fn refuse(&self, refused: &Refused) -> Response {
        let status = refused.status;
        let usual = status.canonical_reason().unwrap_or("refused");
        let text = if self.debug_mode { refused.reason.as_str() } else { usual };
        let mut response = Response::new(Body::from(format!("{} {text}\n", status.as_u16())));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        match status {
            // RFC 6455, 4.4 and RFC 9110, 15.5.22.
            StatusCode::UPGRADE_REQUIRED => {
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
                headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(axum::http::header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            }
            _ => {}
        }
        response
    }
}
