//! What came, held against what must come: each fault has a name.

use std::collections::BTreeSet;
use std::fmt;

use switchboard_websocket::Kind;

use crate::message::{Maker, Number};

/// Something wrong with one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Finding {
    /// It never came.
    Lost,
    /// It came again.
    Doubled,
    /// It came after one that was sent later.
    Reordered,
    /// Its bytes, its length or its kind are others, or nobody sent it. If its number cannot be
    /// read any more, it counts as lost as well.
    Corrupt,
    /// It belongs to another connection.
    Mixed,
}

impl Finding {
    /// All, in the order of reports.
    pub const ALL: [Self; 5] =
        [Self::Lost, Self::Doubled, Self::Reordered, Self::Corrupt, Self::Mixed];

    /// One word, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Doubled => "doubled",
            Self::Reordered => "reordered",
            Self::Corrupt => "corrupt",
            Self::Mixed => "mixed",
        }
    }
}

/// How often each was found, and the first of them in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    counts: [u64; Finding::ALL.len()],
    samples: Vec<String>,
}

/// So many findings are told in words.
const SAMPLES_MAX: usize = 10;

impl Findings {
    /// How many messages have this fault.
    pub fn count(&self, finding: Finding) -> u64 {
        self.counts[finding as usize]
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.counts == [0; Finding::ALL.len()]
    }

    /// The first few, each a sentence.
    pub fn samples(&self) -> &[String] {
        &self.samples
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.counts.iter_mut().zip(other.counts).for_each(|(own, other)| *own += other);
        let room = SAMPLES_MAX.saturating_sub(self.samples.len());
        self.samples.extend(other.samples.into_iter().take(room));
    }

    pub(crate) fn add(&mut self, finding: Finding, receiver: u32, what: fmt::Arguments<'_>) {
        self.add_many(finding, 1, receiver, what);
    }

    fn add_many(&mut self, finding: Finding, count: u64, receiver: u32, what: fmt::Arguments<'_>) {
        self.counts[finding as usize] += count;
        if count > 0 && self.samples.len() < SAMPLES_MAX {
            self.samples.push(format!("connection {receiver}: {what}: {}", finding.name()));
        }
    }
}

/// What one connection has got from one sender.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inflow {
    /// The lowest number that neither came nor is missing.
    next: u64,
    missing: BTreeSet<u64>,
    /// Missing ones that were too many to be remembered.
    given_up: u64,
}

/// So many missing messages of a sender may still come.
const MISSING_MAX: usize = 10_000;

impl Inflow {
    /// Nothing before `next` is expected.
    pub(crate) fn new(next: u64) -> Self {
        Self { next, ..Self::default() }
    }

    /// A message came. Says what is wrong with its place.
    pub(crate) fn take(&mut self, seq: u64) -> Option<Finding> {
        if seq < self.next {
            let was_missing = self.missing.remove(&seq);
            return Some(if was_missing { Finding::Reordered } else { Finding::Doubled });
        }
        let remembered = (MISSING_MAX - self.missing.len()) as u64;
        let end = seq.min(self.next.saturating_add(remembered));
        self.missing.extend(self.next..end);
        self.given_up += seq - end;
        self.next = seq + 1;
        None
    }

    /// How many have not come, if `sent` is the first number that was not sent.
    pub(crate) fn lost(&self, sent: u64) -> u64 {
        self.missing.len() as u64 + self.given_up + sent.saturating_sub(self.next)
    }

    /// Adds what has not come.
    pub(crate) fn finish(&self, from: u32, sent: u64, receiver: u32, findings: &mut Findings) {
        let lost = self.lost(sent);
        let first = self.missing.first().copied().unwrap_or(self.next);
        let what = format_args!("{lost} messages of {from}, the first is {first}");
        findings.add_many(Finding::Lost, lost, receiver, what);
    }
}

/// Compares bytes, with a buffer of its own.
#[derive(Debug)]
pub(crate) struct Checker {
    maker: Maker,
    expected: Vec<u8>,
}

impl Checker {
    pub(crate) fn new(maker: Maker) -> Self {
        Self { maker, expected: Vec::new() }
    }

