//! Texts to values: the datatypes of the conf, each in a file with its name.
//!
//! They take what ZConfig's take, and refuse where it is lax: negative sizes, `1_000`, digits of
//! other scripts, port 65536 as a host name. `docs/conf-grammar.md` lists what differs, and
//! `golden` holds each against what the real ZConfig says.

mod address;
mod boolean;
mod byte_size;
mod compression;
#[cfg(test)]
mod golden;
mod header;
mod host;
mod level;
mod mode;
mod number;
mod origin;
mod path;
mod port;
mod prefix;
mod text;
mod time;
mod typed;
mod url;
mod wrong;

use switchboard_websocket::Url;
use switchboard_websocket::handshake::deflate::{self, WindowBits};

pub(crate) use address::ListenAddress;
pub(crate) use boolean::Boolean;
pub(crate) use byte_size::ByteSize;
pub(crate) use header::{HeaderValue, PassedHeader, Subprotocol};
pub(crate) use host::HostPattern;
pub(crate) use mode::Mode;
pub(crate) use number::Whole;
pub(crate) use path::FilePath;
pub(crate) use port::Port;
pub(crate) use prefix::Prefix;
pub(crate) use text::{FileName, Name, Words};
pub(crate) use time::TimeInterval;
pub(crate) use typed::Typed;
pub use wrong::Wrong;
pub(super) use wrong::habit;

use super::schema::Kind;
use super::{LogLevel, Origin};

/// A type that is read from the text of one value.
pub(crate) trait Datatype: Sized {
    /// The value of `text`, or what was expected.
    fn parse(text: &str) -> Result<Self, Wrong>;
}

/// Whether `text` is a value of `kind`.
pub(crate) fn check(kind: Kind, text: &str) -> Result<(), Wrong> {
    match kind {
        Kind::Path => is::<FilePath>(text),
        Kind::Words => is::<Words>(text),
        Kind::Boolean => is::<Boolean>(text),
        Kind::Whole(least, most) => Whole::within(text, least, most).map(drop),
        Kind::Compression => is::<deflate::Mode>(text),
        Kind::Window => is::<WindowBits>(text),
        Kind::ByteSizeOrZero => is::<ByteSize>(text),
        Kind::ByteSize => ByteSize::above_zero(text).map(drop),
        Kind::TimeOrZero => is::<TimeInterval>(text),
        Kind::Time => TimeInterval::above_zero(text).map(drop),
        Kind::Mode => is::<Mode>(text),
        Kind::Level => is::<LogLevel>(text),
        Kind::Address => is::<ListenAddress>(text),
        Kind::Host => is::<HostPattern>(text),
        Kind::Name => is::<Name>(text),
        Kind::Origin => is::<Origin>(text),
        Kind::Subprotocol => is::<Subprotocol>(text),
        Kind::HeaderValue => is::<HeaderValue>(text),
        Kind::FileName => is::<FileName>(text),
        Kind::Url => is::<Url>(text),
        Kind::PassedHeader => is::<PassedHeader>(text),
    }
}

fn is<T: Datatype>(text: &str) -> Result<(), Wrong> {
    T::parse(text).map(drop)
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn bounds_are_part_of_the_type() {
        let cases = [
            (Kind::Whole(1, 9), "1", true),
            (Kind::Whole(1, 9), "0", false),
            (Kind::Whole(1, 9), "10", false),
            (Kind::ByteSize, "0", false),
            (Kind::ByteSizeOrZero, "0", true),
            (Kind::Time, "0s", false),
            (Kind::TimeOrZero, "0", true),
            (Kind::FileName, "../x", false),
            (Kind::Path, "", false),
        ];
        for (kind, text, good) in cases {
            assert_eq!(kind.check(text).is_ok(), good, "{kind:?} {text}");
        }
    }

    #[test]
    fn what_a_message_gives_as_an_example_is_a_value() {
        let kinds = [
            Kind::Path,
            Kind::Whole(0, 9),
            Kind::ByteSize,
            Kind::Window,
            Kind::Time,
            Kind::Mode,
            Kind::Level,
            Kind::Address,
            Kind::Host,
            Kind::Origin,
            Kind::Subprotocol,
            Kind::HeaderValue,
            Kind::FileName,
            Kind::Url,
            Kind::PassedHeader,
            Kind::Boolean,
            Kind::Compression,
        ];
        let wrong =
            ["", "\0", "~x", "0", "lots", "65536", "host", "::1", "*:80", "ws:", "1h 1h", "9e9w"];
        let mut examples = 0;
        for kind in kinds {
            for message in wrong.iter().filter_map(|text| Some(kind.check(text).err()?.about(""))) {
                for example in examples_in(&message) {
                    assert_eq!(kind.check(example), Ok(()), "{kind:?}: {message}");
                    examples += 1;
                }
            }
        }
        assert!(examples > 100, "{examples}");
    }

    /// Those behind `such as`, and of a list of words the whole message.
    fn examples_in(message: &str) -> impl Iterator<Item = &str> {
        let expected = message.trim_start_matches("expected ").trim_end_matches(", found nothing");
        let is_list = expected.starts_with("on ") || expected.starts_with("off");
        let list = match expected.split_once("such as ") {
            Some((_, list)) => list,
            None if is_list || expected.starts_with("256") => expected,
            None => "",
        };
        let list = list.split_once(" (").map_or(list, |(list, _)| list);
        let list = list.split_once(" for ").map_or(list, |(list, _)| list);
        list.split(" or ").flat_map(|some| some.split(", ")).filter(|example| !example.is_empty())
    }
}
