//! A rehearsal: a child process makes an instance and destroys it, without starting it. So a check
//! hears what a plugin says to its settings, and a crash is a message.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use rustix::fs::{MemfdFlags, memfd_create};

use super::PluginEndpoint;
use super::host::{Context, Told};
use crate::conf::PluginSettings;
use crate::endpoint::Failed;
use crate::library::{Libraries, Library, LoadError, create_main};
use crate::shard::{Budget, Marks, Owner, Shards};

/// What is passed to the child: the section's prefix, the plugin's name, and its `<config>`. Not by
/// arguments, which everybody on the machine may read.
type Passed = (String, String, Vec<(String, String)>);

/// Has an instance of `library` made for the section `prefix`, and destroyed. Blocks, at most as long
/// as [`ProbeCommand`](crate::library::ProbeCommand) says.
///
/// # Errors
/// What the plugin said, or how it ended its process.
pub fn rehearse(
    libraries: &Libraries,
    library: &Library,
    prefix: &str,
    plugin: &PluginSettings,
) -> Result<(), Failed> {
    let passed: Passed = (prefix.to_owned(), plugin.name.clone(), plugin.config.clone());
    let input = input(&passed).map_err(|error| Failed(format!("cannot be tried out: {error}")))?;
    libraries.try_create(library, input).map_err(|error| match error {
        LoadError::Probe { cause, .. } => Failed(cause.to_string()),
        other => Failed(other.to_string()),
    })
}

/// In memory, so that neither side waits for the other.
fn input(passed: &Passed) -> io::Result<File> {
    let mut file = File::from(memfd_create("plugin-settings", MemfdFlags::CLOEXEC)?);
    file.write_all(&serde_json::to_vec(passed)?)?;
    file.rewind()?;
    Ok(file)
}

/// What the child runs with the private copy `file`: see [`create_main`].
#[must_use]
pub fn rehearse_main(file: &Path) -> ExitCode {
    create_main(file, |entry, id| {
        let passed: Passed =
            serde_json::from_reader(io::stdin().lock()).map_err(|e| e.to_string())?;
        let context = context(id, &passed).map_err(|error| error.to_string())?;
        let instance = PluginEndpoint::create(entry, context).map_err(|error| error.to_string())?;
        Ok(move || instance.destroy())
    })
}

/// A host without connections, whose one shard nobody runs: whatever is sent comes to nothing.
fn context(id: &str, (route, name, config): &Passed) -> io::Result<&'static Context> {
    let poll = mio::Poll::new()?;
    let waker = mio::Waker::new(poll.registry(), mio::Token(0))?;
    let shards = Arc::new(Shards::new([waker]));
    let (marks, budget) = (Marks { soft: 0, hard: 0 }, Budget::of_host(None));
    let owner = Arc::new(Owner { number: 0, marks, budget });
    Ok(Context::leak(id, &owner, &Told { route, name, config }, &shards))
}
