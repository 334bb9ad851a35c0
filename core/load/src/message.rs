//! A message of a sender and a number: its size, kind and bytes follow from the two and the seed.
//! So nobody needs to remember what was sent.

use switchboard_websocket::Kind;

use crate::plan::{Kinds, Mode, Others, Plan};
use crate::random::Random;

/// Who sent a message, and as which of his.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number {
    pub(crate) sender: u32,
    pub(crate) seq: u64,
}

/// Sender, number, and a check of both, in letters that stand in a text and in JSON as they are.
pub(crate) const NUMBER_BYTES: usize = SENDER + SEQ + CHECK;

/// Letters, of six bits each.
const SENDER: usize = 4;
const SEQ: usize = 6;
const CHECK: usize = 6;
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Makes messages, and recognises them.
#[derive(Debug, Clone)]
pub(crate) struct Maker {
    seed: u64,
    bytes: (usize, usize),
    others: Vec<Others>,
    kinds: Kinds,
}

impl Maker {
    pub(crate) fn new(plan: &Plan) -> Self {
        // A chat is text.
        let kinds = if plan.mode == Mode::Chat { Kinds::Text } else { plan.kinds };
        Self { seed: plan.seed, bytes: plan.bytes, others: plan.others.clone(), kinds }
    }

    /// Whether this is a sender of another run.
    pub(crate) fn is_other(&self, sender: u32) -> bool {
        self.other(sender).is_some()
    }

    fn other(&self, sender: u32) -> Option<&Others> {
        self.others.iter().find(|others| others.senders.contains(&sender))
    }

    /// Writes the payload into `out`, in place of what is there.
    pub(crate) fn make(&self, number: Number, out: &mut Vec<u8>) -> Kind {
        let mut random = push_number(self.seed, number, out);
        let kind = match self.kinds {
            Kinds::Text => Kind::Text,
            Kinds::Binary => Kind::Binary,
            Kinds::Both if random.next() & 1 == 0 => Kind::Text,
            Kinds::Both => Kind::Binary,
        };
        let len = self.len(number.sender, &mut random);
        while out.len() < len {
            out.extend_from_slice(&random.next().to_le_bytes());
        }
        out.truncate(len);
        if kind == Kind::Text {
            for byte in &mut out[NUMBER_BYTES..] {
                *byte = LETTERS[usize::from(*byte & 63)];
            }
        }
        kind
    }

    fn len(&self, sender: u32, random: &mut Random) -> usize {
        let (min, max) = self.other(sender).map_or(self.bytes, |others| others.bytes);
        let min = min.max(NUMBER_BYTES);
        random.spread(min, max.max(min))
    }

    /// The number of a message, if it has one of this run. What follows the number may be wrong.
    pub(crate) fn number(&self, payload: &[u8]) -> Option<Number> {
        number_of(self.seed, payload)
    }
}

/// Writes a number into `out`, in place of what is there. The rest of its message may follow from
/// what is returned.
pub(crate) fn push_number(seed: u64, number: Number, out: &mut Vec<u8>) -> Random {
    let mut random = Random::of(&[seed, u64::from(number.sender), number.seq]);
    out.clear();
    push_letters(out, u64::from(number.sender), SENDER);
    push_letters(out, number.seq, SEQ);
    push_letters(out, random.next(), CHECK);
    random
}

/// The number that a message of this seed begins with.
pub(crate) fn number_of(seed: u64, payload: &[u8]) -> Option<Number> {
    let letters = payload.get(..NUMBER_BYTES)?;
    let sender = value(&letters[..SENDER])? as u32;
    let seq = value(&letters[SENDER..SENDER + SEQ])?;
    let check = Random::of(&[seed, u64::from(sender), seq]).next() & mask(CHECK);
    (value(&letters[SENDER + SEQ..])? == check).then_some(Number { sender, seq })
}

fn mask(letters: usize) -> u64 {
    (1 << (6 * letters)) - 1
}

fn push_letters(out: &mut Vec<u8>, value: u64, count: usize) {
    out.extend((0..count).rev().map(|at| LETTERS[(value >> (6 * at) & 63) as usize]));
}

fn value(letters: &[u8]) -> Option<u64> {
    letters.iter().try_fold(0, |value, letter| {
        let digit = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        Some(value << 6 | u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maker(bytes: (usize, usize), kinds: Kinds) -> Maker {
        Maker { seed: 7, bytes, others: Vec::new(), kinds }
    }

    #[test]
    fn a_message_tells_its_number_and_is_made_the_same_again() {
        let maker = maker((16, 5000), Kinds::Both);
        let (mut payload, mut again) = (Vec::new(), Vec::new());
        for (sender, seq) in [(0, 0), (1, 2), (70_000, 1), (0xff_ffff, 0xf_ffff_ffff)] {
            let number = Number { sender, seq };
            let kind = maker.make(number, &mut payload);
            assert_eq!(maker.number(&payload), Some(number));
            assert_eq!(maker.make(number, &mut again), kind);
            assert_eq!(payload, again);
            assert!(kind == Kind::Binary || payload.iter().all(u8::is_ascii_graphic));
            for at in 0..NUMBER_BYTES {
                let mut wrong = payload.clone();
                wrong[at] ^= 1;
                assert_eq!(maker.number(&wrong), None, "{at}");
            }
            assert_eq!(maker.number(&payload[..15]), None);
        }
    }

    #[test]
    fn the_sizes_of_another_run_are_its_own() {
        let mut maker = maker((16, 16), Kinds::Text);
        maker.others = vec![Others { senders: 5..7, bytes: (300, 300) }];
        let mut payload = Vec::new();
        for (sender, len) in [(4, 16), (5, 300), (6, 300), (7, 16)] {
            maker.make(Number { sender, seq: 0 }, &mut payload);
            assert_eq!((payload.len(), maker.is_other(sender)), (len, len == 300), "{sender}");
        }
    }

    #[test]
    fn sizes_keep_their_bounds_and_reach_them_nearly() {
        let maker = maker((16, 65_536), Kinds::Binary);
        let mut payload = Vec::new();
        let sizes = (0..2000).map(|seq| {
            maker.make(Number { sender: 3, seq }, &mut payload);
            payload.len()
        });
        let mut sizes: Vec<usize> = sizes.collect();
        sizes.sort_unstable();
        assert!(sizes[0] >= 16 && sizes[0] < 20, "{}", sizes[0]);
        assert!(sizes[1999] <= 65_536 && sizes[1999] > 60_000, "{}", sizes[1999]);
        assert!((700..1500).contains(&sizes[1000]), "{}", sizes[1000]);
    }
}
