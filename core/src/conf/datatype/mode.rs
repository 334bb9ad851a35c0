//! Permissions of files.

use super::{Datatype, Wrong};

/// The permission bits of a file, in octal: `0660`, `660`, `0o660`. Those above `0777` are none
/// that a socket has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mode(pub(crate) u32);

impl Datatype for Mode {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let octal = text.strip_prefix("0o").unwrap_or(text);
        let all_digits = !octal.is_empty() && octal.bytes().all(|b| (b'0'..=b'7').contains(&b));
        let mode = u32::from_str_radix(octal, 8).ok().filter(|mode| all_digits && *mode <= 0o777);
        mode.map(Self).ok_or(Wrong::expected("an octal mode from 0000 to 0777, such as 0660"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Datatype, Mode};

    #[test]
    fn modes() {
        for (text, mode) in [("0660", 0o660), ("600", 0o600), ("0o777", 0o777), ("0", 0)] {
            assert_eq!(Mode::parse(text).expect(text).0, mode, "{text}");
        }
        for text in ["", "0o", "888", "+660", "-1", "1777", "rw"] {
            assert!(Mode::parse(text).is_err(), "{text}");
        }
    }
}
