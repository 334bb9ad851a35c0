//! A plugin's file, opened once, found trustworthy, and read as a whole.
//!
//! Everything later (inspection, hash, private copy) sees these bytes and never the file again, so
//! that a file replaced or written in between cannot be two things.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, Stat};
use sha2::{Digest, Sha256};

use super::error::LoadError;
use super::trust::{self, Distrust, Rights};

/// The bytes of a trusted file.
pub(super) struct Source {
    pub(super) bytes: Vec<u8>,
    pub(super) sha256: [u8; 32],
}

impl Source {
    /// Reads `file`. A symbolic link is followed, once: what it leads to is judged and read.
    pub(super) fn read(file: &Path) -> Result<Self, LoadError> {
        let unreadable = |source: io::Error| LoadError::Unreadable { file: file.into(), source };
        let untrusted = |cause: Distrust| LoadError::Untrusted { file: file.into(), cause };

        let path = fs::canonicalize(file).map_err(unreadable)?;
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(LoadError::NotAFile { file: file.into() });
        };
        if let Some(linked_from) = directory_of_link(file, parent).map_err(unreadable)? {
            let stat = rustix::fs::stat(&linked_from).map_err(|e| unreadable(e.into()))?;
            trust::check(&linked_from, Rights::from(&stat)).map_err(untrusted)?;
        }
        let directory = open_directory(parent).map_err(unreadable)?;
        let stat = rustix::fs::fstat(&directory).map_err(|e| unreadable(e.into()))?;
        trust::check(parent, Rights::from(&stat)).map_err(untrusted)?;

        // From here on the directory is held: nobody can put another one in its place. NONBLOCK:
        // the opening of a FIFO would wait for a writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let opened = rustix::fs::openat(&directory, name, flags, Mode::empty())
            .map_err(|e| unreadable(e.into()))?;
        let stat = rustix::fs::fstat(&opened).map_err(|e| unreadable(e.into()))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(LoadError::NotAFile { file: file.into() });
        }
        trust::check(&path, Rights::from(&stat)).map_err(untrusted)?;
        let bytes = read_whole(file, File::from(opened), &stat)?;
        let sha256 = Sha256::digest(&bytes).into();
        Ok(Self { bytes, sha256 })
    }
}

fn read_whole(file: &Path, mut opened: File, before: &Stat) -> Result<Vec<u8>, LoadError> {
    let unreadable = |source: io::Error| LoadError::Unreadable { file: file.into(), source };
    let size = u64::try_from(before.st_size).unwrap_or(0);
    if size == 0 {
        return Err(LoadError::Empty { file: file.into() });
    }
    if size > FILE_BYTES_MAX {
        return Err(LoadError::TooBig { file: file.into(), size });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    (&mut opened).take(size + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    let after = rustix::fs::fstat(&opened).map_err(|e| unreadable(e.into()))?;
    if bytes.len() as u64 != size || version(before) != version(&after) {
        return Err(LoadError::Changing { file: file.into() });
    }
    Ok(bytes)
}

/// What differs if somebody wrote to the file in between.
fn version(stat: &Stat) -> impl PartialEq + use<> {
    (stat.st_size, stat.st_mtime, stat.st_mtime_nsec)
}

/// The directory that a link lies in, if that is another than its target's: who may write there
/// chooses what is loaded.
fn directory_of_link(file: &Path, target: &Path) -> io::Result<Option<PathBuf>> {
    let named = match file.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let named = fs::canonicalize(named)?;
    Ok((named != target).then_some(named))
}

fn open_directory(path: &Path) -> io::Result<std::os::fd::OwnedFd> {
    // PATH: the right to search it is enough.
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Above this a file is no plugin but a mistake.
pub(super) const FILE_BYTES_MAX: u64 = 256 << 20;
