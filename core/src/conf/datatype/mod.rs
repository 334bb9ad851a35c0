//! Texts to values: the datatypes of the conf.
//!
//! They take what ZConfig takes, and refuse where it is lax: negative sizes, `1_000`, digits of
//! other scripts, port 65536 as a host name.

mod address;
mod origin;
mod prefix;
mod time;
mod url;

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use switchboard_websocket::Url;
use switchboard_websocket::handshake::deflate::{self, WindowBits};

pub(crate) use address::ListenAddress;
pub(crate) use origin::HostPattern;
pub(crate) use prefix::Prefix;
use url::passed_header;

use super::schema::Kind;
use super::{LogLevel, Origin};

/// What was expected instead of a text, as `expected a byte size such as 16MB`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong(Cow<'static, str>);

impl Wrong {
    pub(super) const fn expected(what: &'static str) -> Self {
        Self(Cow::Borrowed(what))
    }

    /// The whole message about `text`.
    #[must_use]
    pub fn about(&self, text: &str) -> String {
        match text {
            "" => format!("expected {}, found nothing", self.0),
            text => format!("expected {}, found '{text}'", self.0),
        }
    }
}

impl From<String> for Wrong {
    fn from(what: String) -> Self {
        Self(what.into())
    }
}

/// A type that is read from the text of one value.
pub(crate) trait Datatype: Sized {
    /// The value of `text`, or what was expected.
    fn parse(text: &str) -> Result<Self, Wrong>;
}

/// What serde sees of a [`Datatype`]: a text, or a number or switch of a layer that has such.
#[derive(Debug, Clone)]
pub(crate) struct Typed<T>(pub(crate) T);

/// A whole number, in decimal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whole(pub(crate) u64);

/// Bytes, as `65536`, `64KB`, `16 MB`, `1gb`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ByteSize(pub(crate) u64);

/// The permission bits of a file, in octal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mode(pub(crate) u32);

/// Whether `text` is a value of `kind`.
pub(crate) fn check(kind: Kind, text: &str) -> Result<(), Wrong> {
    match kind {
        Kind::Path => filled(text, "a path", |c| c == '\0'),
        Kind::Words => filled(text, "some text", |c| c == '\0'),
        Kind::Boolean => bool::parse(text).map(drop),
        Kind::Whole(least, most) => within(text, least, most),
        Kind::Compression => deflate::Mode::parse(text).map(drop),
        Kind::Window => WindowBits::parse(text).map(drop),
        Kind::ByteSizeOrZero => ByteSize::parse(text).map(drop),
        Kind::ByteSize => positive(ByteSize::parse(text)?.0 > 0, "a byte size above 0"),
        Kind::TimeOrZero => Duration::parse(text).map(drop),
        Kind::Time => positive(!Duration::parse(text)?.is_zero(), "a time above 0"),
        Kind::Mode => Mode::parse(text).map(drop),
        Kind::Level => LogLevel::parse(text).map(drop),
        Kind::Address => ListenAddress::parse(text).map(drop),
        Kind::Host => HostPattern::parse(text).map(drop),
        Kind::Name => filled(text, "a name", char::is_whitespace),
        Kind::Origin => Origin::parse(text).map(drop),
        Kind::Subprotocol => filled(text, "one subprotocol, such as chat.v1", |c| !is_token(c)),
        Kind::HeaderValue => {
            filled(text, "the value of a header, in ASCII", |c| !matches!(c, ' '..='~' | '\t'))
        }
        Kind::FileName => {
            filled(text, "the name of a file, without '/'", |c| c == '/' || c == '\0')
        }
        Kind::Url => <Url as Datatype>::parse(text).map(drop),
        Kind::PassedHeader => passed_header(text),
    }
}

/// What RFC 9110, 5.6.2 calls a token: what names in headers are made of.
fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

fn filled(text: &str, what: &'static str, bad: fn(char) -> bool) -> Result<(), Wrong> {
    if text.trim().is_empty() || text.contains(bad) { Err(Wrong::expected(what)) } else { Ok(()) }
}

