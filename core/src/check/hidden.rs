//! Sections that do not answer where one could think so, and listeners on which nobody does.
//!
//! Two sections never take the same requests: that is an error of the conf. So each answers for
//! some, but a section that names a host goes before one with a longer prefix that does not.

use std::collections::BTreeSet;

use crate::conf::{ListenerSettings, Mount, Settings, header, listed};
use crate::route::Table;

/// A warning for each of them.
pub(super) fn sections(settings: &Settings) -> Vec<String> {
    let websockets: Vec<_> = settings.websockets.iter().map(|section| &section.mount).collect();
    let https: Vec<_> = settings.https.iter().map(|section| &section.mount).collect();
    let silent = |listener: &&ListenerSettings| {
        let mut all = websockets.iter().chain(&https).peekable();
        let takes =
            |mount: &&Mount| mount.listeners.is_empty() || mount.listeners.contains(&listener.name);
        all.peek().is_some() && !all.any(takes)
    };
    let silent = settings.listeners.iter().filter(silent);
    let mut warnings: Vec<_> = silent
        .map(|known| format!("{}: <listener {}>: no section answers on it", known.at, known.name))
        .collect();
    let names: Vec<_> = settings.listeners.iter().map(|known| known.name.clone()).collect();
    for (kind, mounts) in [("websocket", websockets), ("http", https)] {
        let whole = Whole { kind, table: table(&mounts, &names), mounts, listeners: &names };
        warnings.extend((0..whole.mounts.len()).filter_map(|index| whole.hidden(index)));
    }
    warnings
}

/// All sections of a kind.
struct Whole<'s> {
    kind: &'static str,
    mounts: Vec<&'s Mount>,
    /// To their indices.
    table: Table<usize>,
    listeners: &'s [String],
}

impl Whole<'_> {
    /// For which hosts the section does not answer, though it would without the others.
    fn hidden(&self, index: usize) -> Option<String> {
        let mount = self.mounts[index];
        let alone = table(&[mount], self.listeners);
        let takers = self.hosts_above(mount).into_iter();
        let takers = takers.filter_map(|host| Some((host, self.taker(index, &alone, host)?)));
        let (hosts, takers): (Vec<_>, BTreeSet<_>) = takers.unzip();
        let takers: Vec<_> = takers
            .into_iter()
            .map(|taker| &self.mounts[taker])
            .map(|taker| format!("{} at {}", header(self.kind, &taker.prefix), taker.at))
            .collect();
        let names = if takers.len() == 1 { "names" } else { "name" };
        let (own, hosts) = (header(self.kind, &mount.prefix), listed(&hosts, "and"));
        (!takers.is_empty()).then(|| {
            format!(
                "{}: {own}: does not answer for {hosts}, which {} {names}: a host goes before a \
                 longer prefix; if this one should answer there, it needs such a 'host' too",
                mount.at,
                listed(&takers, "and")
            )
        })
    }

    /// What sections with a prefix above that of `mount` have as `host`, if it may match.
    fn hosts_above(&self, mount: &Mount) -> BTreeSet<&str> {
        let takes_others = mount.hosts.is_empty() || mount.hosts.iter().any(|h| h.starts_with('*'));
        let is_above = |other: &&&Mount| takes_others && is_above(&other.prefix, &mount.prefix);
        let hosts = self.mounts.iter().filter(is_above).flat_map(|other| &other.hosts);
        hosts.map(String::as_str).filter(|host| mount.hosts.iter().all(|own| own != host)).collect()
    }

    /// Who answers for `host` at the prefix of the section, on all listeners on which the section
    /// would if it were alone.
    fn taker(&self, index: usize, alone: &Table<usize>, host: &str) -> Option<usize> {
        // Of a pattern, one of the names.
        let host = host.replacen('*', "any", 1);
        let path = &self.mounts[index].prefix;
        let on = (0..self.listeners.len()).filter(|on| alone.find(*on, &host, path).is_some());
        let takers = on.filter_map(|on| self.table.find(on, &host, path));
        let takers: Vec<usize> = takers.map(|found| *found.target).collect();
        let hides = |taker: &usize| is_above(&self.mounts[*taker].prefix, path);
        takers.iter().all(hides).then(|| takers.first().copied())?
    }
}

fn table(mounts: &[&Mount], listeners: &[String]) -> Table<usize> {
    let entries = mounts.iter().enumerate().map(|(index, mount)| ((*mount).clone(), index));
    Table::new(entries.collect(), listeners)
}

/// Whether all paths of `prefix` are paths of `other` too, which is a shorter one.
fn is_above(other: &str, prefix: &str) -> bool {
    let other = other.trim_end_matches('/');
    prefix.strip_prefix(other).is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'))
}
