//! Paths of files and directories: ZConfig's `existing-path` and its kin.

use super::text::filled;
use super::{Datatype, Wrong};

/// A path as it is written: absolute, or from `instancehome` on.
///
/// Whether anything is there is asked by those who need it, as some paths are of what the host makes
/// itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FilePath(pub(crate) String);

impl Datatype for FilePath {
    fn parse(text: &str) -> Result<Self, Wrong> {
        filled(text, "a path such as /srv/www", |c| c == '\0').map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::{Datatype, FilePath};

    #[test]
    fn what_is_no_path() {
        assert!(FilePath::parse("etc/a b.pem").is_ok());
        for text in ["", " ", "a\0b"] {
            assert!(FilePath::parse(text).is_err(), "{text}");
        }
    }
}
