//! Why a plugin was not loaded, in a sentence for the operator.

use std::io;
use std::path::{Path, PathBuf};

use super::inspect::InspectError;
use super::map::MapError;
use super::probe::ProbeError;
use super::trust::Distrust;

/// Why a plugin was not loaded. Nothing of it runs in this process, except after
/// [`LoadError::Unmappable`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// No directory of `plugin-path` has it.
    #[error("there is no plugin {name:?}: {}", looked(.tried))]
    NotFound {
        /// The name in the conf.
        name: String,
        /// Where it would have been found.
        tried: Vec<PathBuf>,
    },
    /// It cannot be opened or read.
    #[error("{}: cannot be read: {source}; {}", .file.display(), readable(.source))]
    Unreadable {
        /// The plugin.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A directory, a pipe, a device.
    #[error("{}: is not a regular file; give the compiled plugin", .file.display())]
    NotAFile {
        /// The plugin.
        file: PathBuf,
    },
    /// No bytes in it.
    #[error("{}: is empty; copy it again", .file.display())]
    Empty {
        /// The plugin.
        file: PathBuf,
    },
    /// More bytes than a plugin may have.
    #[error(
        "{}: has {size} bytes, more than the {} that a plugin may have; strip its debug symbols",
        .file.display(), super::source::FILE_BYTES_MAX
    )]
    TooBig {
        /// The plugin.
        file: PathBuf,
        /// Its size in bytes.
        size: u64,
    },
    /// Somebody wrote to it while it was read.
    #[error(
        "{}: changed while it was read; copy a new version beside it and rename it into place",
        .file.display()
    )]
    Changing {
        /// The plugin.
        file: PathBuf,
    },
    /// Others could have written it.
    #[error("{}: {cause}", .file.display())]
    Untrusted {
        /// The plugin.
        file: PathBuf,
        /// Who, and what to do.
        cause: Distrust,
    },
    /// Its bytes say that this host cannot use it.
    #[error("{}: {cause}", .file.display())]
    Unfit {
        /// The plugin.
        file: PathBuf,
        /// What they say.
        cause: InspectError,
    },
    /// The host's directory of private copies cannot be used.
    #[error("{}: cannot keep the private copies of plugins: {what}", .directory.display())]
    PrivateDirectory {
        /// Below `clienthome`.
        directory: PathBuf,
        /// Why, and what to do.
        what: String,
    },
    /// The private copy was not made.
    #[error("{}: cannot be copied to {}: {source}", .file.display(), .directory.display())]
    Copy {
        /// The plugin.
        file: PathBuf,
        /// Where private copies are.
        directory: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The trial could not be made.
    #[error(
        "{}: cannot be tried out, since {} does not start: {source}",
        .file.display(), .program.display()
    )]
    NoProbe {
        /// The plugin.
        file: PathBuf,
        /// The program of the trial.
        program: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It failed in the trial.
    #[error("{}: {cause}", .file.display())]
    Probe {
        /// The plugin.
        file: PathBuf,
        /// How.
        cause: ProbeError,
    },
    /// It passed the trial but failed in this process.
    #[error("{}: {cause}", .file.display())]
    Unmappable {
        /// The plugin.
        file: PathBuf,
        /// How.
        cause: MapError,
    },
}

fn readable(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "a path begins at instancehome, a name is found by plugin-path",
        _ => "see that the host's user may read it",
    }
}

fn looked(tried: &[PathBuf]) -> String {
    if tried.is_empty() {
        return "plugin-path names no directory".into();
    }
    let tried: Vec<_> = tried.iter().map(|path: &PathBuf| shown(path)).collect();
    format!("looked for {}; put it there or add its directory to plugin-path", tried.join(", "))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
