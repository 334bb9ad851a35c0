//! Ports: ZConfig's `port-number`.

use super::number::number;
use super::{Datatype, Wrong};

/// A number from 0 to 65535; for a listener, 0 is any port that is free.
///
/// Names of services, such as `http`, are none for ZConfig either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Port(pub(crate) u16);

impl Datatype for Port {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let port = number(text).and_then(|port| u16::try_from(port).ok());
        port.map(Self).ok_or(Wrong::expected("a port from 0 to 65535, such as 8080"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Datatype, Port};

    #[test]
    fn ports() {
        for (text, port) in [("0", 0), ("80", 80), ("+80", 80), ("0080", 80), ("65535", 65_535)] {
            assert_eq!(Port::parse(text), Ok(Port(port)), "{text}");
        }
        for text in ["", "65536", "-1", "http", "8_0", "80/tcp"] {
            assert!(Port::parse(text).is_err(), "{text}");
        }
    }
}
