//! Who could have changed a plugin's file: its owner, its modes and those of its directory.
//!
//! A plugin runs with all rights of the host, so whoever may write it owns the host. What the file
//! contains is no question of this file.

#![allow(unsafe_code)]

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::ptr;

/// Why a file is not trusted. The sentences follow the plugin's name and a colon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Distrust {
    /// It belongs to someone who is neither root nor the host's user.
    #[error("is not loaded: {} belongs to user {owner}, who is neither root nor the host's user {host}; chown it", .path.display())]
    Owner {
        /// The file, or its directory.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// As whom the host runs.
        host: u32,
    },
    /// Everybody may write it.
    #[error("is not loaded: everybody may write {} (mode {mode:04o}); chmod o-w it", .path.display())]
    World {
        /// The file, or its directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A group may write it that is not its owner's own, or any group while the host is root.
    #[error("is not loaded: group {group} may write {} (mode {mode:04o}); chmod g-w it", .path.display())]
    Group {
        /// The file, or its directory.
        path: PathBuf,
        /// Its group.
        group: u32,
        /// Its permission bits.
        mode: u32,
    },
}

/// Who may change a file or a directory, as `fstat` tells it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rights {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mode: u32,
}

impl From<&rustix::fs::Stat> for Rights {
    fn from(stat: &rustix::fs::Stat) -> Self {
        Self { uid: stat.st_uid, gid: stat.st_gid, mode: stat.st_mode & 0o7777 }
    }
}

/// Refuses a file or directory that others than root and the host's user could have written.
pub(crate) fn check(path: &Path, rights: Rights) -> Result<(), Distrust> {
    judge(path, rights, rustix::process::geteuid().as_raw(), is_own_group)
}

fn judge(
    path: &Path,
    Rights { uid, gid, mode }: Rights,
    host: u32,
    is_own_group: impl Fn(u32, u32) -> bool,
) -> Result<(), Distrust> {
    let path = || path.to_owned();
    if uid != ROOT && uid != host {
        return Err(Distrust::Owner { path: path(), owner: uid, host });
    }
    // The sticky bit of /tmp keeps others from deleting, not from adding.
    if mode & 0o002 != 0 {
        return Err(Distrust::World { path: path(), mode });
    }
    if mode & 0o020 != 0 && (host == ROOT || !is_own_group(uid, gid)) {
        return Err(Distrust::Group { path: path(), group: gid, mode });
    }
    Ok(())
}

/// True if nobody but `uid` is in the group `gid`: the private group that useradd makes by default,
/// named as its user. Without an entry in the user database the answer is no.
fn is_own_group(uid: u32, gid: u32) -> bool {
    if uid == ROOT {
        return gid == 0;
    }
    let mut buffer = [0; RECORD_BYTES_MAX];
    let Some(user) = user(uid, &mut buffer) else { return false };
    if user.pw_gid != gid {
        return false;
    }
    let mut buffer = [0; RECORD_BYTES_MAX];
    let Some(group) = group(gid, &mut buffer) else { return false };
    // SAFETY: the C library filled both records with pointers to zero-terminated strings in the two
    // buffers, which outlive this expression; `gr_mem` is an array that ends with NULL.
    unsafe {
        let user = CStr::from_ptr(user.pw_name);
        let mut members = (0..).map(|n| *group.gr_mem.add(n)).take_while(|name| !name.is_null());
        CStr::from_ptr(group.gr_name) == user && members.all(|name| CStr::from_ptr(name) == user)
    }
}

/// The record of a user; its strings lie in `buffer`.
fn user(uid: u32, buffer: &mut [libc::c_char]) -> Option<libc::passwd> {
    let mut record = MaybeUninit::uninit();
    let mut found = ptr::null_mut();
    // SAFETY: all pointers are valid for writes, the buffer for its whole length.
    let status = unsafe {
        libc::getpwuid_r(
            uid,
            record.as_mut_ptr(),
            buffer.as_mut_ptr(),
            buffer.len(),
            &raw mut found,
        )
    };
    // SAFETY: `found` is set, to the record, only if the record was filled.
    (status == 0 && !found.is_null()).then(|| unsafe { record.assume_init() })
}

/// The record of a group; its strings lie in `buffer`.
fn group(gid: u32, buffer: &mut [libc::c_char]) -> Option<libc::group> {
    let mut record = MaybeUninit::uninit();
    let mut found = ptr::null_mut();
    // SAFETY: all pointers are valid for writes, the buffer for its whole length.
    let status = unsafe {
        libc::getgrgid_r(
            gid,
            record.as_mut_ptr(),
            buffer.as_mut_ptr(),
            buffer.len(),
            &raw mut found,
        )
    };
    // SAFETY: `found` is set, to the record, only if the record was filled.
    (status == 0 && !found.is_null()).then(|| unsafe { record.assume_init() })
}

const ROOT: u32 = 0;
/// A group whose record is longer has many members, so it is nobody's own.
const RECORD_BYTES_MAX: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: u32 = 1000;
    const OWN: u32 = 1000;
    const SHARED: u32 = 100;

    #[track_caller]
    fn judged(host: u32, uid: u32, gid: u32, mode: u32) -> &'static str {
        match judge(Path::new("x"), Rights { uid, gid, mode }, host, |uid, gid| uid == gid) {
            Ok(()) => "trusted",
            Err(Distrust::Owner { .. }) => "owner",
            Err(Distrust::World { .. }) => "world",
            Err(Distrust::Group { .. }) => "group",
        }
    }

    #[test]
    fn only_root_and_the_host_may_own_a_plugin() {
        assert_eq!(judged(HOST, HOST, SHARED, 0o755), "trusted");
        assert_eq!(judged(HOST, ROOT, SHARED, 0o755), "trusted");
        assert_eq!(judged(HOST, 1001, 1001, 0o755), "owner");
        assert_eq!(judged(ROOT, HOST, OWN, 0o755), "owner");
    }

    #[test]
    fn what_everybody_may_write_is_refused_with_and_without_the_sticky_bit() {
        assert_eq!(judged(HOST, HOST, OWN, 0o777), "world");
        assert_eq!(judged(HOST, ROOT, ROOT, 0o1777), "world");
        assert_eq!(judged(ROOT, ROOT, ROOT, 0o702), "world");
    }

    #[test]
    fn a_group_may_write_only_if_it_is_the_owners_own_and_the_host_is_not_root() {
        assert_eq!(judged(HOST, HOST, OWN, 0o775), "trusted");
        assert_eq!(judged(HOST, ROOT, ROOT, 0o775), "trusted");
        assert_eq!(judged(HOST, HOST, SHARED, 0o775), "group");
        assert_eq!(judged(ROOT, ROOT, ROOT, 0o775), "group");
    }

    #[test]
    fn the_user_database_is_asked_whose_group_it_is() {
        assert!(is_own_group(ROOT, 0));
        assert!(!is_own_group(ROOT, SHARED));
        assert!(!is_own_group(u32::MAX - 7, u32::MAX - 7), "nobody has this number");
        // Debian's `daemon` has a group of its name and no further members; `sync` shares one.
        if let Some(id) = daemon() {
            assert!(is_own_group(id, id));
            assert!(!is_own_group(id, SHARED));
        }
    }

    fn daemon() -> Option<u32> {
        let users = std::fs::read_to_string("/etc/passwd").ok()?;
        let groups = std::fs::read_to_string("/etc/group").ok()?;
        (users.contains("daemon:x:1:1:") && groups.contains("daemon:x:1:\n")).then_some(1)
    }
}
