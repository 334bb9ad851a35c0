//! `dlopen`, and the entry of what it mapped. The one place where a plugin's code first runs.
//!
//! A library is mapped for ever: no sound way to unmap one is known, as threads may hold
//! destructors of thread-local data in it.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char};
use std::mem::offset_of;
use std::path::Path;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use switchboard_abi::{SB_ABI_MAJOR, SB_ENTRY_SYMBOL, sb_entry};

/// A library in this process, and what its entry says.
pub(super) struct Mapped {
    pub(super) entry: &'static sb_entry,
    pub(super) id: String,
    pub(super) version: String,
    pub(super) build: String,
}

/// Why a library is of no use once it is mapped. The sentences follow the file's name and a colon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MapError {
    /// The dynamic linker refused it: what it says.
    #[error("cannot be loaded: {0}")]
    Linker(String),
    /// No entry, says the dynamic linker.
    #[error("does not export {SB_ENTRY_SYMBOL}: {0}")]
    NoEntry(String),
    /// The entry is misaligned, too small or of another major, or has no `create`.
    #[error("has a bad {SB_ENTRY_SYMBOL}: {0}; make it with SB_PLUGIN() or export!")]
    BadEntry(&'static str),
    /// Two ids in one plugin.
    #[error(
        "says it is {note:?} in its note but {entry:?} in its entry; make both with SB_PLUGIN() or export!"
    )]
    TwoIds {
        /// The note's.
        note: String,
        /// The entry's.
        entry: String,
    },
}

/// Maps `file` and runs its constructors, which may do anything: the caller has checked where it
/// comes from. `id` is the note's. The dynamic linker takes a path that it has seen before for the
/// library that it had then, so `file` must be a path that was never used in this process.
pub(super) fn map(file: &Path, id: &str) -> Result<Mapped, MapError> {
    let flags = RTLD_NOW | RTLD_LOCAL | libc::RTLD_NODELETE;
    // SAFETY: a constructor can break every rule, and no caller can know. That is what the operator
    // accepts by trusting the file; the caller has seen to that trust.
    let library = unsafe { Library::open(Some(file), flags) }
        .map_err(|error| MapError::Linker(linker_text(&error)))?;
    // SAFETY: the type is that of the symbol's address, whatever lies there.
    let symbol = unsafe { library.get::<*const sb_entry>(SB_ENTRY_SYMBOL) }
        .map(|symbol| *symbol)
        .map_err(|error| MapError::NoEntry(linker_text(&error)));
    // It stays mapped, also if the entry is bad: its constructors have run.
    std::mem::forget(library);
    // SAFETY: the library exports the symbol under the name by which plugin.h promises an sb_entry,
    // and is never unmapped.
    unsafe { read(symbol?, id) }
}

/// Reads an entry by the rules of `plugin.h`: no field before `size` is known to cover it.
///
/// # Safety
/// The plugin ensures that `entry` is NULL, or points to constant data of its own `size`, as
/// `plugin.h` describes, in a library that is never unmapped.
unsafe fn read(entry: *const sb_entry, id: &str) -> Result<Mapped, MapError> {
    if entry.is_null() || !entry.is_aligned() {
        return Err(MapError::BadEntry("its address is wrong"));
    }
    // SAFETY: every version of the struct begins with `size`.
    let size = unsafe { (*entry).size };
    if (size as usize) < ENTRY_BYTES_MIN {
        return Err(MapError::BadEntry("it is smaller than an entry"));
    }
    // SAFETY: aligned, not NULL, and `size` covers every field that this host knows.
    let entry: &'static sb_entry = unsafe { &*entry };
    if entry.abi_major != SB_ABI_MAJOR {
        return Err(MapError::BadEntry("its ABI major is not its note's"));
    }
    if entry.create.is_none() {
        return Err(MapError::BadEntry("create is NULL"));
    }
    // SAFETY: the three strings are constants of the plugin, by the contract of this function.
    let (entry_id, version, build) = unsafe {
        (
            text(entry.id, "its id is not UTF-8")?,
            text(entry.version, "its version is not UTF-8")?,
            text(entry.build, "its build is not UTF-8")?,
        )
    };
    if entry_id != id {
        return Err(MapError::TwoIds { note: id.into(), entry: entry_id });
    }
    Ok(Mapped { entry, id: entry_id, version, build })
}

/// # Safety
/// The plugin ensures that `text` is NULL or a zero-terminated string.
unsafe fn text(text: *const c_char, otherwise: &'static str) -> Result<String, MapError> {
    if text.is_null() {
        return Err(MapError::BadEntry("its id, version or build is NULL"));
    }
    // SAFETY: by the contract of this function.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map(str::to_owned).map_err(|_| MapError::BadEntry(otherwise))
}

/// What `dlerror` said; the error itself only names the function that failed.
fn linker_text(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// The least that an entry of ABI 1 has.
const ENTRY_BYTES_MIN: usize = offset_of!(sb_entry, create) + size_of::<usize>();
// A reference to a whole sb_entry is sound only while ABI 1 has no later field. When one is added,
// `read` must copy what the plugin knows into a zeroed struct of the host's.
const _: () = assert!(size_of::<sb_entry>() == ENTRY_BYTES_MIN);

#[cfg(test)]
mod tests {
    use std::ptr;

    use switchboard_abi::{sb_config, sb_host, sb_plugin, sb_sink, sb_status};

    use super::*;

    unsafe extern "C" fn create(
        _: *const sb_host,
        _: *const sb_config,
        _: *mut *mut sb_plugin,
        _: *mut sb_sink,
    ) -> sb_status {
        0
    }

    const GOOD: sb_entry = sb_entry {
        size: size_of::<sb_entry>() as u32,
        abi_major: 1,
        abi_minor: 9,
        flags: 0,
        id: c"a.b".as_ptr(),
        version: c"1".as_ptr(),
        build: c"".as_ptr(),
        create: Some(create),
    };

    #[track_caller]
    fn check(entry: sb_entry, expected: &str) {
        let entry: &'static sb_entry = Box::leak(Box::new(entry));
        // SAFETY: the strings are literals and the entry is leaked.
        let read = unsafe { read(entry, "a.b") };
        assert_eq!(read.map_or_else(|error| error.to_string(), |read| read.id), expected);
    }

    fn bad(what: &str) -> String {
        MapError::BadEntry("?").to_string().replace('?', what)
    }

    #[test]
    fn a_later_minor_and_a_longer_entry_are_fine() {
        check(GOOD, "a.b");
        check(sb_entry { size: 4096, ..GOOD }, "a.b");
    }

    #[test]
    fn an_entry_that_breaks_a_rule_is_refused() {
        check(sb_entry { size: GOOD.size - 1, ..GOOD }, &bad("it is smaller than an entry"));
        check(sb_entry { size: 0, ..GOOD }, &bad("it is smaller than an entry"));
        check(sb_entry { abi_major: 2, ..GOOD }, &bad("its ABI major is not its note's"));
        check(sb_entry { create: None, ..GOOD }, &bad("create is NULL"));
        check(sb_entry { id: ptr::null(), ..GOOD }, &bad("its id, version or build is NULL"));
        check(sb_entry { build: c"\xff".as_ptr(), ..GOOD }, &bad("its build is not UTF-8"));
        check(
            sb_entry { id: c"a.c".as_ptr(), ..GOOD },
            &MapError::TwoIds { note: "a.b".into(), entry: "a.c".into() }.to_string(),
        );
    }
}
