//! What the server behind is asked: the client's request, as a gateway passes it on.

use std::net::SocketAddr;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::Section;
use crate::client::Ask;
use crate::endpoint::Request;

/// The request to the server for a client's.
pub(super) fn ask(section: &Section, request: &Request<'_>) -> Ask {
    let forward = &section.forward;
    let target = match forward.append_path {
        true => target(&forward.url.target, request.route, request.target),
        false => forward.url.target.clone(),
    };
    let origin = values(request, "origin").next();
    Ask {
        host: forward.url.authority(),
        target,
        origin: origin.map(|origin| String::from_utf8_lossy(origin).into_owned()),
        subprotocols: subprotocols(&section.settings.subprotocols, request.subprotocols),
        // The two mostly stand side by side; it would be paid in CPU for nothing.
        deflate: None,
        headers: headers(&forward.forward_headers, request),
    }
}

/// Of the headers of the server's 101 those that the conf names.
pub(super) fn passed_back(
    section: &Section,
    headers: &[(String, Vec<u8>)],
) -> Vec<(String, Vec<u8>)> {
    let names = &section.forward.forward_headers;
    let named = |name: &str| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    headers.iter().filter(|(name, _)| named(name)).cloned().collect()
}

/// The path of the url, what is left of the client's below `route`, and both queries. Nothing is
/// decoded: `route` ends at a segment border, and no slash is encoded.
fn target(url: &str, route: &str, asked: &str) -> String {
    let (base, own) = url.split_once('?').unwrap_or((url, ""));
    let (path, query) = asked.split_once('?').unwrap_or((asked, ""));
    let segments = if route == "/" { 0 } else { route.matches('/').count() };
    let below = path.match_indices('/').nth(segments).map_or("", |(at, _)| &path[at..]);
    let base = if below.is_empty() { base } else { base.strip_suffix('/').unwrap_or(base) };
    let query = match (own, query) {
        ("", "") => String::new(),
        ("", one) | (one, "") => format!("?{one}"),
        (own, query) => format!("?{own}&{query}"),
    };
    // HTTP lets through what is no ASCII; a url has none.
    format!("{base}{}{}", encoded(below, CONTROLS), encoded(&query, CONTROLS))
}

/// All that the client offers; if the section names its own, those of them, in its order.
fn subprotocols(ours: &[String], offered: &[String]) -> Vec<String> {
    match ours {
        [] => offered.to_vec(),
        ours => ours.iter().filter(|name| offered.contains(name)).cloned().collect(),
    }
}

fn headers(names: &[String], request: &Request<'_>) -> Vec<(String, Vec<u8>)> {
    let mut headers = Vec::new();
    for name in names {
        let lower = name.to_ascii_lowercase();
        headers.extend(values(request, &lower).map(|value| (name.clone(), value.to_vec())));
    }
    let mut add = |name: &str, value: Vec<u8>| {
        if !value.is_empty() {
            headers.push((name.to_owned(), value));
        }
    };
    add("X-Forwarded-For", forwarded_for(request));
    add("X-Forwarded-Proto", if request.tls { b"https".to_vec() } else { b"http".to_vec() });
    add("X-Forwarded-Host", request.authority.as_bytes().to_vec());
    if request.route != "/" {
        add("X-Forwarded-Prefix", encoded(request.route, PATH).into_bytes());
    }
    headers
}

/// What a path of a header may not show as it is.
const PATH: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%').add(b'<').add(b'>').add(b'?');

/// What came, and the client's address behind it. On a Unix socket it has none.
fn forwarded_for(request: &Request<'_>) -> Vec<u8> {
    let peer = request.peer.parse::<SocketAddr>().map(|peer| peer.ip().to_string());
    let mut all: Vec<&[u8]> = values(request, "x-forwarded-for").collect();
    all.extend(peer.as_ref().map(String::as_bytes));
    all.join(&b", "[..])
}

/// The values of a header, by its name in lower case.
fn values<'r>(request: &'r Request<'_>, name: &'r str) -> impl Iterator<Item = &'r [u8]> {
    request.headers.iter().filter(move |(known, _)| *known == name).map(|(_, value)| *value)
}

fn encoded(text: &str, set: &'static AsciiSet) -> String {
    utf8_percent_encode(text, set).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_the_path_goes_behind_the_url() {
        for (url, route, asked, expected) in [
            ("/", "/app", "/app", "/"),
            ("/", "/app", "/app/", "/"),
            ("/", "/app", "/app/x", "/x"),
            ("/base", "/app", "/app", "/base"),
            ("/base", "/app", "/app/", "/base/"),
            ("/base", "/app", "/app/x/y", "/base/x/y"),
            ("/base/", "/app", "/app/x", "/base/x"),
            ("/base/", "/app", "/app", "/base/"),
            ("/base", "/", "/", "/base/"),
            ("/base", "/", "/x", "/base/x"),
            ("/base", "/a/b", "/a/b/c", "/base/c"),
            ("/base", "/a b", "/a%20b/c%20d", "/base/c%20d"),
            ("/base", "/a", "/%61/%E4%BD%A0", "/base/%E4%BD%A0"),
            ("/base", "/a", "/a/ü", "/base/%C3%BC"),
            ("/base", "/a", "/a//b", "/base//b"),
            ("/base", "/a", "/a?x=/y", "/base?x=/y"),
            ("/base?k=1", "/a", "/a/z", "/base/z?k=1"),
            ("/base?k=1", "/a", "/a/z?x=?", "/base/z?k=1&x=?"),
        ] {
            assert_eq!(target(url, route, asked), expected, "{asked} at {route} to {url}");
        }
    }

    #[test]
    fn the_conf_may_narrow_what_is_offered() {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (ours, offered, expected) in [
            (&[][..], &["a", "b"][..], &["a", "b"][..]),
            (&["b", "a", "c"], &["a", "x", "b"], &["b", "a"]),
            (&["c"], &["a"], &[]),
        ] {
            assert_eq!(subprotocols(&names(ours), &names(offered)), names(expected));
        }
    }
}
