//! Switches: ZConfig's `boolean`.

use super::{Datatype, Wrong};

/// `on`, `yes` or `true`; `off`, `no` or `false`; in any case.
///
/// Nothing else: `1`, `0`, `y` and `n` are none for ZConfig either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Boolean(pub(crate) bool);

impl Datatype for Boolean {
    fn parse(text: &str) -> Result<Self, Wrong> {
        match text.to_ascii_lowercase().as_str() {
            "yes" | "true" | "on" => Ok(Self(true)),
            "no" | "false" | "off" => Ok(Self(false)),
            _ => Err(Wrong::expected("on or off")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Boolean, Datatype};

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
            assert_eq!(Boolean::parse(text), Ok(Boolean(is)), "{text}");
        }
        for text in ["", "0", "1", "y", "n", " on", "enabled"] {
            assert!(Boolean::parse(text).is_err(), "{text}");
        }
    }
}
