//! Whether what an `<external>` names is there. Asked by a check alone: a program may come later
//! than the host, which starts without it and tries again.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::ExternalTarget;

/// Why a program cannot be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoProgram {
    /// There is no such file.
    #[error("{}: not found", .0.display())]
    NotFound(PathBuf),
    /// A name without a '/' that no directory has.
    #[error(
        "{name}: not found in the PATH; a program below instancehome has a '/' in it: ./{name}",
        name = .0.display()
    )]
    NotInPath(PathBuf),
    /// There is one, but it is a directory, or may not be executed.
    #[error("{}: not executable", .0.display())]
    NotExecutable(PathBuf),
}

impl ExternalTarget {
    /// Looks for the program as a start does: where its path says, or in the directories of
    /// `path`, which is the variable PATH. A socket has no program.
    ///
    /// # Errors
    ///
    /// Where it is not, or that it may not be executed.
    pub fn program(&self, path: Option<&OsStr>) -> Result<(), NoProgram> {
        let Self::Program { program, .. } = self else { return Ok(()) };
        if program.components().count() > 1 {
            return executable(program);
        }
        // execvp(3) goes on behind what it may not execute, and an empty directory is this one.
        let path = path.unwrap_or(OsStr::new("/bin:/usr/bin"));
        let found = std::env::split_paths(path)
            .map(|directory| executable(&Path::new(".").join(directory).join(program)));
        let mut worst = NoProgram::NotInPath(program.clone());
        for one in found {
            match one {
                Ok(()) => return Ok(()),
                Err(wrong @ NoProgram::NotExecutable(_)) => worst = wrong,
                Err(_) => {}
            }
        }
        Err(worst)
    }

    /// The directory that a socket should be in, if it is not there.
    pub fn missing_directory(&self) -> Option<&Path> {
        let Self::Socket(socket) = self else { return None };
        socket.parent().filter(|directory| !directory.is_dir())
    }
}

fn executable(program: &Path) -> Result<(), NoProgram> {
    match program.metadata() {
        Ok(file) if file.is_file() && access(program, Access::EXEC_OK).is_ok() => Ok(()),
        Err(error) if is_absent(&error) => Err(NoProgram::NotFound(program.into())),
        _ => Err(NoProgram::NotExecutable(program.into())),
    }
}

pub(super) fn is_absent(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn program(name: impl Into<PathBuf>) -> ExternalTarget {
        ExternalTarget::Program { program: name.into(), arguments: Vec::new() }
    }

    #[test]
    fn a_program_is_looked_for_as_a_start_does() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        for (name, mode) in [("a/feed", 0o644), ("b/feed", 0o755), ("a/text", 0o644)] {
            fs::create_dir_all(at(name).parent().unwrap()).unwrap();
            fs::write(at(name), "#!/bin/sh\n").unwrap();
            fs::set_permissions(at(name), Permissions::from_mode(mode)).unwrap();
        }
        let path = std::env::join_paths([at("none"), at("a"), at("b")]).unwrap();
        let check = |name: PathBuf, expected| {
            assert_eq!(program(&name).program(Some(&path)), expected, "{}", name.display());
        };
        check(at("b/feed"), Ok(()));
        check(at("a/feed"), Err(NoProgram::NotExecutable(at("a/feed"))));
        check(at("a"), Err(NoProgram::NotExecutable(at("a"))));
        check(at("a/none"), Err(NoProgram::NotFound(at("a/none"))));
        check(at("a/feed/none"), Err(NoProgram::NotFound(at("a/feed/none"))));
        // The one that may be executed stands behind one that may not.
        check("feed".into(), Ok(()));
        check("text".into(), Err(NoProgram::NotExecutable(at("a/text"))));
        check("none".into(), Err(NoProgram::NotInPath("none".into())));
        assert_eq!(program("sh").program(None), Ok(()));
    }
}