    /// The number of a message. What is wrong with its bytes is added to `findings`.
    pub(crate) fn read(
        &mut self,
        kind: Kind,
        payload: &[u8],
        receiver: u32,
        findings: &mut Findings,
    ) -> Option<Number> {
        let Some(number) = self.maker.number(payload) else {
            let shown = String::from_utf8_lossy(&payload[..payload.len().min(24)]).into_owned();
            let what = format_args!("a message of {} bytes, {shown:?}", payload.len());
            findings.add(Finding::Corrupt, receiver, what);
            return None;
        };
        let expected = self.maker.make(number, &mut self.expected);
        let Number { sender, seq } = number;
        if kind != expected {
            let what = format_args!("message {seq} of {sender} came as {kind:?}");
            findings.add(Finding::Corrupt, receiver, what);
        } else if payload != self.expected {
            let pairs = payload.iter().zip(&self.expected);
            let at = pairs.take_while(|(got, expected)| got == expected).count();
            let (got, len) = (payload.len(), self.expected.len());
            let what = format_args!(
                "message {seq} of {sender} differs at byte {at}, has {got} bytes of {len}"
            );
            findings.add(Finding::Corrupt, receiver, what);
        }
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use switchboard_websocket::Url;

    use super::*;
    use crate::plan::Plan;

    #[test]
    fn the_place_of_a_message_has_a_verdict() {
        use Finding::{Doubled, Reordered};
        /// Numbers in the order in which they come, their findings, and how many are lost of ten.
        type Row = (&'static [u64], &'static [Finding], u64);
        #[rustfmt::skip]
        let table: [Row; 8] = [
            (&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9],        &[],                     0),
            (&[],                                    &[],                     10),
            (&[0, 1, 2],                             &[],                     7),
            (&[0, 2, 3, 4, 5, 6, 7, 8, 9],           &[],                     1),
            (&[1, 0, 2, 3, 4, 5, 6, 7, 8, 9],        &[Reordered],            0),
            (&[0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9],     &[Doubled],              0),
            (&[2, 1, 0, 1, 3, 4, 5, 6, 7, 8, 9],     &[Reordered, Reordered, Doubled], 0),
            (&[9, 0],                                &[Reordered],            8),
        ];
        for (numbers, expected, lost) in table {
            let mut inflow = Inflow::default();
            let found: Vec<_> = numbers.iter().filter_map(|seq| inflow.take(*seq)).collect();
            assert_eq!((found.as_slice(), inflow.lost(10)), (expected, lost), "{numbers:?}");
        }
        let mut inflow = Inflow::new(5);
        assert_eq!((inflow.take(5), inflow.take(4)), (None, Some(Doubled)));
        assert_eq!(inflow.lost(6), 0);
    }

    #[test]
    fn a_huge_gap_costs_little_and_is_counted() {
        let mut inflow = Inflow::default();
        assert_eq!(inflow.take(1 << 35), None);
        assert_eq!(inflow.missing.len(), MISSING_MAX);
        assert_eq!(inflow.lost(1 + (1 << 35)), 1 << 35);
    }

    #[test]
    fn changed_bytes_are_found_wherever_they_are() {
        let mut plan = Plan::new(Url::parse("ws://a/").unwrap());
        plan.bytes = (64, 64);
        let maker = Maker::new(&plan);
        let mut payload = Vec::new();
        let kind = maker.make(Number { sender: 1, seq: 2 }, &mut payload);
        let mut checker = Checker::new(maker);
        let mut found = |kind, payload: &[u8]| {
            let mut findings = Findings::default();
            let number = checker.read(kind, payload, 9, &mut findings);
            (number.is_some(), findings.count(Finding::Corrupt))
        };
        assert_eq!(found(kind, &payload), (true, 0));
        let other = if kind == Kind::Text { Kind::Binary } else { Kind::Text };
        assert_eq!(found(other, &payload), (true, 1));
        assert_eq!(found(kind, &payload[..63]), (true, 1));
        assert_eq!(found(kind, &[&payload[..], b"x"].concat()), (true, 1));
        assert_eq!(found(kind, b""), (false, 1));
        for at in 0..64 {
            let mut wrong = payload.clone();
            wrong[at] ^= 0x20;
            assert_eq!(found(kind, &wrong), (at >= 16, 1), "{at}");
        }
    }
}
