//! UTF-8 that comes in pieces, refused at the first byte that cannot be right.
//! No byte is looked at again when the next piece comes, except the at most three of a sequence
//! that the end of a piece cut through.

/// The first byte that no valid text can have at its place has been seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InvalidUtf8;

/// Where a text stands between two of its pieces. The initial state is an empty text.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Utf8 {
    /// A sequence of which the last byte has not come, and that can still become right.
    carry: [u8; 3],
    // Invariant: carry_len <= 3.
    carry_len: u8,
}

impl Utf8 {
    /// Takes the next piece.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), InvalidUtf8> {
        let bytes = self.finish_sequence(bytes)?;
        let (whole, cut) = split_at_cut_sequence(bytes);
        validate(whole)?;
        if !cut.is_empty() {
            require_prefix(cut)?;
            self.carry[..cut.len()].copy_from_slice(cut);
            self.carry_len = cut.len() as u8;
        }
        Ok(())
    }

    /// Whether the text may end here.
    pub(crate) fn is_complete(&self) -> bool {
        self.carry_len == 0
    }

    /// Adds bytes to the sequence that was cut through, and returns those that come after it.
    fn finish_sequence<'a>(&mut self, mut bytes: &'a [u8]) -> Result<&'a [u8], InvalidUtf8> {
        while self.carry_len > 0 {
            let Some((&byte, rest)) = bytes.split_first() else { break };
            bytes = rest;

            let len = usize::from(self.carry_len);
            let mut sequence = [0; 4];
            sequence[..len].copy_from_slice(&self.carry[..len]);
            sequence[len] = byte;
            let sequence = &sequence[..=len];
            if sequence.len() == sequence_len(sequence[0]) {
                validate(sequence)?;
                self.carry_len = 0;
            } else {
                require_prefix(sequence)?;
                self.carry[len] = byte;
                self.carry_len += 1;
            }
        }
        Ok(bytes)
    }
}

/// Whether all of `bytes` is UTF-8, as a text message must be (RFC 6455, section 5.6). As fast as the
/// decoder's own check.
pub fn is_utf8(bytes: &[u8]) -> bool {
    validate(bytes).is_ok()
}

/// Whether all of `bytes` is UTF-8, from the first byte to the last.
pub(crate) fn validate(bytes: &[u8]) -> Result<(), InvalidUtf8> {
    #[cfg(test)]
    tests::VALIDATED.set(tests::VALIDATED.get() + bytes.len());
    // Short texts are mostly ASCII, and too short for simdutf8, which leaves them to the standard
    // library: that looks at them byte by byte.
    if bytes.len() < 64 && bytes.is_ascii() {
        return Ok(());
    }
    simdutf8::basic::from_utf8(bytes).map_or(Err(InvalidUtf8), |_| Ok(()))
}

/// Whether `bytes` is the beginning of one sequence, which some further byte can continue.
fn require_prefix(bytes: &[u8]) -> Result<(), InvalidUtf8> {
    match std::str::from_utf8(bytes) {
        Err(error) if error.valid_up_to() == 0 && error.error_len().is_none() => Ok(()),
        _ => Err(InvalidUtf8),
    }
}

/// Splits off a last sequence that wants more bytes than there are.
fn split_at_cut_sequence(bytes: &[u8]) -> (&[u8], &[u8]) {
    let is_lead = |byte: &u8| *byte >= 0xc0;
    for back in 1..=bytes.len().min(3) {
        let at = bytes.len() - back;
        if is_lead(&bytes[at]) {
            let at = if sequence_len(bytes[at]) > back { at } else { bytes.len() };
            return bytes.split_at(at);
        }
    }
    (bytes, &[])
}

/// How many bytes a sequence has that begins with `lead`. For a byte that begins none, any answer
/// is good enough: the sequence is refused by what looks at it next.
fn sequence_len(lead: u8) -> usize {
    match lead {
        0x00..=0x7f => 1,
        0x80..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xff => 4,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        /// Bytes that this thread has validated, for the test that time is linear.
        pub(crate) static VALIDATED: Cell<usize> = const { Cell::new(0) };
    }

    /// Where the text goes wrong when it comes byte by byte; its length if only the end is missing.
    fn fails_at(bytes: &[u8]) -> Option<usize> {
        let mut utf8 = Utf8::default();
        for (i, byte) in bytes.iter().enumerate() {
            if utf8.push(&[*byte]).is_err() {
                return Some(i);
            }
        }
        (!utf8.is_complete()).then_some(bytes.len())
    }

    fn is_valid_in_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> bool {
        let mut utf8 = Utf8::default();
        pieces.into_iter().all(|piece| utf8.push(piece).is_ok()) && utf8.is_complete()
    }

    #[test]
    fn the_first_impossible_byte_is_refused() {
        #[rustfmt::skip]
        let table: &[(&[u8], Option<usize>)] = &[
            (b"",                        None),
            (b"plain",                   None),
            ("κόσμε €𝄞\u{10ffff}".as_bytes(), None),
            (b"\x80",                    Some(0)), // a continuation alone
            (b"a\xc0",                   Some(1)), // never right
            (b"\xc1\x81",                Some(0)),
            (b"\xf5",                    Some(0)),
            (b"\xff",                    Some(0)),
            (b"\xe0\x9f",                Some(1)), // overlong
            (b"\xf0\x8f",                Some(1)), // overlong
            (b"\xed\xa0",                Some(1)), // a surrogate
            (b"\xf4\x90",                Some(1)), // above U+10FFFF
            (b"\xe2\x82a",               Some(2)), // broken off
            (b"\xf0\x9d\x84\xc3",        Some(3)),
            (b"\xe2\x82",                Some(2)), // the end is missing
            (b"\xf0\x9d\x84",            Some(3)),
        ];
        for (bytes, expected) in table {
            assert_eq!(fails_at(bytes), *expected, "{bytes:x?}");
        }
    }

    #[test]
    fn every_split_gives_the_verdict_of_the_standard_library() {
        let long = "€uro 𝄞 ".repeat(20);
        let texts: [&[u8]; 8] = [
            long.as_bytes(),
            &[long.as_bytes(), b"\xed\xb0\x80", long.as_bytes()].concat(),
            b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5",
            b"\xce\xba\xe1\xbd\xb9\xcf\x83\xf4\x90\x80\x80edited",
            b"\xf0\x9d\x84\x9e",
            b"\xf8\x88\x80\x80\x80",
            b"ab\xc3",
            b"ab\xe2\x82",
        ];
        for text in texts {
            let expected = std::str::from_utf8(text).is_ok();
            assert_eq!(is_valid_in_pieces(text.chunks(1)), expected, "{text:x?} byte by byte");
            for cut in 0..=text.len() {
                let (first, second) = text.split_at(cut);
                assert_eq!(is_valid_in_pieces([first, second]), expected, "{text:x?} at {cut}");
            }
        }
    }

    #[test]
    fn every_short_sequence_gives_the_verdict_of_the_standard_library() {
        // Each lead byte with each kind of byte that decides.
        let deciding = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xe0, 0xf0];
        for lead in 0..=0xff_u8 {
            for second in deciding {
                for third in deciding {
                    let text = [lead, second, third, 0x80];
                    for len in 1..=4 {
                        let text = &text[..len];
                        let expected = std::str::from_utf8(text).is_ok();
                        assert_eq!(is_valid_in_pieces(text.chunks(1)), expected, "{text:x?}");
                        assert_eq!(is_valid_in_pieces([text]), expected, "{text:x?}");
                    }
                }
            }
        }
    }
}
