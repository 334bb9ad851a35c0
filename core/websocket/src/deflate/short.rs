//! The compressor of short messages that refer to none before: one block of fixed codes.
//! RFC 1951, section 3.2.6.
//!
//! The library clears 128 KB of tables before each message, which takes longer than to compress a
//! short one. The table here has 2 KB.

/// Longer ones are the library's: codes of their own pay there.
pub(super) const BYTES_MAX: usize = 511;

/// Room for any of them, each byte with a code of 9 bits, and for the last store.
pub(super) const OUT_BYTES: usize = BYTES_MAX * 9 / 8 + 16;

/// Three bits: not the last block, fixed codes.
const FIXED_BLOCK: u64 = 0b010;
const HASH_BITS: u32 = 10;
/// Up to here three bytes are hashed, which finds more; in longer messages four, since three would
/// find the latest of many and not the longest.
const THREE_BYTES_MAX: usize = 300;
const MATCH_BYTES_MIN: usize = 3;
/// One less than could be: the longest has a code that keeps no rule.
const MATCH_BYTES_MAX: usize = 257;

/// Deflates `payload`, of at most [`BYTES_MAX`] bytes, without the last four bytes, which are
/// always the same, and returns how many were written. Nothing refers back beyond `window_bytes`.
pub(super) fn deflate(payload: &[u8], window_bytes: usize, out: &mut [u8]) -> usize {
    debug_assert!(payload.len() <= BYTES_MAX && out.len() >= OUT_BYTES);
    let mask = if payload.len() <= THREE_BYTES_MAX { 0x00ff_ffff } else { u32::MAX };
    let mut places = Places { payload, mask, last: [0; 1 << HASH_BITS] };
    let mut bits = Bits { out, at: 0, held: 0, count: 0 };
    bits.put(FIXED_BLOCK, 3);
    let mut at = 0;
    while at < payload.len() {
        let found = places.note(at).filter(|earlier| at - earlier <= window_bytes);
        let found = found.map(|earlier| (common(payload, earlier, at), at - earlier));
        match found.filter(|(length, _)| *length >= MATCH_BYTES_MIN) {
            Some((length, distance)) => {
                bits.put_match(length, distance);
                for within in at + 1..at + length {
                    places.note(within);
                }
                at += length;
            }
            None => {
                bits.put_literal(payload[at]);
                at += 1;
            }
        }
    }
    // The end of the block, and the head of an empty one without compression.
    bits.put(0, 7 + 3);
    bits.finish()
}

/// Where bytes like these were last.
struct Places<'p> {
    payload: &'p [u8],
    /// Of four bytes, those that are hashed.
    mask: u32,
    /// By their hash, one more than the place.
    last: [u16; 1 << HASH_BITS],
}

impl Places<'_> {
    /// Notes a place, and returns the one before with the same hash.
    fn note(&mut self, at: usize) -> Option<usize> {
        let bytes = u32::from_le_bytes(*self.payload[at..].first_chunk()?) & self.mask;
        let hash = bytes.wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS);
        let last = &mut self.last[hash as usize];
        let before = usize::from(*last).checked_sub(1);
        // No place is above BYTES_MAX.
        *last = u16::try_from(at + 1).unwrap_or_default();
        before
    }
}

/// How many bytes at `earlier` are again at `at`.
fn common(payload: &[u8], earlier: usize, at: usize) -> usize {
    let most = (payload.len() - at).min(MATCH_BYTES_MAX);
    let pairs = payload[earlier..].iter().zip(&payload[at..at + most]);
    pairs.take_while(|(earlier, now)| earlier == now).count()
}

/// Output, from the lowest bit of each byte.
struct Bits<'o> {
    out: &'o mut [u8],
    at: usize,
    held: u64,
    count: u32,
}

