//! What a message of a soak is made of, and what another one in its place is called.

use switchboard_websocket::Kind;

use crate::check::Finding;
use crate::message::{Number, number_of, push_number};
use crate::random::Random;

/// Which sizes a connection's messages have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sizes {
    /// From nothing to some hundred KiB, most of them small, and now and then several MiB.
    Mixed,
    /// Such that few fill what the system keeps for a socket.
    Large,
}

/// One message: the same seed and number make the same one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message {
    pub(super) number: Number,
    pub(super) sizes: Sizes,
}

/// Of the numbers of one slot, so many bits count the messages of one of its connections.
const SEQ_BITS: u32 = 16;

/// A connection sends fewer messages than this.
pub(super) const MESSAGES_MAX: u32 = 1 << SEQ_BITS;

impl Message {
    /// The message `seq` of the connection that is the `life`th of its slot.
    pub(super) fn new(slot: u32, life: u32, seq: u32, sizes: Sizes) -> Self {
        let seq = u64::from(life) << SEQ_BITS | u64::from(seq);
        Self { number: Number { sender: slot, seq }, sizes }
    }

    /// Which message of its connection it is.
    pub(super) fn seq(&self) -> u32 {
        (self.number.seq & u64::from(MESSAGES_MAX - 1)) as u32
    }

    /// Writes the payload into `out`, in place of what is there.
    pub(super) fn make(&self, seed: u64, bytes_max: usize, out: &mut Vec<u8>) -> Kind {
        let mut random = push_number(seed, self.number, out);
        let kind = if random.percent(50) { Kind::Text } else { Kind::Binary };
        let len = self.sizes.draw(&mut random).min(bytes_max);
        out.reserve(len);
        match (kind, random.below(4)) {
            (_, 0) => words(out, len, &mut random),
            (_, 1) => out.resize(len.max(out.len()), b'0' + random.below(10) as u8),
            (Kind::Text, 2) => foreign(out, len, &mut random),
            (Kind::Text, _) => letters(out, len, &mut random),
            (Kind::Binary, _) => noise(out, len, &mut random),
        }
        // The number is ASCII, so a text that is shorter than it stays one.
        out.truncate(len);
        kind
    }

    /// What it is if this came in its place, and whose it is.
    pub(super) fn judge(&self, seed: u64, payload: &[u8]) -> (Finding, Option<Number>) {
        let found = number_of(seed, payload);
        let life = |number: Number| (number.sender, number.seq >> SEQ_BITS);
        let finding = match found {
            None => Finding::Corrupt,
            Some(number) if life(number) != life(self.number) => Finding::Mixed,
            Some(number) if number.seq > self.number.seq => Finding::Reordered,
            Some(number) if number.seq < self.number.seq => Finding::Doubled,
            Some(_) => Finding::Corrupt,
        };
        (finding, found)
    }
}

impl Sizes {
    fn draw(self, random: &mut Random) -> usize {
        let per_mille = random.below(1000);
        match self {
            Self::Large => random.spread(64 << 10, 256 << 10),
            Self::Mixed => match per_mille {
                0..50 => 0,
                50..600 => random.spread(1, 1 << 10),
                600..960 => random.spread(1 << 10, 64 << 10),
                960..999 => random.spread(64 << 10, 512 << 10),
                _ => random.spread(1 << 20, 8 << 20),
            },
        }
    }
}

/// What deflate makes small.
fn words(out: &mut Vec<u8>, len: usize, random: &mut Random) {
    const WORDS: [&str; 16] = [
        "message ",
        "frame ",
        "the ",
        "of ",
        "a ",
        "connection ",
        "and ",
        "shard ",
        "queue ",
        "in ",
        "which ",
        "waits ",
        "leaves ",
        "comes ",
        "before ",
        "after ",
    ];
    while out.len() < len {
        out.extend_from_slice(WORDS[random.below(16) as usize].as_bytes());
    }
}

/// What deflate cannot make small.
fn noise(out: &mut Vec<u8>, len: usize, random: &mut Random) {
    while out.len() < len {
        out.extend_from_slice(&random.next().to_le_bytes());
    }
}

/// The same as text: six bits of eight.
fn letters(out: &mut Vec<u8>, len: usize, random: &mut Random) {
    let start = out.len();
    noise(out, len, random);
    for byte in &mut out[start..] {
        *byte = b'0' + (*byte & 63);
    }
}

/// Characters of one to four bytes, which fragments cut through.
fn foreign(out: &mut Vec<u8>, len: usize, random: &mut Random) {
    const LONGEST: usize = 4;
    let mut bytes = [0; LONGEST];
    while out.len() + LONGEST <= len {
        let char = ['é', 'ß', 'Ж', '€', '中', '日', '𝄞', '😀', 'a', ' '][random.below(10) as usize];
        out.extend_from_slice(char.encode_utf8(&mut bytes).as_bytes());
    }
    out.resize(len.max(out.len()), b'.');
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: u64 = 3;

    fn made(slot: u32, life: u32, seq: u32) -> (Message, Kind, Vec<u8>) {
        let message = Message::new(slot, life, seq, Sizes::Mixed);
        let mut payload = Vec::new();
        let kind = message.make(SEED, 1 << 20, &mut payload);
        (message, kind, payload)
    }

    #[test]
    fn texts_are_utf8_of_every_size_and_come_again() {
        let (mut empty, mut long, mut wide) = (0, 0, 0);
        for seq in 0..2000 {
            let (message, kind, payload) = made(1, 2, seq);
            assert_eq!(message.seq(), seq);
            assert_eq!(made(1, 2, seq).2, payload);
            empty += u32::from(payload.is_empty());
            long += u32::from(payload.len() > 64 << 10);
            if kind == Kind::Text {
                let text = std::str::from_utf8(&payload).unwrap();
                wide += u32::from(!text.is_ascii());
            }
        }
        assert!(empty > 50 && long > 50 && wide > 100, "{empty} {long} {wide}");
    }

    #[test]
    fn what_comes_instead_has_a_name() {
        let long = |slot, life| (0..).map(move |seq| made(slot, life, seq));
        let find = |slot, life| {
            let mut all = long(slot, life).filter(|(_, _, payload)| payload.len() > 16);
            [all.next().unwrap(), all.next().unwrap(), all.next().unwrap()]
        };
        let [before, own, after] = find(1, 2);
        let name = |payload: &[u8]| own.0.judge(SEED, payload).0;
        assert_eq!(name(&before.2), Finding::Doubled);
        assert_eq!(name(&after.2), Finding::Reordered);
        assert_eq!(name(&find(2, 2)[0].2), Finding::Mixed, "of another slot");
        assert_eq!(name(&find(1, 1)[0].2), Finding::Mixed, "of an earlier connection");
        assert_eq!(name(&own.2[1..]), Finding::Corrupt);
        assert_eq!(name(&own.2[..own.2.len() - 1]), Finding::Corrupt);
        assert_eq!(name(b""), Finding::Corrupt);
    }
}
