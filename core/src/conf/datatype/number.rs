//! Whole numbers, ZConfig's `integer`, and what other datatypes have of them.

use super::{Datatype, Wrong};

/// A whole number, in decimal, of at most 64 bits.
///
/// ASCII digits, a `+` before them or not, and white space around. Python's `int` also takes a
/// minus, `1_000` and the digits of every script; here these are none, because no key means them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whole(pub(crate) u64);

impl Whole {
    /// One within bounds, both included.
    pub(super) fn within(text: &str, least: u64, most: u64) -> Result<Self, Wrong> {
        let number = number(text).filter(|number| (least..=most).contains(number));
        let wrong = || format!("a whole number from {least} to {most}").into();
        number.map(Self).ok_or_else(wrong)
    }
}

impl Datatype for Whole {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let number = number(text).filter(|number| *number < u64::MAX);
        number.map(Self).ok_or(Wrong::expected("a whole number such as 1000"))
    }
}

/// The number that `text` is. One of more than 64 bits counts as the largest, which every datatype
/// refuses, so it can say that it is too much, rather than that it is no number.
///
/// White space is what Python's numbers may have around them. That of a line is more: U+001C to
/// U+001F belong to it too.
pub(super) fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.strip_prefix('+').unwrap_or(text);
    let all_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    all_digits.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::{Datatype, Whole};

    #[test]
    fn whole_numbers() {
        for (text, number) in [("0", 0), ("7", 7), ("+7", 7), ("007", 7), (" 7\u{a0}", 7)] {
            assert_eq!(Whole::parse(text).expect(text).0, number, "{text}");
        }
        for text in [
            "",
            "-1",
            "-0",
            "+",
            "+-1",
            "1_000",
            "1.0",
            "1 0",
            "7\u{1f}",
            "٣",
            "18446744073709551616",
        ] {
            assert!(Whole::parse(text).is_err(), "{text}");
        }
    }
}
