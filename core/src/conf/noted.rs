//! Which files a conf was read from, and what was in them then.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use switchboard_zconfig::{FsLoader, Loader};

use super::ConfFile;

/// A loader that remembers each file that it has read.
pub(super) struct Noted {
    loader: FsLoader,
    files: RefCell<Vec<ConfFile>>,
}

impl Noted {
    pub(super) fn new(loader: FsLoader) -> Self {
        Self { loader, files: RefCell::default() }
    }

    /// In the order in which they were first read.
    pub(super) fn into_files(self) -> Vec<ConfFile> {
        self.files.into_inner()
    }
}

impl Loader for Noted {
    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        let bytes = self.loader.read(file)?;
        let path = std::path::absolute(file).unwrap_or_else(|_| PathBuf::from(file));
        let mut files = self.files.borrow_mut();
        // One that is included twice is read twice.
        if files.iter().all(|known| known.path != path) {
            files.push(ConfFile { path, sha256: Sha256::digest(&bytes).into() });
        }
        Ok(bytes)
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.loader.variable(name)
    }
}
