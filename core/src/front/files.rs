//! `<static>`: files below one directory, and no way out of it.
//!
//! The kernel resolves each path beneath the root (openat2, Linux 5.6), so that neither a path nor a
//! link leads out of it. Names that begin with a dot are not served, but for `.well-known`.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED, LOCATION,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;

use super::Refused;
use crate::conf::StaticSettings;

/// One `<static>` section.
#[derive(Debug)]
pub struct Files {
    settings: StaticSettings,
}

/// Bytes read from a file at once.
const CHUNK_BYTES: usize = 64 << 10;

/// What a path leads to.
enum Found {
    File {
        file: File,
        bytes: u64,
        modified: Option<SystemTime>,
        name: PathBuf,
    },
    /// A directory that was asked for without its last slash.
    Directory,
}

impl Files {
    /// Serves what is below `settings.root`.
    pub fn new(settings: StaticSettings) -> Self {
        Self { settings }
    }

    /// `below` is the decoded path below the section's prefix.
    pub(super) async fn answer(&self, request: &Parts, below: &str) -> Result<Response, Refused> {
        if request.method != Method::GET && request.method != Method::HEAD {
            let reason = format!("files are read, not {}", request.method);
            return Err(Refused::new(StatusCode::METHOD_NOT_ALLOWED, reason));
        }
        let hidden = |segment: &str| segment.starts_with('.') && segment != ".well-known";
        if below.split('/').any(hidden) || below.contains('\0') {
            return Err(Refused::new(StatusCode::NOT_FOUND, "a hidden name"));
        }
        let (settings, wanted) = (self.settings.clone(), below.to_owned());
        // The file system may block; a shard must not.
        let found = tokio::task::spawn_blocking(move || find(&settings, &wanted)).await;
        let found = found.map_err(|error| io::Error::other(error.to_string())).flatten();
        match found {
            Ok(Found::Directory) => Ok(redirect(request)),
            Ok(Found::File { file, bytes, modified, name }) => {
                Ok(self.respond(request, file, bytes, modified, &name))
            }
            Err(error) => {
                let status = match error.kind() {
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => StatusCode::NOT_FOUND,
                    io::ErrorKind::PermissionDenied => StatusCode::FORBIDDEN,
                    // EXDEV: the path or a link leads out of the root. ELOOP: links without end.
                    _ if is(&error, rustix::io::Errno::XDEV) => StatusCode::NOT_FOUND,
                    _ if is(&error, rustix::io::Errno::LOOP) => StatusCode::NOT_FOUND,
                    // A socket, or a device that is not there.
                    _ if is(&error, rustix::io::Errno::NXIO) => StatusCode::NOT_FOUND,
                    _ if is(&error, rustix::io::Errno::NAMETOOLONG) => StatusCode::NOT_FOUND,
                    _ => StatusCode::INTERNAL_SERVER_ERROR,
                };
                let file = self.settings.root.join(below.trim_start_matches('/'));
                Err(Refused::new(status, format!("{}: {error}", file.display())))
            }
        }
    }

    fn respond(
        &self,
        request: &Parts,
        file: File,
        bytes: u64,
        modified: Option<SystemTime>,
        name: &Path,
    ) -> Response {
        let mut headers = HeaderMap::new();
        let mut set = |header, value: String| {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(header, value);
            }
        };
        if let Some(modified) = modified {
            set(LAST_MODIFIED, httpdate::fmt_http_date(modified));
            set(ETAG, etag(bytes, modified));
        }
        if let Some(cache) = &self.settings.cache_control {
            set(CACHE_CONTROL, cache.clone());
        }
        if unchanged(&request.headers, &headers, modified) {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            *response.headers_mut() = headers;
            return response;
        }
        headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes));
        headers.insert(CONTENT_TYPE, media_type(name));
        let body = if request.method == Method::HEAD {
            Body::empty()
        } else {
            let content = tokio::fs::File::from_std(file).take(bytes);
            Body::from_stream(ReaderStream::with_capacity(content, CHUNK_BYTES))
        };
        let mut response = Response::new(body);
        *response.headers_mut() = headers;
        response
    }
}

fn is(error: &io::Error, errno: rustix::io::Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}

fn find(settings: &StaticSettings, below: &str) -> io::Result<Found> {
    let relative = below.trim_start_matches('/');
    let file =
        open_beneath(&settings.root, Path::new(if relative.is_empty() { "." } else { relative }))?;
    let about = file.metadata()?;
    if about.is_dir() {
        if !below.is_empty() && !below.ends_with('/') {
            return Ok(Found::Directory);
        }
        let name = Path::new(relative).join(&settings.index);
        return regular(open_beneath(&settings.root, &name)?, name);
    }
    if below.ends_with('/') {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    regular(file, relative.into())
}

fn regular(file: File, name: PathBuf) -> io::Result<Found> {
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "not a regular file"));
    }
    Ok(Found::File { bytes: about.len(), modified: about.modified().ok(), file, name })
}

/// Opens without waiting, whatever it is, but nothing outside of `root`.
fn open_beneath(root: &Path, relative: &Path) -> io::Result<File> {
    let read = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let root =
        rustix::fs::open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let within = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    Ok(rustix::fs::openat2(&root, relative, read, Mode::empty(), within)?.into())
}

fn redirect(request: &Parts) -> Response {
    let raw = request.uri.path().trim_start_matches('/');
    let query = request.uri.query().map_or(String::new(), |query| format!("?{query}"));
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    if let Ok(to) = HeaderValue::from_str(&format!("/{raw}/{query}")) {
        response.headers_mut().insert(LOCATION, to);
    }
    response
}

/// RFC 9110, section 8.8.3: weak, since two changes within a second of the same length look alike.
fn etag(bytes: u64, modified: SystemTime) -> String {
    let since = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("W/\"{:x}-{bytes:x}\"", since.as_nanos())
}

/// RFC 9110, section 13.2.2.
fn unchanged(asked: &HeaderMap, ours: &HeaderMap, modified: Option<SystemTime>) -> bool {
    let text = |headers: &HeaderMap, name| {
        headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    if let Some(tags) = text(asked, &IF_NONE_MATCH) {
        let Some(own) = text(ours, &ETAG) else { return false };
        let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        return tags.split(',').any(|tag| tag.trim() == "*" || opaque(tag) == opaque(&own));
    }
    let since = text(asked, &IF_MODIFIED_SINCE);
    let since = since.and_then(|since| httpdate::parse_http_date(&since).ok());
    match (since, modified) {
        // The header has whole seconds.
        (Some(since), Some(modified)) => {
            modified.duration_since(since).map_or(true, |later| later.as_secs() == 0)
        }
        _ => false,
    }
}

fn media_type(name: &Path) -> HeaderValue {
    let guessed = mime_guess::from_path(name).first_or_octet_stream();
    let text = guessed.type_() == "text" || guessed.subtype() == "javascript";
    let charset = if text { "; charset=utf-8" } else { "" };
    HeaderValue::from_str(&format!("{guessed}{charset}"))
        .unwrap_or(HeaderValue::from_static("application/octet-stream"))
}
