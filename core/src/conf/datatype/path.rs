//! Paths of files and directories: ZConfig's `existing-path` and its kin.

use std::borrow::Cow;
use std::path::Path;

use super::text::filled;
use super::{Datatype, Wrong};

/// A path as it is written: absolute, or from `instancehome` on. `~` and `~/...` are in the home
/// directory of the user who starts the host.
///
/// Whether anything is there is asked by those who need it, as the host makes some of them itself.
/// ZConfig also knows the home directories of others, as `~user`; here they are written out, and
/// `./~user` is a file of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FilePath(pub(crate) String);

impl FilePath {
    /// The path with `user_home` in place of a `~`, which stays if that is not known.
    pub(crate) fn expanded(&self, user_home: Option<&Path>) -> Cow<'_, Path> {
        match (self.0.strip_prefix('~'), user_home) {
            (Some(rest), Some(home)) => home.join(rest.trim_start_matches('/')).into(),
            _ => Path::new(&self.0).into(),
        }
    }
}

impl Datatype for FilePath {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let path = filled(text, "a path such as /srv/www", |c| c == '\0')?;
        let behind = path.strip_prefix('~').unwrap_or_default();
        if behind.is_empty() || behind.starts_with('/') {
            return Ok(Self(path));
        }
        Err(Wrong::expected("a path with '~' alone or before a '/', such as ~/www"))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Datatype, FilePath};

    #[test]
    fn a_tilde_is_the_home_directory() {
        for (text, expanded) in [
            ("/srv/www", "/srv/www"),
            ("etc/a b.pem", "etc/a b.pem"),
            ("~", "/home/zope/"),
            ("~/www", "/home/zope/www"),
            ("~//www", "/home/zope/www"),
            ("./~zope", "./~zope"),
            ("a/~", "a/~"),
        ] {
            let path = FilePath::parse(text).expect(text);
            assert_eq!(path.expanded(Some(Path::new("/home/zope"))), Path::new(expanded), "{text}");
            assert_eq!(path.expanded(None), Path::new(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_path() {
        for text in ["", " ", "a\0b", "~zope", "~zope/www"] {
            assert!(FilePath::parse(text).is_err(), "{text}");
        }
    }
}
