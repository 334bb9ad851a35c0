//! Sizes: ZConfig's `byte-size`.

use super::number::number;
use super::{Datatype, Wrong};

/// More than any memory has is a slip of the finger, and would not add up later.
const BYTES_MAX: u64 = 1 << 50;

/// Bytes, as `65536`, `64KB`, `16 MB`, `1gb`: a whole number, and a unit of 1024, 1024² or 1024³
/// bytes in any case.
///
/// ZConfig has no `B`, `K`, `TB`, `MiB` and no fractions either. What it takes and is refused here:
/// a minus, and more than a petabyte.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ByteSize(pub(crate) u64);

impl ByteSize {
    /// One for which 0 makes no sense.
    pub(super) fn above_zero(text: &str) -> Result<Self, Wrong> {
        match Self::parse(text)? {
            Self(0) => Err(Wrong::expected("a byte size above 0, such as 16MB")),
            size => Ok(size),
        }
    }
}

impl Datatype for ByteSize {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let lower = text.to_ascii_lowercase();
        let (count, unit) = [("kb", 1 << 10), ("mb", 1 << 20), ("gb", 1 << 30)]
            .into_iter()
            .find_map(|(suffix, unit)| Some((lower.strip_suffix(suffix)?, unit)))
            .unwrap_or((&lower, 1));
        let count = number(count).ok_or(Wrong::expected("a byte size such as 16MB"))?;
        match count.saturating_mul(unit) {
            bytes if bytes <= BYTES_MAX => Ok(Self(bytes)),
            _ => Err(Wrong::expected("a byte size of at most 1048576GB")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BYTES_MAX, ByteSize, Datatype};

    #[test]
    fn byte_sizes() {
        let good: [(&str, u64); 9] = [
            ("0", 0),
            ("7", 7),
            ("+7", 7),
            ("007", 7),
            ("1KB", 1024),
            ("16 MB", 16 << 20),
            ("2gb", 2 << 30),
            ("1Kb", 1024),
            ("1048576GB", BYTES_MAX),
        ];
        for (text, bytes) in good {
            assert_eq!(ByteSize::parse(text).expect(text).0, bytes, "{text}");
        }
        for text in
            ["", "lots", "-1", "1_000", "1.5MB", "1B", "1K", "1TB", "1MiB", "٣", "MB", "1\u{212a}B"]
        {
            assert!(ByteSize::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_too_much_is_told_so() {
        for text in ["1048577GB", "99999999999999999999", "18014398509481984KB"] {
            let message = ByteSize::parse(text).expect_err(text).about(text);
            assert_eq!(
                message,
                format!("expected a byte size of at most 1048576GB, found '{text}'")
            );
        }
    }
}
