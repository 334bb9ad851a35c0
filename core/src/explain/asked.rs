//! What was typed, as a request: the listeners that it may come to, its host and its path.

use std::net::IpAddr;

use axum::http::header::HOST;
use axum::http::{HeaderMap, HeaderValue};
use switchboard_websocket::{Server, Url};

use super::Options;
use crate::conf::{Address, ListenerSettings, Settings, listed};
use crate::handshake::host_name;

/// A request that somebody wonders about.
pub(super) struct Wanted {
    /// By their indices.
    pub(super) listeners: Vec<usize>,
    /// As the host reads it of a Host header. Empty: one that no section names.
    pub(super) host: String,
    /// As a client sends it, without the query.
    pub(super) path: String,
    /// Where the url says that the host listens.
    pub(super) server: Option<String>,
}

impl Wanted {
    /// # Errors
    /// A sentence on what cannot be asked for.
    pub(super) fn new(settings: &Settings, options: &Options) -> Result<Self, String> {
        let url = url(&options.target)?;
        let name = options.listener.as_ref().map(|name| name.to_lowercase());
        if let Some(name) = &name {
            known(settings, name)?;
        }
        let is_meant = |listener: &ListenerSettings| match (&name, &url) {
            (Some(name), _) => listener.name == *name,
            (None, Some(url)) => is_at(listener, url),
            (None, None) => true,
        };
        let listeners = settings.listeners.iter().enumerate();
        let listeners = listeners.filter(|(_, known)| is_meant(known)).map(|(index, _)| index);
        let host = options.host.clone().or_else(|| url.as_ref().map(Url::authority));
        let target = url.as_ref().map_or(&options.target, |url| &url.target);
        let path = target.split(['?', '#']).next().unwrap_or_default();
        Ok(Self {
            listeners: listeners.collect(),
            host: host.map(|host| read(&host)).transpose()?.unwrap_or_default(),
            path: path.to_owned(),
            server: url.as_ref().map(Url::authority),
        })
    }
}

/// None if the target is a path.
fn url(target: &str) -> Result<Option<Url>, String> {
    if target.starts_with('/') {
        return Ok(None);
    }
    // A page and a WebSocket have the same host and path.
    let schemes = [("http://", "ws://"), ("https://", "wss://")];
    let web = schemes.iter().find_map(|(web, own)| {
        let begin = target.get(..web.len())?;
        begin.eq_ignore_ascii_case(web).then(|| format!("{own}{}", &target[web.len()..]))
    });
    let text = web.as_deref().unwrap_or(target);
    let wrong = |why| format!("'{target}' is neither a path that begins with '/' nor a url: {why}");
    Url::parse(text).map(Some).map_err(|why| wrong(why.to_string()))
}

fn known(settings: &Settings, name: &str) -> Result<(), String> {
    let names: Vec<&str> = settings.listeners.iter().map(|known| known.name.as_str()).collect();
    if names.contains(&name) {
        return Ok(());
    }
    Err(format!("there is no <listener {name}>; the conf has {}", listed(&names, "and")))
}

/// Whether a client of `url` would come to this listener, if the url's host is this machine.
fn is_at(listener: &ListenerSettings, url: &Url) -> bool {
    match (&listener.address, &url.server) {
        (Address::Unix(own), Server::Unix(path)) => own.as_os_str() == path.as_str(),
        (Address::Tcp(own), Server::Tcp { host, port }) => {
            let ip: Option<IpAddr> = host.parse().ok();
            let is_here = own.ip().is_unspecified() || ip.is_none_or(|ip| own.ip() == ip);
            own.port() == *port && is_here && listener.ssl.is_some() == url.tls
        }
        _ => false,
    }
}

/// As the host reads a Host header.
fn read(host: &str) -> Result<String, String> {
    let value = HeaderValue::from_str(host).map_err(|_| format!("'{host}' is no host"))?;
    let name = host_name(&HeaderMap::from_iter([(HOST, value)]));
    let is_host = !name.is_empty() && !name.contains([' ', '/', '@']);
    is_host.then_some(name).ok_or_else(|| format!("'{host}' is no host"))
}
