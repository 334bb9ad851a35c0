//! Where text and environment come from. The parser asks a [`Loader`] and does no I/O itself.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use crate::define::TEXT_BYTES_MAX;
use crate::error::ErrorKind;
use crate::line::is_space;

/// Gives the parser the files and the variables it asks for.
pub trait Loader {
    /// The file that `%include target` in the file `from` means.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::IncludeRemote`] and [`ErrorKind::IncludeFragment`].
    fn resolve(&self, from: &Path, target: &str) -> Result<PathBuf, ErrorKind> {
        join(from, target)
    }

    /// The bytes of a file.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from being read.
    fn read(&self, file: &Path) -> io::Result<Vec<u8>>;

    /// The environment variable that `$(name)` means.
    fn variable(&self, name: &str) -> Option<String>;
}

/// Reads from the file system, with an environment that was collected once.
#[derive(Debug, Clone, Default)]
pub struct FsLoader {
    environment: HashMap<String, String>,
}

impl FsLoader {
    /// A loader that knows these variables and no others.
    pub fn new(environment: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { environment: environment.into_iter().collect() }
    }
}

impl Loader for FsLoader {
    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        // A device may have no end; of what is too long no more is wanted than shows it.
        let mut bytes = Vec::new();
        File::open(file)?.take(TEXT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.environment.get(name).cloned()
    }
}

/// Joins `target` with the file that names it as a browser joins a link with its page:
/// relative to its directory, `%20` decoded, `.` and `..` resolved in the text.
///
/// # Errors
///
/// [`ErrorKind::IncludeRemote`] for what is no file, [`ErrorKind::IncludeFragment`] for `a#b`.
pub fn join(from: &Path, target: &str) -> Result<PathBuf, ErrorKind> {
    let target = cleaned(target);
    let (url, fragment) = target.split_once('#').unwrap_or((&target, ""));
    if !fragment.is_empty() {
        return Err(ErrorKind::IncludeFragment);
    }
    let path = local_path(url).ok_or_else(|| ErrorKind::IncludeRemote(url.into()))?;
    // A file has no query: what looks like one is a part of its name, unless it is empty.
    let path = path.strip_suffix('?').filter(|rest| !rest.contains('?')).unwrap_or(path);
    if path.is_empty() || path.starts_with('?') {
        let mut itself = from.as_os_str().to_owned();
        itself.push(percent_decoded(path));
        return Ok(itself.into());
    }
    let path = percent_decoded(path.trim_end_matches(is_space));
    let directory = from.parent().unwrap_or(Path::new(""));
    let mut joined = normal(&directory.join(&path));
    if path.is_empty() || path.ends_with('/') {
        // A directory, or a mistake: not the file of that name.
        joined.push("");
    }
    Ok(joined)
}

/// What a URL may contain and does not mean: control characters and blanks in front, and tabs
/// and ends of lines anywhere, as the URL standard has it.
fn cleaned(target: &str) -> String {
    target.trim_start_matches(|c| c <= ' ').replace(['\t', '\r', '\n'], "")
}

/// The path of a relative or `file:` URL; none if it names another machine or scheme.
fn local_path(url: &str) -> Option<&str> {
    let rest = match url.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => {
            scheme.eq_ignore_ascii_case("file").then_some(rest)?
        }
        _ => url,
    };
    let Some(authority) = rest.strip_prefix("//") else {
        return Some(rest);
    };
    let slash = authority.find('/')?;
    let (host, path) = authority.split_at(slash);
    (host.is_empty() || host.eq_ignore_ascii_case("localhost")).then_some(path)
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

/// `%20` and its like decoded; what is no such escape stays, and what is not UTF-8 then becomes
/// U+FFFD.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escape = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let decoded = escape
            .filter(|digits| first == b'%' && digits.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(decoded.unwrap_or(first));
        rest = if decoded.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `a/./b/../c` as `a/c`, by the text alone; `..` above the root stays at the root.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => match out.components().next_back() {
                Some(Component::Normal(_)) => _ = out.pop(),
                Some(Component::RootDir | Component::Prefix(_)) => {}
                _ => out.push(".."),
            },
            part => out.push(part),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::join;

    fn check(from: &str, target: &str, expected: Option<&str>) {
        let joined = join(Path::new(from), target).ok();
        let joined = joined.as_ref().and_then(|path| path.to_str());
        assert_eq!(joined, expected, "{target} in {from}");
    }

    #[test]
    fn an_include_is_relative_to_its_file() {
        check("/etc/a/zope.conf", "b.conf", Some("/etc/a/b.conf"));
        check("/etc/a/zope.conf", "./x/../b.conf", Some("/etc/a/b.conf"));
        check("/etc/a/zope.conf", "../../../b.conf", Some("/b.conf"));
        check("/etc/a/zope.conf", "/srv/b.conf", Some("/srv/b.conf"));
        check("/etc/a/zope.conf", "b%20c d.conf", Some("/etc/a/b c d.conf"));
        check("/etc/a/zope.conf", "100%.conf", Some("/etc/a/100%.conf"));
        check("/etc/a/zope.conf", "%ff.conf", Some("/etc/a/\u{fffd}.conf"));
        check("/etc/a/zope.conf", "b.conf#", Some("/etc/a/b.conf"));
        check("/etc/a/zope.conf", "", Some("/etc/a/zope.conf"));
        check("/etc/a/zope.conf", "b.conf/", Some("/etc/a/b.conf/"));
        check("/etc/a/zope.conf", "b//c.conf", Some("/etc/a/b/c.conf"));
        check("/etc/a/zope.conf", "b?c.conf", Some("/etc/a/b?c.conf"));
        check("/etc/a/zope.conf", "b.conf?", Some("/etc/a/b.conf"));
        check("/etc/a/zope.conf", "?b", Some("/etc/a/zope.conf?b"));
        check("/etc/a/zope.conf", " \u{1}b\tc\r.conf\u{a0}", Some("/etc/a/bc.conf"));
        check("/etc/a/zope.conf", "\u{a0}", Some("/etc/a/"));
        check("zope.conf", "b.conf", Some("b.conf"));
        check("etc/zope.conf", "../../b.conf", Some("../b.conf"));
    }

    #[test]
    fn file_urls_are_files_and_others_are_refused() {
        check("/etc/zope.conf", "file:///srv/b.conf", Some("/srv/b.conf"));
        check("/etc/zope.conf", "FILE:/srv/b.conf", Some("/srv/b.conf"));
        check("/etc/zope.conf", "file:b.conf", Some("/etc/b.conf"));
        check("/etc/zope.conf", "file://localhost/b.conf", Some("/b.conf"));
        check("/etc/zope.conf", "file://elsewhere/b.conf", None);
        check("/etc/zope.conf", "//elsewhere/b.conf", None);
        check("/etc/zope.conf", "http://localhost/b.conf", None);
        check("/etc/zope.conf", "package:a:b.conf", None);
        check("/etc/zope.conf", "b.conf#part", None);
        check("/etc/zope.conf", "dir/a:b.conf", Some("/etc/dir/a:b.conf"));
    }
}
