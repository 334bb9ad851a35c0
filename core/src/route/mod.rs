//! Which section answers: (listener, host, longest prefix) to whatever stands there.
//!
//! Sections that name the request's host go before those that name a pattern of it, and those before
//! the ones that name none; among equals the longest prefix wins. A prefix ends at the border of a
//! segment.

mod why;

use std::collections::HashMap;

use percent_encoding::percent_decode_str;

use crate::conf::Mount;

pub use why::{Asked, Miss, miss};

/// Looked up once a request, never changed: a new conf makes a new table.
#[derive(Debug)]
pub struct Table<T> {
    /// By host as the conf names it, most telling first; the empty name is every host.
    hosts: Vec<(HostRule, Prefixes<T>)>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum HostRule {
    Name(String),
    /// Any name below; longer ones first.
    Below(std::cmp::Reverse<usize>, String),
    Any,
}

#[derive(Debug)]
struct Prefixes<T> {
    by_prefix: HashMap<String, Vec<Entry<T>>>,
    /// Segments of the longest prefix.
    segments_max: usize,
}

#[derive(Debug)]
struct Entry<T> {
    /// Indices of listeners; empty: all.
    listeners: Vec<usize>,
    target: T,
}

/// What was found, and the path below its prefix.
#[derive(Debug, PartialEq, Eq)]
pub struct Found<'t, 'p, T> {
    /// What stands there.
    pub target: &'t T,
    /// Empty, or begins with `/`.
    pub below: &'p str,
}

impl<T: Clone> Table<T> {
    /// `listeners` are the names of all listeners, in their order.
    pub fn new(entries: Vec<(Mount, T)>, listeners: &[String]) -> Self {
        let mut hosts: Vec<(HostRule, Prefixes<T>)> = Vec::new();
        for (mount, target) in entries {
            let index = |name: &String| listeners.iter().position(|known| known == name);
            let on: Vec<usize> = mount.listeners.iter().filter_map(index).collect();
            let rules = if mount.hosts.is_empty() {
                vec![HostRule::Any]
            } else {
                mount.hosts.iter().map(|host| HostRule::of(host)).collect()
            };
            for rule in rules {
                let place = hosts.iter().position(|(known, _)| *known == rule);
                let place = place.unwrap_or_else(|| {
                    hosts.push((rule, Prefixes { by_prefix: HashMap::new(), segments_max: 0 }));
                    hosts.len() - 1
                });
                hosts[place]
                    .1
                    .add(&mount.prefix, Entry { listeners: on.clone(), target: target.clone() });
            }
        }
        hosts.sort_by(|(one, _), (other, _)| one.cmp(other));
        Self { hosts }
    }

    /// `host` is lower case, without a port; `path` is decoded.
    pub fn find<'t, 'p>(
        &'t self,
        listener: usize,
        host: &str,
        path: &'p str,
    ) -> Option<Found<'t, 'p, T>> {
        let matching = self.hosts.iter().filter(|(rule, _)| rule.matches(host));
        matching.into_iter().find_map(|(_, prefixes)| prefixes.find(listener, path))
    }
}

impl<T> Prefixes<T> {
    fn add(&mut self, prefix: &str, entry: Entry<T>) {
        self.segments_max = self.segments_max.max(segments(prefix));
        self.by_prefix.entry(prefix.to_owned()).or_default().push(entry);
    }

    fn find<'t, 'p>(&'t self, listener: usize, path: &'p str) -> Option<Found<'t, 'p, T>> {
        // No prefix is longer than this, however many segments the path has.
        let mut end = border(path, self.segments_max);
        loop {
            let prefix = if end == 0 { "/" } else { &path[..end] };
            let here = self.by_prefix.get(prefix).into_iter().flatten();
            let on = |entry: &&Entry<T>| {
                entry.listeners.is_empty() || entry.listeners.contains(&listener)
            };
            if let Some(entry) = here.into_iter().find(on) {
                let below = if prefix == "/" { path } else { &path[end..] };
                return Some(Found { target: &entry.target, below });
            }
            if end == 0 {
                return None;
            }
            end = path[..end].rfind('/').unwrap_or(0);
        }
    }
}

/// Where the first `count` segments of `path` end.
fn border(path: &str, count: usize) -> usize {
    let mut slashes = path.match_indices('/').skip(count + 1);
    let end = slashes.next().map_or(path.len(), |(at, _)| at);
    if end > 1 && path[..end].ends_with('/') { end - 1 } else { end }
}

fn segments(prefix: &str) -> usize {
    prefix.split('/').filter(|segment| !segment.is_empty()).count()
}

impl HostRule {
    fn of(host: &str) -> Self {
        match host.strip_prefix("*.") {
            Some(parent) => Self::Below(std::cmp::Reverse(parent.len()), parent.to_owned()),
            None => Self::Name(host.to_owned()),
        }
    }

