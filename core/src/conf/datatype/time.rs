//! Times: ZConfig's `time-interval` and its `timedelta`, in one.

use std::time::Duration;

use switchboard_zconfig::is_space;

use super::number::number;
use super::{Datatype, Wrong};

const EXPECTED: Wrong = Wrong::expected("a time such as 30s, 0.5s, 5m or 1h 30m");
/// A century: what is longer is a slip of the finger, and would overflow a clock.
const SECONDS_MAX: f64 = 36_525.0 * 86_400.0;

/// The letters, and their seconds. The last is only `timedelta`'s.
const UNITS: [(char, u32); 5] = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400), ('w', 604_800)];

/// How long something takes or may take.
///
/// Either a whole number, of seconds or of what the letter behind it says: `90`, `5m`, `2 H`. Or
/// parts with blanks between, each a decimal number with a letter in lower case: `0.5s`, `1h 30m`,
/// `4w 2.5d`. What ZConfig takes and is refused here: a minus, nothing at all (its `timedelta` of
/// 0), a unit that stands twice (of which only the last would count), and more than a century.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimeInterval(pub(crate) Duration);

impl TimeInterval {
    /// One for which 0 makes no sense.
    pub(super) fn above_zero(text: &str) -> Result<Self, Wrong> {
        let time = Self::parse(text)?;
        if time.0.is_zero() {
            Err(Wrong::expected("a time above 0, such as 30s"))
        } else {
            Ok(time)
        }
    }
}

impl Datatype for TimeInterval {
    fn parse(text: &str) -> Result<Self, Wrong> {
        match interval(text).map_or_else(|| sum(text), Ok)? {
            seconds if seconds <= SECONDS_MAX => Ok(Self(Duration::from_secs_f64(seconds))),
            _ => Err(Wrong::expected("a time of at most 36525d")),
        }
    }
}

/// A whole number of seconds, or of what the letter after it says, in either case.
fn interval(text: &str) -> Option<f64> {
    let [units @ .., _] = &UNITS;
    let (count, unit) = units
        .iter()
        .find_map(|(letter, unit)| {
            Some((text.strip_suffix([*letter, letter.to_ascii_uppercase()])?, *unit))
        })
        .unwrap_or((text, 1));
    Some(number(count)? as f64 * f64::from(unit))
}

/// Several parts with blanks between, each a decimal number with its letter.
fn sum(text: &str) -> Result<f64, Wrong> {
    let mut units = Vec::new();
    let mut seconds = 0.0;
    for text in text.split(is_space).filter(|part| !part.is_empty()) {
        let (unit, more) = part(text).ok_or(EXPECTED)?;
        if units.contains(&unit) {
            return Err(Wrong::expected("a time with each unit once, such as 1h 30m"));
        }
        units.push(unit);
        seconds += more;
    }
    if units.is_empty() { Err(EXPECTED) } else { Ok(seconds) }
}

/// The seconds of the unit, and those of the part.
fn part(text: &str) -> Option<(u32, f64)> {
    let (count, unit) =
        UNITS.iter().find_map(|(letter, unit)| Some((text.strip_suffix(*letter)?, *unit)))?;
    let is_decimal = count.bytes().all(|b| b.is_ascii_digit() || b"+.eE-".contains(&b));
    let count: f64 = count.parse().ok().filter(|_| is_decimal && !count.starts_with('-'))?;
    Some((unit, count * f64::from(unit)))
}

#[cfg(test)]
mod tests {
    use super::{Datatype, TimeInterval};

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
            ("1e3s", 1000.0),
            ("1h 30m", 5400.0),
            ("30m\u{a0}1h", 5400.0),
            ("36525d", 36_525.0 * 86_400.0),
            ("4w 2.5d 7h 12m 0.5s", 4.0 * 604_800.0 + 2.5 * 86_400.0 + 7.0 * 3600.0 + 720.5),
        ];
        for (text, seconds) in good {
            let time = TimeInterval::parse(text).expect(text).0;
            assert!((time.as_secs_f64() - seconds).abs() < 1e-6, "{text}: {time:?}");
        }
    }

    #[test]
    fn what_is_no_time() {
        let bad =
            ["", "soon", "1h30m", "-5s", "-0s", "0.5", "5ms", "1W 1D", "infs", "nans", "1_0s", "s"];
        for text in bad {
            let message = TimeInterval::parse(text).expect_err(text).about("x");
            let expected = "expected a time such as 30s, 0.5s, 5m or 1h 30m, found 'x'";
            assert_eq!(message, expected, "{text}");
        }
    }

    #[test]
    fn a_slip_of_the_finger_is_told_so() {
        for text in ["1e99s", "36526d", "99999999999999999999", "9e999s"] {
            let message = TimeInterval::parse(text).expect_err(text).about("x");
            assert_eq!(message, "expected a time of at most 36525d, found 'x'", "{text}");
        }
        for text in ["1h 1h", "1m 30s 2m"] {
            let message = TimeInterval::parse(text).expect_err(text).about("x");
            let expected = "expected a time with each unit once, such as 1h 30m, found 'x'";
            assert_eq!(message, expected, "{text}");
        }
    }
}
