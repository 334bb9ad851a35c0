//! What the child of a trial runs: it does with a plugin what the host would, and says how that went.

#![allow(unsafe_code)]

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, Signal};
use switchboard_abi::{SB_ABI_MAJOR, SB_ENTRY_NEVER_BLOCKS, sb_entry};

use super::inspect::inspect;
use super::map::{Mapped, map};

/// Begins the child's line: a constructor may print lines of its own.
pub(super) const PASSED: &str = "switchboard-plugin-loads";
/// A line of its own once there is an instance.
pub(super) const CREATED: &str = "switchboard-plugin-creates";

/// Loads `file` as the host would, and prints one line of `key=value`s, or the
/// reason on standard error.
///
/// Does not return once the library is mapped: its destructors shall not run, as they would not in
/// the host.
#[must_use]
pub fn probe_main(file: &Path) -> ExitCode {
    child(file, |_| Ok(()))
}

/// The same, and then `create` makes an instance by the entry and the id of the library, and returns
/// what destroys it.
#[must_use]
pub fn create_main<D: FnOnce()>(
    file: &Path,
    create: impl FnOnce(&'static sb_entry, &str) -> Result<D, String>,
) -> ExitCode {
    child(file, |mapped| {
        let destroy = create(mapped.entry, &mapped.id)?;
        say(&format!("{CREATED}\n")).map_err(|error| error.to_string())?;
        destroy();
        Ok(())
    })
}

fn child(file: &Path, then: impl FnOnce(&Mapped) -> Result<(), String>) -> ExitCode {
    // A crash leaves no core, and the end of the host is the end of a hanging trial. If either is
    // denied, the trial is still worth making.
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = rustix::process::setrlimit(Resource::Core, none);
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));

    let bytes = fs::read(file).map_err(|error| format!("cannot be read: {error}"));
    let note = bytes.and_then(|bytes| inspect(&bytes).map_err(|error| error.to_string()));
    // The dynamic linker searches its own path for a name without a slash.
    let path = std::path::absolute(file).map_err(|error| error.to_string());
    let (note, path) = match note.and_then(|note| Ok((note, path?))) {
        Ok(both) => both,
        Err(reason) => {
            let _ = writeln!(io::stderr(), "{reason}");
            return ExitCode::FAILURE;
        }
    };
    let mapped = map(&path, &note.id).map_err(|error| error.to_string());
    let told = match mapped.and_then(|mapped| then(&mapped).map(|()| mapped)) {
        Ok(mapped) => say(&line(&mapped)),
        // The host reads the last line.
        Err(reason) => writeln!(io::stderr(), "{}", reason.replace(['\r', '\n'], " "))
            .and(Err(io::ErrorKind::Other.into())),
    };
    // SAFETY: ends the process, without the plugin's and the C library's exit handlers.
    unsafe { libc::_exit(i32::from(told.is_err())) }
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout();
    out.write_all(line.as_bytes()).and_then(|()| out.flush())
}

fn line(Mapped { entry, id, version, build }: &Mapped) -> String {
    let blocks = entry.flags & SB_ENTRY_NEVER_BLOCKS == 0;
    let minor = entry.abi_minor;
    format!(
        "{PASSED} abi={SB_ABI_MAJOR}.{minor} id={id} version={version:?} build={build:?} blocks={blocks}\n"
    )
}
