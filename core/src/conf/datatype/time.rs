//! Times: ZConfig's `time-interval` and its `timedelta`, in one.

use std::time::Duration;

use super::{Datatype, Wrong, digits};

/// A century: what is longer is a slip of the finger, and would overflow a clock.
const SECONDS_MAX: f64 = 36_525.0 * 86_400.0;

impl Datatype for Duration {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let seconds = interval(text).or_else(|| sum(text));
        seconds
            .filter(|seconds| (0.0..=SECONDS_MAX).contains(seconds))
            .map(Self::from_secs_f64)
            .ok_or(Wrong::expected("a time such as 30s, 0.5s, 5m or 1h 30m"))
    }
}

/// A whole number of seconds, or of what the letter after it says, in either case.
fn interval(text: &str) -> Option<f64> {
    let lower = text.to_ascii_lowercase();
    let (number, unit) = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)]
        .into_iter()
        .find_map(|(suffix, unit)| Some((lower.strip_suffix(suffix)?, unit)))
        .unwrap_or((&lower, 1));
    Some(digits(number)?.checked_mul(unit)? as f64)
}

/// Several parts with blanks between, each a decimal number with its letter.
fn sum(text: &str) -> Option<f64> {
    let mut parts = text.split_whitespace().peekable();
    parts.peek()?;
    parts.map(part).sum()
}

fn part(text: &str) -> Option<f64> {
    let (number, unit) =
        [("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0), ("w", 604_800.0)]
            .into_iter()
            .find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, unit)))?;
    let decimal = number.bytes().all(|b| b.is_ascii_digit() || b"+.eE-".contains(&b));
    let number: f64 = number.parse().ok().filter(|_| decimal)?;
    (number >= 0.0).then_some(number * unit)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Datatype;

    #[test]
    fn times() {
        let good = [
            ("0", 0.0),
            ("30", 30.0),
            ("30s", 30.0),
            ("5M", 300.0),
            ("5 m", 300.0),
            ("1h", 3600.0),
            ("1D", 86_400.0),
            ("0.5s", 0.5),
            ("0.001s", 0.001),
            ("1h 30m", 5400.0),
            ("4w 2.5d 7h 12m 0.5s", 4.0 * 604_800.0 + 2.5 * 86_400.0 + 7.0 * 3600.0 + 720.5),
        ];
        for (text, seconds) in good {
            let time = Duration::parse(text).expect(text);
            assert!((time.as_secs_f64() - seconds).abs() < 1e-6, "{text}: {time:?}");
        }
    }

    #[test]
    fn what_is_no_time() {
        let bad = [
            "",
            "soon",
            "1h30m",
            "-5s",
            "0.5",
            "5ms",
            "1W 1D",
            "infs",
            "nans",
            "1_0s",
            "s",
            "1e99s",
            "99999999999d",
        ];
        for text in bad {
            assert!(Duration::parse(text).is_err(), "{text}");
        }
    }
}
