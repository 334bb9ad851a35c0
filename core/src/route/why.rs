//! Why a section does not take a request: for people who wonder. The host itself only finds.
//!
//! Nothing of the rules stands here a second time: a [`Table`] is asked what it would find if the
//! sections were otherwise.

use super::Table;
use crate::conf::Mount;

/// A request, as [`Table::find`] takes it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The names of all listeners, in their order.
    pub listeners: &'a [String],
    /// Index of the one that the request comes to.
    pub listener: usize,
    /// Lower case, without a port.
    pub host: &'a str,
    /// Decoded.
    pub path: &'a str,
}

/// Why a section does not take a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Miss {
    /// Its prefix has nothing to do with the path.
    #[error("another path")]
    Path,
    /// `/Chat` and `/chat`
    #[error("its prefix is written in another case")]
    Case,
    /// `/chat` and `/chatter`
    #[error("its prefix ends inside of a segment of the path")]
    Segment,
    /// It answers on others.
    #[error("it does not answer on this listener")]
    Listener,
    /// It answers for others.
    #[error("it does not answer for this host")]
    Host,
    /// Another section that takes it names the host, or a longer part of it.
    #[error("a section that says more of the host goes before it, whatever the prefix")]
    HostTellsLess,
    /// Another section that takes it has a longer prefix.
    #[error("a longer prefix goes before it")]
    ShorterPrefix,
}

/// Why `mount` does not take the request, if it does not: neither the `winner` is it nor stands there.
#[must_use]
pub fn miss(mount: &Mount, winner: Option<&Mount>, asked: Asked<'_>) -> Option<Miss> {
    let with = |hosts: &[String], listeners: &[String]| {
        let (hosts, listeners) = (hosts.to_vec(), listeners.to_vec());
        finds(&[Mount { hosts, listeners, ..mount.clone() }], asked).is_some()
    };
    if !with(&[], &[]) {
        return Some(of_path(mount, asked));
    }
    if !with(&[], &mount.listeners) {
        return Some(Miss::Listener);
    }
    if !with(&mount.hosts, &mount.listeners) {
        return Some(Miss::Host);
    }
    let winner = winner?;
    // At one prefix the order of two sections decides nothing, unless their hosts say as much.
    let level = |mount: &Mount| Mount { prefix: "/".to_owned(), ..mount.clone() };
    let both = finds(&[level(mount), level(winner)], asked);
    Some(if both == Some(1) { Miss::HostTellsLess } else { Miss::ShorterPrefix })
}

fn of_path(mount: &Mount, asked: Asked<'_>) -> Miss {
    let Mount { prefix, .. } = mount;
    let lower = Mount { prefix: prefix.to_lowercase(), ..everywhere(mount) };
    let path = asked.path.to_lowercase();
    let in_lower = Asked { path: &path, ..asked };
    if finds(&[lower], in_lower).is_some() {
        Miss::Case
    } else if asked.path.starts_with(prefix.as_str()) {
        Miss::Segment
    } else {
        Miss::Path
    }
}

fn everywhere(mount: &Mount) -> Mount {
    Mount { hosts: Vec::new(), listeners: Vec::new(), ..mount.clone() }
}

/// Which of these sections takes the request.
fn finds(mounts: &[Mount], asked: Asked<'_>) -> Option<usize> {
    let entries = mounts.iter().cloned().zip(0..).collect();
    let table: Table<usize> = Table::new(entries, asked.listeners);
    table.find(asked.listener, asked.host, asked.path).map(|found| *found.target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(prefix: &str, hosts: &[&str], listeners: &[&str]) -> Mount {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let (prefix, at) = (prefix.to_owned(), String::new());
        Mount { prefix, hosts: owned(hosts), listeners: owned(listeners), at }
    }

    #[test]
    fn each_section_has_its_reason() {
        let listeners = ["outer".to_owned(), "inner".to_owned()];
        let asked =
            Asked { listeners: &listeners, listener: 0, host: "www.example.org", path: "/chat/x" };
        let any = mount("/chat", &[], &[]);
        let pattern = mount("/", &["*.example.org"], &[]);
        for (mount, winner, expected) in [
            (mount("/feed", &[], &[]), None, Some(Miss::Path)),
            (mount("/chat/x/y", &[], &[]), None, Some(Miss::Path)),
            (mount("/Chat", &[], &[]), None, Some(Miss::Case)),
            (mount("/ch", &[], &[]), None, Some(Miss::Segment)),
            (mount("/chat", &[], &["inner"]), None, Some(Miss::Listener)),
            (mount("/chat", &["example.org"], &[]), None, Some(Miss::Host)),
            (mount("/chat", &["*.www.example.org"], &[]), None, Some(Miss::Host)),
            (mount("/chat", &["a.org", "*.org"], &[]), None, None),
            (mount("/", &[], &[]), Some(&any), Some(Miss::ShorterPrefix)),
            (mount("/chat/x", &[], &[]), Some(&pattern), Some(Miss::HostTellsLess)),
            (mount("/chat", &["*.org"], &[]), Some(&pattern), Some(Miss::HostTellsLess)),
        ] {
            assert_eq!(miss(&mount, winner, asked), expected, "{mount:?}");
        }
    }
}
