//! Which requests are taken: (listener, host, prefix) belongs to one section of a type.

use std::collections::HashMap;

use super::suggest::{nearest, there_is};
use super::{ListenerSettings, Mount};

/// Which requests are taken already, by sections of one type.
pub(super) struct Mounts<'l> {
    pub(super) kind: &'static str,
    listeners: Vec<&'l str>,
    /// (listener, host, prefix) to where it was given. The host is empty for all others.
    taken: HashMap<(String, String, String), String>,
}

impl<'l> Mounts<'l> {
    pub(super) fn new(kind: &'static str, listeners: &'l [ListenerSettings]) -> Self {
        let listeners = listeners.iter().map(|listener| listener.name.as_str()).collect();
        Self { kind, listeners, taken: HashMap::new() }
    }

    pub(super) fn unknown_listener(&self, name: &str) -> Option<String> {
        let name = name.to_lowercase();
        if self.listeners.contains(&name.as_str()) {
            return None;
        }
        Some(match nearest(&name, self.listeners.iter().copied()) {
            Some(near) => format!("there is no <listener {name}>; did you mean '{near}'?"),
            None if self.listeners.is_empty() => format!("there is no <listener {name}>"),
            None => {
                format!("there is no <listener {name}>; {}", there_is(&self.listeners))
            }
        })
    }

    /// Takes the requests of `mount`; says who has one of them already.
    pub(super) fn add(&mut self, mount: &Mount) -> Option<String> {
        let all: Vec<String> = self.listeners.iter().map(|name| (*name).into()).collect();
        let listeners = if mount.listeners.is_empty() { &all } else { &mount.listeners };
        let every = [String::new()];
        let hosts = if mount.hosts.is_empty() { &every[..] } else { &mount.hosts };
        let mut doubled = None;
        for listener in listeners {
            for host in hosts {
                let key = (listener.clone(), host.clone(), mount.prefix.clone());
                let first = self.taken.entry(key).or_insert_with(|| mount.at.clone());
                if *first != mount.at && doubled.is_none() {
                    let whose =
                        if host.is_empty() { String::new() } else { format!(" for host {host}") };
                    doubled = Some(format!(
                        "the prefix{whose} is taken by the <{}> section at {first}; give this one \
                         another prefix, host or listener",
                        self.kind
                    ));
                }
            }
        }
        doubled
    }
}
