//! How messages are compressed: what permessage-deflate, RFC 7692, is told.

use switchboard_websocket::handshake::deflate::{Mode, WindowBits};

use super::{ByteSize, Datatype, Wrong};

impl Datatype for Mode {
    fn parse(text: &str) -> Result<Self, Wrong> {
        match text.to_ascii_lowercase().as_str() {
            "off" => Ok(Self::Off),
            "shared" => Ok(Self::Shared),
            "dedicated" => Ok(Self::Dedicated),
            _ => Err(Wrong::expected("off, shared or dedicated")),
        }
    }
}

/// A byte size that is one of those that deflate's windows may have.
impl Datatype for WindowBits {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let bytes = ByteSize::parse(text).ok().map(|size| size.0);
        let bits = bytes.filter(|bytes| bytes.is_power_of_two()).map(u64::ilog2);
        let bits = bits.and_then(|bits| Self::new(u8::try_from(bits).ok()?));
        bits.ok_or(Wrong::expected("256, 512, 1KB, 2KB, 4KB, 8KB, 16KB or 32KB"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Datatype, Mode, WindowBits};

    #[test]
    fn modes_and_windows() {
        assert!(Mode::parse("Shared").is_ok());
        assert!(Mode::parse("on").is_err());
        for text in ["256", "1024", "4 kb", "32KB"] {
            assert!(WindowBits::parse(text).is_ok(), "{text}");
        }
        for text in ["128", "64KB", "3KB", "0", "on"] {
            assert!(WindowBits::parse(text).is_err(), "{text}");
        }
    }
}