impl Bits<'_> {
    /// At most 32 bits at once.
    fn put(&mut self, bits: u64, count: u32) {
        self.held |= bits << self.count;
        self.count += count;
        self.out[self.at..self.at + 8].copy_from_slice(&self.held.to_le_bytes());
        let whole = self.count / 8;
        self.at += whole as usize;
        self.held >>= whole * 8;
        self.count %= 8;
    }

    fn put_literal(&mut self, byte: u8) {
        let byte = u32::from(byte);
        if byte < 144 {
            self.put_code(0x30 + byte, 8);
        } else {
            self.put_code(0x190 + byte - 144, 9);
        }
    }

    /// RFC 1951, section 3.2.5: a code for a range, and bits that say where in it.
    fn put_match(&mut self, length: usize, distance: usize) {
        let from_least = (length - MATCH_BYTES_MIN) as u32;
        let extra = from_least.checked_ilog2().unwrap_or(0).saturating_sub(2);
        let symbol = 1 + 4 * extra + (from_least >> extra); // 256 is 0 here
        if symbol < 24 {
            self.put_code(symbol, 7);
        } else {
            self.put_code(0xc0 + symbol - 24, 8);
        }
        self.put_low(from_least, extra);
        let from_least = distance as u32 - 1;
        let extra = from_least.checked_ilog2().unwrap_or(0).saturating_sub(1);
        self.put_code(2 * extra + (from_least >> extra), 5);
        self.put_low(from_least, extra);
    }

    /// A code begins with its highest bit.
    fn put_code(&mut self, code: u32, count: u32) {
        self.put(u64::from(code.reverse_bits() >> (32 - count)), count);
    }

    fn put_low(&mut self, number: u32, count: u32) {
        self.put(u64::from(number) & ((1 << count) - 1), count);
    }

    /// Fills the last byte.
    fn finish(self) -> usize {
        self.at + usize::from(self.count > 0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zlib_rs::{Inflate, InflateFlush};

    use super::*;

    /// What is deflated comes back; how short it has become.
    fn check(payload: &[u8], window_bits: u8) -> usize {
        let mut out = [0xaa; OUT_BYTES];
        let written = deflate(payload, 1 << window_bits, &mut out);
        let input = [&out[..written], &[0x00, 0x00, 0xff, 0xff]].concat();
        let mut back = [0; BYTES_MAX + 1];
        let mut inflate = Inflate::new(false, window_bits);
        inflate.decompress(&input, &mut back, InflateFlush::SyncFlush).unwrap();
        assert_eq!(inflate.total_in() as usize, input.len());
        assert_eq!(back[..inflate.total_out() as usize], *payload);
        written
    }

    #[test]
    fn every_length_comes_back_at_every_distance() {
        for distance in 1..=256 {
            let unit: Vec<u8> = (0..=255).cycle().skip(distance).take(distance).collect();
            for length in [3, 4, 10, 11, 12, 18, 19, 130, 131, 254, 255] {
                let payload: Vec<u8> =
                    unit.iter().cycle().take(distance + length).copied().collect();
                for window_bits in [8, 15] {
                    check(&payload, window_bits);
                }
            }
        }
        for length in 0..=BYTES_MAX {
            check(&vec![b'a'; length], 15);
            check(&b"0123456789".repeat(52)[..length], 9);
        }
    }

    #[test]
    fn nothing_refers_beyond_the_window() {
        let unit: Vec<u8> = (0..=255).collect();
        let again = [&unit[..], &unit[..255]].concat();
        assert!(check(&again, 8) < 320);
        let between = [b"a name that comes again", &unit[..], b"a name that comes again"].concat();
        assert!(check(&between, 9) + 10 < check(&between, 8));
    }

    #[test]
    fn what_repeats_becomes_short() {
        let text = br#"{"symbol":"ACME","price":1},{"symbol":"ACME","price":2},{"symbol":"BOLT"}"#;
        assert!(check(text, 15) <= 48, "{}", check(text, 15));
        assert_eq!(check(b"", 15), 2);
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(
            payload in proptest::collection::vec(0_u8..4, 0..=BYTES_MAX),
            wild in proptest::collection::vec(any::<u8>(), 0..=BYTES_MAX),
            window_bits in 8_u8..=15,
        ) {
            check(&payload, window_bits);
            check(&wild, window_bits);
        }
    }
}