fn positive(is: bool, what: &'static str) -> Result<(), Wrong> {
    if is { Ok(()) } else { Err(Wrong::expected(what)) }
}

fn within(text: &str, least: u64, most: u64) -> Result<(), Wrong> {
    match Whole::parse(text) {
        Ok(Whole(number)) if (least..=most).contains(&number) => Ok(()),
        _ => Err(format!("a whole number from {least} to {most}").into()),
    }
}

/// Digits, with a `+` at most, and blanks around.
fn digits(text: &str) -> Option<u64> {
    let text = text.trim();
    let text = text.strip_prefix('+').unwrap_or(text);
    let all_digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if all_digits { text.parse().ok() } else { None }
}

impl Datatype for Whole {
    fn parse(text: &str) -> Result<Self, Wrong> {
        digits(text).map(Self).ok_or(Wrong::expected("a whole number"))
    }
}

impl Datatype for ByteSize {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let lower = text.to_ascii_lowercase();
        let (number, unit) = [("kb", 1 << 10), ("mb", 1 << 20), ("gb", 1 << 30)]
            .into_iter()
            .find_map(|(suffix, unit)| Some((lower.strip_suffix(suffix)?, unit)))
            .unwrap_or((&lower, 1));
        let bytes = digits(number).and_then(|number| number.checked_mul(unit));
        // More than any memory has is a slip of the finger, and would not add up later.
        let bytes = bytes.filter(|bytes| *bytes <= 1 << 50);
        bytes.map(Self).ok_or(Wrong::expected("a byte size such as 16MB"))
    }
}

impl Datatype for deflate::Mode {
    fn parse(text: &str) -> Result<Self, Wrong> {
        match text.to_ascii_lowercase().as_str() {
            "off" => Ok(Self::Off),
            "shared" => Ok(Self::Shared),
            "dedicated" => Ok(Self::Dedicated),
            _ => Err(Wrong::expected("off, shared or dedicated")),
        }
    }
}

impl Datatype for WindowBits {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let bytes = ByteSize::parse(text).ok().map(|size| size.0);
        let bits = bytes.filter(|bytes| bytes.is_power_of_two()).map(u64::ilog2);
        let bits = bits.and_then(|bits| Self::new(u8::try_from(bits).ok()?));
        bits.ok_or(Wrong::expected("256, 512, 1KB, 2KB, 4KB, 8KB, 16KB or 32KB"))
    }
}

impl Datatype for bool {
    fn parse(text: &str) -> Result<Self, Wrong> {
        match text.to_ascii_lowercase().as_str() {
            "yes" | "true" | "on" => Ok(true),
            "no" | "false" | "off" => Ok(false),
            _ => Err(Wrong::expected("on or off")),
        }
    }
}

impl Datatype for Mode {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let octal = text.strip_prefix("0o").unwrap_or(text);
        let all_digits = !octal.is_empty() && octal.bytes().all(|b| (b'0'..=b'7').contains(&b));
        let mode = u32::from_str_radix(octal, 8).ok().filter(|mode| all_digits && *mode <= 0o777);
        mode.map(Self).ok_or(Wrong::expected("an octal mode from 0000 to 0777, such as 0660"))
    }
}

impl Datatype for LogLevel {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let number = match text.to_ascii_lowercase().as_str() {
            "off" => return Ok(Self::Off),
            "critical" | "fatal" => 50,
            "error" => 40,
            "warn" | "warning" => 30,
            "info" => 20,
            "blather" => 15,
            "debug" => 10,
            "trace" => 5,
            "all" => 1,
            "notset" => 0,
            other => digits(other).unwrap_or(u64::MAX),
        };
        match number {
            31..=50 => Ok(Self::Error),
            21..=30 => Ok(Self::Warn),
            16..=20 => Ok(Self::Info),
            6..=15 => Ok(Self::Debug),
            0..=5 => Ok(Self::Trace),
            _ => Err(Wrong::expected(
                "critical, error, warn, info, debug, trace, all, off, or a number from 0 to 50",
            )),
        }
    }
}

