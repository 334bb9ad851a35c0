//! Libraries: plugins as files, found, checked, tried out and mapped once, for ever.
//!
//! A library is code; what serves connections is an instance, made by its entry's `create`, and no
//! matter of this module. The way of a file, one source file a step: [`find`] it, read it (`source`)
//! if nobody else could have written it (`trust`), [`inspect()`] its bytes, `copy` them, have a
//! child `probe` the copy, `map` it.
//!
//! ```no_run
//! use switchboard::library::{Libraries, ProbeCommand, find};
//!
//! let libraries = Libraries::new("var/plugins".into(), ProbeCommand::this_program())?;
//! let library = libraries.load(&find(&["plugins".into()], "echo")?)?;
//! println!("{} {}", library.id, library.version);
//! # Ok::<(), switchboard::library::LoadError>(())
//! ```

mod child;
mod copy;
mod error;
mod inspect;
mod map;
mod probe;
mod source;
mod trial;
mod trust;

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use switchboard_abi::sb_entry;

pub use self::child::{create_main, probe_main};
pub use self::error::LoadError;
pub use self::inspect::{InspectError, Note, inspect};
pub use self::map::MapError;
pub use self::probe::{ProbeCommand, ProbeError, Step};
pub use self::trust::Distrust;
pub(crate) use self::trust::{Rights, check as check_rights};

use self::copy::Copies;
use self::map::{Mapped, map};
use self::probe::RunError;
use self::source::Source;

/// Looks for `lib<name>.so`, then `<name>.so`, in each directory of `plugin_path`. A name that
/// contains a `/` is the path itself.
///
/// # Errors
/// [`LoadError::NotFound`] lists where it looked.
pub fn find(plugin_path: &[PathBuf], name: &str) -> Result<PathBuf, LoadError> {
    let tried: Vec<PathBuf> = if name.contains('/') {
        vec![name.into()]
    } else {
        let names = [format!("lib{name}.so"), format!("{name}.so")];
        plugin_path
            .iter()
            .flat_map(|directory| names.each_ref().map(|n| directory.join(n)))
            .collect()
    };
    // What is there but cannot be used is found: load() says what is wrong with it.
    let absent = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
    let is_there = |path: &&PathBuf| match path.symlink_metadata() {
        Ok(_) => true,
        Err(error) => !absent.contains(&error.kind()),
    };
    match tried.iter().find(is_there) {
        Some(path) => Ok(path.clone()),
        None => Err(LoadError::NotFound { name: name.into(), tried }),
    }
}

/// The libraries of one host, by the hash of their content.
#[derive(Debug)]
pub struct Libraries {
    copies: Copies,
    probe: ProbeCommand,
    /// Each has a lock of its own: a plugin that takes long to load delays only itself.
    loaded: Mutex<HashMap<[u8; 32], Place>>,
}

/// Empty until a load has succeeded.
type Place = Arc<Mutex<Option<Arc<Library>>>>;

impl Libraries {
    /// `private_dir` is made if need be. Hosts may share it; what killed ones left there is removed.
    ///
    /// # Errors
    /// [`LoadError::PrivateDirectory`]
    pub fn new(private_dir: PathBuf, probe: ProbeCommand) -> Result<Self, LoadError> {
        // The dynamic linker searches its own path for a name without a slash.
        let private_dir = std::path::absolute(&private_dir).map_err(|error| {
            LoadError::PrivateDirectory { directory: private_dir, what: error.to_string() }
        })?;
        Ok(Self { copies: Copies::open(&private_dir)?, probe, loaded: Mutex::default() })
    }

    /// Maps `file`, unless a library of the same content is mapped. Blocks, for as long as the
    /// probe may take.
    ///
    /// # Errors
    /// Whatever makes the file unfit. A later call starts anew.
    pub fn load(&self, file: &Path) -> Result<Arc<Library>, LoadError> {
        let source = Source::read(file)?;
        let place = {
            let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(loaded.entry(source.sha256).or_default())
        };
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(library) = &*place {
            return Ok(Arc::clone(library));
        }
        let library = Arc::new(self.load_new(file, &source)?);
        *place = Some(Arc::clone(&library));
        Ok(library)
    }

    fn load_new(&self, file: &Path, source: &Source) -> Result<Library, LoadError> {
        let file = || file.to_owned();
        let note =
            inspect(&source.bytes).map_err(|cause| LoadError::Unfit { file: file(), cause })?;
        let copy = self.copies.make(&note.id, &source.sha256, &source.bytes).map_err(|source| {
            let directory = self.copies.directory().to_owned();
            LoadError::Copy { file: file(), directory, source }
        })?;
        let tried = self.probe.run(copy.path());
        tried.map_err(|error| self.untried(error, copy.path(), &file()))?;
        let Mapped { entry, id, version, build } = map(copy.path(), &note.id)
            .map_err(|cause| LoadError::Unmappable { file: file(), cause })?;
        Ok(Library {
            id,
            version,
            build,
            sha256: source.sha256,
            file: file(),
            copy: copy.keep(),
            bytes: source.bytes.len() as u64,
            entry,
        })
    }

    /// Has a child process make an instance of `library` and destroy it: see
    /// [`create_main`], which reads what it needs to know from `input`.
    ///
    /// # Errors
    /// [`LoadError::Probe`] says what came of it; [`LoadError::NoProbe`].
    pub fn try_create(&self, library: &Library, input: File) -> Result<(), LoadError> {
        let tried = self.probe.create(&library.copy, input);
        tried.map_err(|error| self.untried(error, &library.copy, &library.file))
    }

    fn untried(&self, error: RunError, copy: &Path, file: &Path) -> LoadError {
        let of = file.to_owned();
        match error {
            RunError::Failed(cause) => {
                LoadError::Probe { file: of, cause: cause.about(copy, file) }
            }
            RunError::Start(source) => {
                LoadError::NoProbe { file: of, program: self.probe.program.clone(), source }
            }
        }
    }
}

/// One library, mapped for the life of the process.
#[non_exhaustive]
pub struct Library {
    /// `com.example.chat`
    pub id: String,
    /// `1.4.2`
    pub version: String,
    /// What was built from what, for people; may be empty.
    pub build: String,
    /// The hash of its content.
    pub sha256: [u8; 32],
    /// Where it was first found; another file may be there by now.
    pub file: PathBuf,
    /// The private copy that is mapped.
    pub copy: PathBuf,
    /// The size of the file.
    pub bytes: u64,
    entry: &'static sb_entry,
}

impl Library {
    /// What it exports. Its strings are valid UTF-8, its `create` is set.
    #[must_use]
    pub fn entry(&self) -> &'static sb_entry {
        self.entry
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Library")
            .field("id", &self.id)
            .field("version", &self.version)
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}
