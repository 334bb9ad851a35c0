//! Private copies: what is mapped is a file that nobody else writes and whose path never repeats.
//!
//! Writing to a mapped file kills whoever mapped it, and `dlopen` answers a path that it knows with
//! the library it had then. Both end where every mapping has a file of its own.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FlockOperation, StatVfsMountFlags, flock};
use rustix::io::Errno;

use super::error::LoadError;

/// The copies of one host: a directory below the one that hosts of a `clienthome` share.
#[derive(Debug)]
pub(super) struct Copies {
    directory: PathBuf,
    /// Locked while this host lives, which is how another host knows.
    _lock: File,
}

impl Copies {
    /// Makes this host's directory below `shared`, and sweeps those of hosts that are gone.
    pub(super) fn open(shared: &Path) -> Result<Self, LoadError> {
        let refuse = |what| LoadError::PrivateDirectory { directory: shared.into(), what };
        let failed = |error: io::Error| refuse(format!("{error}; see that the host may write it"));

        DirBuilder::new().recursive(true).mode(0o700).create(shared).map_err(failed)?;
        let metadata = fs::symlink_metadata(shared).map_err(failed)?;
        let host = rustix::process::geteuid().as_raw();
        if metadata.uid() != host {
            let owner = metadata.uid();
            return Err(refuse(format!("it belongs to user {owner}, not {host}; remove it")));
        }
        if !metadata.is_dir() || metadata.mode() & 0o022 != 0 {
            return Err(refuse(
                "it is no directory that only the host may write; remove it".into(),
            ));
        }
        let mount = rustix::fs::statvfs(shared).map_err(|error| failed(error.into()))?;
        if mount.f_flag.contains(StatVfsMountFlags::NOEXEC) {
            return Err(refuse("its file system is mounted noexec; move clienthome".into()));
        }
        // One host at a time: a directory must not be swept between its making and its locking.
        let _turn = locked(&shared.join(LOCK)).map_err(failed)?;
        sweep(shared).map_err(failed)?;
        let directory = make_own(shared).map_err(failed)?;
        let lock = locked(&directory.join(LOCK)).map_err(failed)?;
        Ok(Self { directory, _lock: lock })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Writes a copy of mode 0500 that is named after the plugin's id and hash.
    pub(super) fn make(&self, id: &str, sha256: &[u8; 32], bytes: &[u8]) -> io::Result<Copy> {
        let hash: String = sha256[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let path = self.directory.join(format!("{id}-{hash}-{}.so", unique()));
        let written = File::options()
            .write(true)
            .create_new(true)
            .mode(0o500)
            .open(&path)
            .and_then(|mut file| file.write_all(bytes));
        // From here on a failure removes it again.
        let copy = Copy { path, kept: false };
        written.map(|()| copy)
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        // What is mapped stays mapped without its name.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// One copy; removed again unless it is kept.
#[derive(Debug)]
pub(super) struct Copy {
    path: PathBuf,
    kept: bool,
}

impl Copy {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the file where it is, for debuggers and profilers, until its host ends.
    pub(super) fn keep(mut self) -> PathBuf {
        self.kept = true;
        std::mem::take(&mut self.path)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes the directories whose lock nobody holds.
fn sweep(shared: &Path) -> io::Result<()> {
    for entry in fs::read_dir(shared)? {
        let entry = entry?;
        if !entry.file_name().as_encoded_bytes().starts_with(HOST.as_bytes()) {
            continue;
        }
        if let Err(error) = sweep_one(&entry.path()) {
            tracing::warn!(path = %entry.path().display(), %error, "cannot remove old plugin copies");
        }
    }
    Ok(())
}

fn sweep_one(directory: &Path) -> io::Result<()> {
    let lock = match File::options().write(true).open(directory.join(LOCK)) {
        Ok(lock) => Some(lock),
        // Killed before it had a lock, or while it removed everything.
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    match lock.as_ref().map(|lock| flock(lock, FlockOperation::NonBlockingLockExclusive)) {
        Some(Err(Errno::WOULDBLOCK)) => Ok(()),
        Some(Err(error)) => Err(error.into()),
        Some(Ok(())) | None => fs::remove_dir_all(directory),
    }
}

/// The process id is for people; hosts in two containers may have the same one.
fn make_own(shared: &Path) -> io::Result<PathBuf> {
    loop {
        let path = shared.join(format!("{HOST}{}-{}", std::process::id(), unique()));
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Waits for the lock; it ends with the file or the process. A lock file rather than a lock on the
/// directory, as NFS wants it writable.
fn locked(path: &Path) -> io::Result<File> {
    let file = File::options().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    flock(&file, FlockOperation::LockExclusive)?;
    Ok(file)
}

/// A number that this process has not used in a path before.
fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

const HOST: &str = "host-";
const LOCK: &str = "lock";

#[cfg(test)]
mod tests {
    use super::*;

    fn directories(shared: &Path) -> usize {
        let entries = fs::read_dir(shared).unwrap().map(Result::unwrap);
        entries.filter(|entry| entry.path().is_dir()).count()
    }

    #[test]
    fn hosts_of_one_clienthome_leave_each_other_alone() {
        let home = tempfile::tempdir().unwrap();
        let shared = home.path().join("var/plugins");
        let first = Copies::open(&shared).unwrap();
        let copy = first.make("a", &[1; 32], b"x").unwrap();
        let second = Copies::open(&shared).unwrap();
        assert!(copy.path().exists());
        assert_eq!(directories(&shared), 2);
        drop(second);
        assert_eq!(directories(&shared), 1);
        assert!(copy.path().exists());
    }

    #[test]
    fn what_a_killed_host_left_is_swept() {
        let home = tempfile::tempdir().unwrap();
        let shared = home.path();
        for (name, files) in [("host-1-1", &["lock", "a.so"][..]), ("host-2-1", &["a.so"])] {
            fs::create_dir(shared.join(name)).unwrap();
            for file in files {
                fs::write(shared.join(name).join(file), "").unwrap();
            }
        }
        fs::create_dir(shared.join("of-somebody-else")).unwrap();
        let _copies = Copies::open(shared).unwrap();
        assert!(!shared.join("host-1-1").exists());
        assert!(!shared.join("host-2-1").exists());
        assert!(shared.join("of-somebody-else").exists());
    }

    #[test]
    fn a_copy_is_private_has_its_own_path_and_goes_if_it_is_not_kept() {
        let home = tempfile::tempdir().unwrap();
        let copies = Copies::open(&home.path().join("new")).unwrap();
        assert_eq!(fs::metadata(home.path().join("new")).unwrap().mode() & 0o777, 0o700);
        let first = copies.make("a.b", &[0xab; 32], b"bytes").unwrap();
        let second = copies.make("a.b", &[0xab; 32], b"bytes").unwrap();
        assert_ne!(first.path(), second.path());
        assert_eq!(fs::metadata(first.path()).unwrap().mode() & 0o777, 0o500);
        let name = first.path().file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("a.b-abababababababab-"), "{name}");
        let (gone, kept) = (first.path().to_owned(), second.keep());
        drop(first);
        assert!(!gone.exists() && kept.exists());
    }

    #[test]
    fn a_directory_that_others_may_write_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        fs::set_permissions(home.path(), PermissionsExt::from_mode(0o777)).unwrap();
        let refused = Copies::open(home.path()).unwrap_err().to_string();
        assert!(refused.contains("only the host may write"), "{refused}");
    }
}