impl Datatype for String {
    fn parse(text: &str) -> Result<Self, Wrong> {
        Ok(text.into())
    }
}

impl<'de, T: Datatype> Deserialize<'de> for Typed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text<T>(PhantomData<T>);

        impl<T: Datatype> Visitor<'_> for Text<T> {
            type Value = Typed<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one value")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                T::parse(text).map(Typed).map_err(|wrong| E::custom(wrong.about(text)))
            }

            fn visit_bool<E: Error>(self, is: bool) -> Result<Self::Value, E> {
                self.visit_str(if is { "on" } else { "off" })
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
                self.visit_str(&number.to_string())
            }
        }

        deserializer.deserialize_any(Text(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::{ByteSize, Datatype, Kind, LogLevel, Mode};

    #[test]
    fn byte_sizes() {
        let good: [(&str, u64); 8] = [
            ("0", 0),
            ("7", 7),
            ("+7", 7),
            ("007", 7),
            ("1KB", 1024),
            ("16 MB", 16 << 20),
            ("2gb", 2 << 30),
            ("1Kb", 1024),
        ];
        for (text, bytes) in good {
            assert_eq!(ByteSize::parse(text).expect(text).0, bytes, "{text}");
        }
        for text in [
            "",
            "lots",
            "-1",
            "1_000",
            "1.5MB",
            "1B",
            "1K",
            "1TB",
            "1MiB",
            "٣",
            "MB",
            "99999999999999999999",
            "18014398509481984KB",
        ] {
            assert!(ByteSize::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn switches() {
        for (text, is) in [
            ("yes", true),
            ("TRUE", true),
            ("On", true),
            ("no", false),
            ("False", false),
            ("off", false),
        ] {
            assert_eq!(bool::parse(text), Ok(is), "{text}");
        }
        for text in ["", "0", "1", "y", "n", " on", "enabled"] {
            assert!(bool::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn modes() {
        for (text, mode) in [("0660", 0o660), ("600", 0o600), ("0o777", 0o777), ("0", 0)] {
            assert_eq!(Mode::parse(text).expect(text).0, mode, "{text}");
        }
        for text in ["", "0o", "888", "+660", "-1", "1777", "rw"] {
            assert!(Mode::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn levels() {
        let good = [
            ("critical", LogLevel::Error),
            ("ERROR", LogLevel::Error),
            ("warning", LogLevel::Warn),
            ("info", LogLevel::Info),
            ("20", LogLevel::Info),
            ("blather", LogLevel::Debug),
            ("debug", LogLevel::Debug),
            ("5", LogLevel::Trace),
            ("all", LogLevel::Trace),
            ("0", LogLevel::Trace),
            ("off", LogLevel::Off),
        ];
        for (text, level) in good {
            assert_eq!(LogLevel::parse(text), Ok(level), "{text}");
        }
        for text in ["", "51", "-1", "loud", "on"] {
            assert!(LogLevel::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn bounds_are_part_of_the_type() {
        let cases = [
            (Kind::Whole(1, 9), "1", true),
            (Kind::Whole(1, 9), "0", false),
            (Kind::Whole(1, 9), "10", false),
            (Kind::ByteSize, "0", false),
            (Kind::ByteSizeOrZero, "0", true),
            (Kind::Compression, "Shared", true),
            (Kind::Compression, "on", false),
            (Kind::Window, "256", true),
            (Kind::Window, "32KB", true),
            (Kind::Window, "128", false),
            (Kind::Window, "64KB", false),
            (Kind::Window, "3KB", false),
            (Kind::Time, "0s", false),
            (Kind::TimeOrZero, "0", true),
            (Kind::Subprotocol, "chat.v1", true),
            (Kind::Subprotocol, "chat.v1, chat.v2", false),
            (Kind::HeaderValue, "public, max-age=3600", true),
            (Kind::HeaderValue, "a\rb", false),
            (Kind::FileName, "../x", false),
            (Kind::Path, "", false),
        ];
        for (kind, text, good) in cases {
            assert_eq!(kind.check(text).is_ok(), good, "{kind:?} {text}");
        }
    }
}
