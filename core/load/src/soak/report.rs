//! What a soak has seen.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use super::Fate;

/// The result of a soak.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Connections that were dialled.
    pub dialled: u64,
    /// Those of them that became WebSockets, by the names of their targets.
    pub opened: BTreeMap<String, u64>,
    /// Those of them that agreed on compression, and on TLS.
    pub compressed: u64,
    /// See `compressed`.
    pub secured: u64,
    /// What connections were to do, and how many have come to their end.
    pub fates: BTreeMap<Fate, u64>,
    /// How those that were open ended, in a few words.
    pub ends: BTreeMap<String, u64>,
    /// Messages sent whole, and how many of them in fragments.
    pub sent: u64,
    /// See `sent`.
    pub fragmented: u64,
    /// Messages that came.
    pub received: u64,
    /// Bytes of payload in them.
    pub bytes_sent: u64,
    /// See `bytes_sent`.
    pub bytes_received: u64,
    /// The longest that came.
    pub longest: usize,
    /// Pings sent, and the pongs to them.
    pub pings: u64,
    /// See `pings`.
    pub pongs: u64,
    /// The server's pings, which were answered.
    pub pinged: u64,
    /// What was wrong, by its kind.
    pub faults: BTreeMap<String, u64>,
    /// The first few faults, each with when it was seen, target, connection and message.
    samples: Vec<(Instant, String)>,
    /// The longest time in which a thread did not look at its sockets.
    pub longest_turn: Duration,
    /// How long it all took.
    pub duration: Duration,
}

/// So many faults are told in words.
const SAMPLES_MAX: usize = 20;

impl Report {
    /// Whether nothing was wrong.
    pub fn is_well(&self) -> bool {
        self.faults.is_empty()
    }

    /// How many faults there were.
    pub fn fault_count(&self) -> u64 {
        self.faults.values().sum()
    }

    /// Notes one that is seen `now`, which is no earlier than those before.
    pub(super) fn fault(&mut self, now: Instant, kind: &str, what: &str) {
        add(&mut self.faults, kind.to_owned(), 1);
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push((now, format!("{what}: {kind}")));
        }
    }

    pub(super) fn end(&mut self, how: &str) {
        add(&mut self.ends, how.to_owned(), 1);
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (own, other) in [
            (&mut self.opened, other.opened),
            (&mut self.ends, other.ends),
            (&mut self.faults, other.faults),
        ] {
            other.into_iter().for_each(|(name, count)| add(own, name, count));
        }
        other.fates.into_iter().for_each(|(fate, count)| add(&mut self.fates, fate, count));
        self.dialled += other.dialled;
        self.compressed += other.compressed;
        self.secured += other.secured;
        self.sent += other.sent;
        self.fragmented += other.fragmented;
        self.received += other.received;
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
        self.longest = self.longest.max(other.longest);
        self.pings += other.pings;
        self.pongs += other.pongs;
        self.pinged += other.pinged;
        self.samples.extend(other.samples);
        // The first of all threads, not all of the first thread.
        self.samples.sort_by_key(|(when, _)| *when);
        self.samples.truncate(SAMPLES_MAX);
        self.longest_turn = self.longest_turn.max(other.longest_turn);
    }
}

fn add<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K, count: u64) {
    *counts.entry(key).or_default() += count;
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.duration.as_secs_f64().max(1e-9);
        let opened: u64 = self.opened.values().sum();
        row(f, "seconds", &format!("{seconds:.1}"))?;
        row(f, "connections dialled", &self.dialled.to_string())?;
        let kinds = format!("{} over TLS, {} compressed", self.secured, self.compressed);
        row(f, "connections opened", &format!("{opened}, {kinds}"))?;
        for (name, count) in &self.opened {
            row(f, &format!("  at {name}"), &count.to_string())?;
        }
        row(f, "what they did", "")?;
        for (fate, count) in &self.fates {
            row(f, &format!("  {}", fate.name()), &count.to_string())?;
        }
        row(f, "how they ended", "")?;
        for (end, count) in &self.ends {
            row(f, &format!("  {end}"), &count.to_string())?;
        }
        let rate = |bytes: u64| bytes as f64 / 1e6 / seconds;
        let megabytes =
            |bytes: u64| format!("{:.0} MB, {:.1} a second", bytes as f64 / 1e6, rate(bytes));
        row(f, "messages sent", &format!("{}, {} in fragments", self.sent, self.fragmented))?;
        row(f, "  payload", &megabytes(self.bytes_sent))?;
        row(
            f,
            "messages checked",
            &format!("{}, the longest has {} bytes", self.received, self.longest),
        )?;
        row(f, "  payload", &megabytes(self.bytes_received))?;
        let pings = format!(
            "{} sent, {} pongs checked, {} of the host answered",
            self.pings, self.pongs, self.pinged
        );
        row(f, "pings", &pings)?;
        row(f, "longest turn of a thread", &format!("{:.1?}", self.longest_turn))?;
        row(f, "faults", &self.fault_count().to_string())?;
        for (kind, count) in &self.faults {
            row(f, &format!("  {kind}"), &count.to_string())?;
        }
        self.samples.iter().try_for_each(|(_, sample)| writeln!(f, "  WRONG: {sample}"))
    }
}

/// A line of the table.
fn row(f: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
    writeln!(f, "{}", format!("{name:<32} {value}").trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_faults_of_all_threads_are_told() {
        let start = Instant::now();
        let thread = |number: u64| {
            let mut report = Report::default();
            for step in 0..SAMPLES_MAX as u64 {
                let when = start + Duration::from_secs(2 * step + number);
                report.fault(when, "lost", &format!("thread {number}, {step}"));
            }
            report
        };
        let mut sum = Report::default();
        [thread(1), thread(0)].into_iter().for_each(|report| sum.merge(report));
        assert_eq!(sum.fault_count(), 2 * SAMPLES_MAX as u64);
        let told: Vec<_> = sum.samples.iter().map(|(_, what)| what.as_str()).collect();
        assert_eq!(told.len(), SAMPLES_MAX);
        assert_eq!(told[..3], ["thread 0, 0: lost", "thread 1, 0: lost", "thread 0, 1: lost"]);
    }
}
