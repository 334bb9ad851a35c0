//! Answers of a host as text for a person.

use super::report::{Connections, Plugins, Status};
use super::table::{Table, size, time};

/// Hexadecimal digits of a hash that are shown.
const HASH_SHOWN: usize = 12;

pub(super) fn status(status: &Status) -> String {
    let most = |most: Option<usize>| most.map_or("no limit".to_owned(), size);
    let mut text = format!(
        "switchboard {}, process {}, up {}{}\n{} connections of {}, {} of {} in memory\n\n",
        status.version,
        status.pid,
        time(status.uptime_seconds),
        if status.stopping { ", stopping" } else { "" },
        status.connections,
        status.max_connections,
        size(status.memory_bytes),
        most(status.max_memory_bytes),
    );
    let mut conf = Table::new(&["CONF", "SHA256"]);
    for file in &status.conf {
        conf.row([file.path.clone(), short(&file.sha256)]);
    }
    let mut listeners = Table::new(&["LISTENER", "ADDRESS", "TLS"]);
    for listener in &status.listeners {
        let tls = if listener.tls { "yes" } else { "no" };
        listeners.row([listener.name.clone(), listener.address.clone(), tls.to_owned()]);
    }
    let mut endpoints = Table::new(&["ENDPOINT", "KIND", "ANSWERS", ">CONNECTIONS", ">MEMORY"]);
    for endpoint in &status.endpoints {
        endpoints.row([
            mount(&endpoint.prefix, &endpoint.hosts, &endpoint.listeners),
            endpoint.kind.clone(),
            endpoint.answers.clone(),
            endpoint.connections.to_string(),
            size(endpoint.memory_bytes),
        ]);
    }
    let mut shards = Table::new(&[">SHARD", ">SOCKETS"]);
    for (index, shard) in status.shards.iter().enumerate() {
        shards.row([index.to_string(), shard.sockets.to_string()]);
    }
    text.push_str(&[conf, listeners, endpoints, shards].map(|table| table.to_string()).join("\n"));
    text
}

/// The prefix, with what else a request must have.
fn mount(prefix: &str, hosts: &[String], listeners: &[String]) -> String {
    let only = |what: &str, names: &[String]| match names {
        [] => String::new(),
        names => format!(" {what} {}", names.join(",")),
    };
    format!("{prefix}{}{}", only("host", hosts), only("on", listeners))
}

pub(super) fn connections(found: &Connections) -> String {
    let mut table = Table::new(&[
        ">UID",
        "ENDPOINT",
        "PEER",
        ">SHARD",
        "PHASE",
        ">MESSAGES",
        ">QUIET",
        ">WAITING",
        ">HELD",
    ]);
    for connection in &found.connections {
        let none = || "-".to_owned();
        // Seconds are enough for a person.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let quiet = connection.quiet_seconds.map(|seconds| time(seconds as u64));
        table.row([
            connection.uid.to_string(),
            connection.endpoint.clone(),
            connection.peer.clone().unwrap_or_else(none),
            connection.shard.to_string(),
            connection.phase.clone(),
            connection.messages.to_string(),
            quiet.unwrap_or_else(none),
            size(connection.waiting_bytes),
            size(connection.held_bytes),
        ]);
    }
    let mut text = table.to_string();
    let shown = found.connections.len();
    if shown < found.total {
        text.push_str(&format!("{shown} of {}; --limit shows more\n", found.total));
    }
    for shard in &found.silent_shards {
        text.push_str(&format!("shard {shard} does not answer: an endpoint holds it up\n"));
    }
    text
}

pub(super) fn plugins(found: &Plugins) -> String {
    let mut table = Table::new(&[
        "NAME",
        "ID",
        "VERSION",
        "ENDPOINTS",
        ">CONNECTIONS",
        "SHA256",
        "FILE",
        "BUILD",
    ]);
    for plugin in &found.plugins {
        let endpoints: Vec<_> = plugin.instances.iter().map(|one| one.endpoint.as_str()).collect();
        table.row([
            plugin.name.clone(),
            plugin.id.clone(),
            plugin.version.clone(),
            endpoints.join(" "),
            plugin.connections.to_string(),
            short(&plugin.sha256),
            plugin.path.clone(),
            plugin.build.clone(),
        ]);
    }
    table.to_string()
}

fn short(sha256: &str) -> String {
    sha256.chars().take(HASH_SHOWN).collect()
}