    fn matches(&self, host: &str) -> bool {
        match self {
            Self::Name(name) => name == host,
            Self::Below(_, parent) => host
                .strip_suffix(parent.as_str())
                .is_some_and(|below| below.len() > 1 && below.ends_with('.')),
            Self::Any => true,
        }
    }
}

/// Why a path names nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadPath {
    /// It does not begin with a slash.
    #[error("the path does not begin with a slash")]
    NotAbsolute,
    /// Not two hexadecimal digits behind a `%`.
    #[error("the path has a '%' without two hexadecimal digits")]
    BadEscape,
    /// `%2F`
    #[error("the path has an encoded slash")]
    EncodedSlash,
    /// `%00`
    #[error("the path has an encoded NUL")]
    Nul,
    /// `.` or `..`, encoded or not.
    #[error("the path has a dot segment")]
    DotSegment,
    /// Not UTF-8 when decoded.
    #[error("the path is not UTF-8")]
    NotUtf8,
}

/// Decodes the path of a request, once. RFC 3986, sections 2.1 and 3.3.
///
/// # Errors
/// It could mean different things to different readers.
pub fn decode(path: &str) -> Result<String, BadPath> {
    if !path.starts_with('/') {
        return Err(BadPath::NotAbsolute);
    }
    for (at, _) in path.match_indices('%') {
        match path.as_bytes().get(at + 1..at + 3) {
            Some(b"2f" | b"2F") => return Err(BadPath::EncodedSlash),
            Some(b"00") => return Err(BadPath::Nul),
            Some([high, low]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {}
            _ => return Err(BadPath::BadEscape),
        }
    }
    let decoded = percent_decode_str(path).decode_utf8().map_err(|_| BadPath::NotUtf8)?;
    if decoded.split('/').any(|segment| segment == "." || segment == "..") {
        return Err(BadPath::DotSegment);
    }
    Ok(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(prefix: &str, hosts: &[&str], listeners: &[&str]) -> Mount {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Mount {
            prefix: prefix.to_owned(),
            hosts: owned(hosts),
            listeners: owned(listeners),
            at: String::new(),
        }
    }

    fn table() -> Table<&'static str> {
        let entries = vec![
            (mount("/", &[], &[]), "root"),
            (mount("/chat", &[], &[]), "chat"),
            (mount("/chat/admin", &[], &["inner"]), "admin"),
            (mount("/a b", &[], &[]), "blank"),
            (mount("/chat", &["www.example.org"], &[]), "www"),
            (mount("/", &["*.example.org"], &[]), "below"),
            (mount("/", &["*.b.example.org"], &[]), "deeper"),
        ];
        Table::new(entries, &["outer".to_owned(), "inner".to_owned()])
    }

    #[test]
    fn the_most_telling_host_and_the_longest_prefix_answer() {
        let table = table();
        for (listener, host, path, expected, below) in [
            (0, "x", "/", "root", "/"),
            (0, "x", "/other", "root", "/other"),
            (0, "x", "/chat", "chat", ""),
            (0, "x", "/chat/", "chat", "/"),
            (0, "x", "/chat/lobby", "chat", "/lobby"),
            (0, "x", "/chatter", "root", "/chatter"),
            (0, "x", "/Chat", "root", "/Chat"),
            (0, "x", "/chat/admin", "chat", "/admin"),
            (1, "x", "/chat/admin/x", "admin", "/x"),
            (0, "x", "/a b/c/d/e/f/g", "blank", "/c/d/e/f/g"),
            (0, "x", "//chat", "root", "//chat"),
            (0, "www.example.org", "/chat", "www", ""),
            (0, "www.example.org", "/", "below", "/"),
            (0, "a.b.example.org", "/chat", "deeper", "/chat"),
            (0, "example.org", "/chat", "chat", ""),
            (0, "wwwexample.org", "/chat", "chat", ""),
        ] {
            let found = table.find(listener, host, path);
            assert_eq!(found, Some(Found { target: &expected, below }), "{host}{path}");
        }
    }

    #[test]
    fn nothing_answers_where_nothing_stands() {
        let table = Table::new(vec![(mount("/chat", &[], &[]), ())], &[]);
        for path in ["/", "/cha", "/chats", "/x/chat"] {
            assert_eq!(table.find(0, "x", path), None, "{path}");
        }
    }

    #[test]
    fn a_path_is_decoded_once_or_refused() {
        for (path, expected) in [
            ("/a%20b", Ok("/a b")),
            ("/%2525", Ok("/%25")),
            ("/%E4%BD%A0", Ok("/你")),
            ("/a/.b/..c", Ok("/a/.b/..c")),
            ("*", Err(BadPath::NotAbsolute)),
            ("/a%2fb", Err(BadPath::EncodedSlash)),
            ("/a%2Fb", Err(BadPath::EncodedSlash)),
            ("/a%00", Err(BadPath::Nul)),
            ("/a/../b", Err(BadPath::DotSegment)),
            ("/a/%2e%2E/b", Err(BadPath::DotSegment)),
            ("/a/.", Err(BadPath::DotSegment)),
            ("/a%", Err(BadPath::BadEscape)),
            ("/a%4", Err(BadPath::BadEscape)),
            ("/a%+1", Err(BadPath::BadEscape)),
            ("/%ff", Err(BadPath::NotUtf8)),
        ] {
            assert_eq!(decode(path).as_deref(), expected.as_ref().map(|text| *text), "{path}");
        }
    }
}
