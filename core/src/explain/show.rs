//! What came of it, in words.

use std::fmt::Write as _;

use super::asked::Wanted;
use super::{Kind, Told};
use crate::conf::{
    EndpointSettings, ExternalTarget, Mount, Origin, Settings, WebSocketSettings, header, listed,
    without_secrets,
};
use crate::route::Asked;

/// That a url leads to no listener.
pub(super) fn unheard(settings: &Settings, wanted: &Wanted) -> String {
    let known = settings.listeners.iter().map(|known| {
        let tls = if known.ssl.is_some() { " with TLS" } else { "" };
        format!("{} at {}{tls}", known.name, known.address)
    });
    let known: Vec<_> = known.collect();
    let server = wanted.server.as_deref().unwrap_or_default();
    format!(
        "no listener is at {server}; the conf has {}; --listener NAME asks for one\n",
        listed(&known, "and")
    )
}

/// What answers on one listener.
pub(super) fn told(settings: &Settings, asked: Asked<'_>, told: &Told) -> String {
    let mut text = String::new();
    let listener = &settings.listeners[asked.listener];
    let host = if asked.host.is_empty() { "that no section names" } else { asked.host };
    let (name, address, path) = (&listener.name, &listener.address, visible(asked.path));
    _ = writeln!(text, "listener {name} at {address}, host {host}, path {path}");
    let websockets: Vec<_> = settings.websockets.iter().map(|one| &one.mount).collect();
    let https: Vec<_> = settings.https.iter().map(|one| &one.mount).collect();
    let Told { websocket, http } = told;
    _ = match &websocket.winner {
        Some((index, below)) => {
            let (section, title) =
                (&settings.websockets[*index], title("websocket", websockets[*index]));
            let (who, pages, behind) = (whose(section), allowed(section), behind(below));
            writeln!(text, "  a WebSocket: {title}\n    {who}{behind}\n    {pages}")
        }
        None => writeln!(text, "  a WebSocket: 404, no <websocket> section takes this path"),
    };
    others(&mut text, "websocket", websocket, &websockets);
    _ = match &http.winner {
        Some((index, below)) => {
            let (title, root) = (title("http", https[*index]), &settings.https[*index].files.root);
            let (root, behind) = (root.display(), behind(below));
            writeln!(text, "  anything else: {title}\n    files in {root}{behind}")
        }
        None if websocket.winner.is_some() => {
            writeln!(text, "  anything else: 426, this address speaks WebSocket")
        }
        None => writeln!(text, "  anything else: 404, no section takes this path"),
    };
    others(&mut text, "http", http, &https);
    text
}

/// `<websocket /chat> at zope.conf:4`
fn title(kind: &str, mount: &Mount) -> String {
    format!("{} at {}", header(kind, &mount.prefix), mount.at)
}

fn others(text: &mut String, kind: &str, told: &Kind, mounts: &[&Mount]) {
    for (index, miss) in &told.others {
        _ = writeln!(text, "    not {}: {miss}", title(kind, mounts[*index]));
    }
}

fn behind(below: &str) -> String {
    if below.is_empty() {
        String::new()
    } else {
        format!(", with {} behind the prefix", visible(below))
    }
}

/// What was percent-encoded must not drive the terminal.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Who answers.
fn whose(section: &WebSocketSettings) -> String {
    match &section.endpoint {
        EndpointSettings::Plugin(plugin) => format!("plugin {}", plugin.name),
        EndpointSettings::Forward(forward) => {
            format!("forward to {}", without_secrets(&forward.url.to_string()))
        }
        EndpointSettings::External(external) => match &external.target {
            ExternalTarget::Program { program, .. } => format!("program {}", program.display()),
            ExternalTarget::Socket(socket) => format!("socket {}", socket.display()),
        },
    }
}

/// Whose pages may connect, and what is spoken.
fn allowed(section: &WebSocketSettings) -> String {
    let origins: Vec<_> = section.origins.iter().map(origin).collect();
    let mut text = format!("pages of {}", listed(&origins, "or"));
    let without = if section.origin_required { "; no request without Origin" } else { "" };
    text.push_str(without);
    if !section.subprotocols.is_empty() {
        _ = write!(text, "; subprotocol {}", listed(&section.subprotocols, "or"));
    }
    text
}

fn origin(rule: &Origin) -> String {
    match rule {
        Origin::Any => "any origin".to_owned(),
        Origin::Same => "the host itself".to_owned(),
        Origin::Exactly { scheme, host, port, below } => {
            let (any, port) = (
                if *below { "*." } else { "" },
                match (scheme.as_str(), port) {
                    ("http" | "ws", 80) | ("https" | "wss", 443) | (_, 0) => String::new(),
                    _ => format!(":{port}"),
                },
            );
            format!("{scheme}://{any}{host}{port}")
        }
    }
}
