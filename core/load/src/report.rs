//! What a run has seen, for people and for programs.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::check::{Finding, Findings};
use crate::histogram::Histogram;

/// The result of a run.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Connections that were opened, those that came back included.
    pub opened: u64,
    /// The most that were open at the same time, counted in each thread.
    pub open_max: u64,
    /// Why connections could not be opened, and how often.
    pub failed: BTreeMap<String, u64>,
    /// How connections ended that should not have, and how often.
    pub cut: BTreeMap<String, u64>,
    /// How connections were ended that had it coming: those that do not read.
    pub ended: BTreeMap<String, u64>,
    /// Messages sent.
    pub sent: u64,
    /// Messages that came.
    pub received: u64,
    /// Those of them that senders of other runs have sent.
    pub heard: u64,
    /// Bytes of payload sent.
    pub bytes_sent: u64,
    /// Bytes of payload that came.
    pub bytes_received: u64,
    /// What was wrong with messages.
    pub findings: Findings,
    /// From sending a message, or from the time that its rate had for it, to its echo.
    pub latency: Histogram,
    /// How much later than their times messages were sent, be it that the machine was busy or that
    /// too many were on their way. Part of the latency.
    pub lag: Histogram,
    /// From dialling to the answer of the handshake.
    pub opening: Histogram,
    /// How long it all took.
    pub duration: Duration,
}

impl Report {
    /// Whether every connection opened and ended as it should, and every message came as it was
    /// sent, once, in its order.
    pub fn is_well(&self) -> bool {
        self.findings.is_empty() && self.failed.is_empty() && self.cut.is_empty()
    }

    /// All of it as one object; durations are in milliseconds.
    pub fn to_json(&self) -> Value {
        let findings: Map<String, Value> = Finding::ALL
            .map(|finding| (finding.name().to_owned(), self.findings.count(finding).into()))
            .into_iter()
            .collect();
        json!({
            "well": self.is_well(),
            "seconds": self.duration.as_secs_f64(),
            "connections": {
                "opened": self.opened, "open_max": self.open_max,
                "failed": self.failed, "cut": self.cut, "ended": self.ended,
            },
            "messages": {
                "sent": self.sent, "received": self.received, "heard": self.heard,
                "bytes_sent": self.bytes_sent, "bytes_received": self.bytes_received,
            },
            "findings": findings,
            "samples": self.findings.samples(),
            "latency_ms": times(&self.latency),
            "lag_ms": times(&self.lag),
            "opening_ms": times(&self.opening),
        })
    }

    pub(crate) fn merge(&mut self, other: Self) {
        let add = |own: &mut BTreeMap<String, u64>, other: BTreeMap<String, u64>| {
            for (reason, count) in other {
                *own.entry(reason).or_default() += count;
            }
        };
        add(&mut self.failed, other.failed);
        add(&mut self.cut, other.cut);
        add(&mut self.ended, other.ended);
        self.opened += other.opened;
        self.open_max += other.open_max;
        self.sent += other.sent;
        self.received += other.received;
        self.heard += other.heard;
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
        self.findings.merge(other.findings);
        self.latency.merge(&other.latency);
        self.lag.merge(&other.lag);
        self.opening.merge(&other.opening);
    }
}

fn times(histogram: &Histogram) -> Value {
    let millis = |duration: Duration| duration.as_secs_f64() * 1000.0;
    json!({
        "count": histogram.count(),
        "p50": millis(histogram.quantile(0.5)),
        "p99": millis(histogram.quantile(0.99)),
        "p99.9": millis(histogram.quantile(0.999)),
        "max": millis(histogram.max()),
    })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.duration.as_secs_f64().max(1e-9);
        let rate = |count: u64| count as f64 / seconds;
        writeln!(
            f,
            "connections  {} opened, {} at a time, in {seconds:.1} s",
            self.opened, self.open_max
        )?;
        let reasons = [("failed", &self.failed), ("cut", &self.cut), ("ended", &self.ended)];
        for (name, reasons) in reasons {
            for (reason, count) in reasons {
                writeln!(f, "  {name:<10} {count} times: {reason}")?;
            }
        }
        writeln!(
            f,
            "messages     {} sent, {} received; {:.0} and {:.0} a second, {:.1} and {:.1} MB a second",
            self.sent,
            self.received,
            rate(self.sent),
            rate(self.received),
            rate(self.bytes_sent) / 1e6,
            rate(self.bytes_received) / 1e6,
        )?;
        let histograms =
            [("latency", &self.latency), ("lag", &self.lag), ("opening", &self.opening)];
        for (name, histogram) in histograms {
            if histogram.count() > 0 {
                let of = |share| histogram.quantile(share);
                let (p50, p99, max) = (of(0.5), of(0.99), histogram.max());
                writeln!(f, "{name:<12} p50 {p50:.1?}, p99 {p99:.1?}, max {max:.1?}")?;
            }
        }
        let found = Finding::ALL
            .map(|finding| format!("{} {}", self.findings.count(finding), finding.name()));
        write!(f, "faults       {}", found.join(", "))?;
        self.findings.samples().iter().try_for_each(|sample| write!(f, "\n  {sample}"))
    }
}
