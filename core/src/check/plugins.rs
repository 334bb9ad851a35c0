//! Plugins are loaded and rehearsed as by the host, but nothing of that is left in its directories.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::Checked;
use crate::conf::{EndpointSettings, PluginSettings, Settings, WebSocketSettings};
use crate::endpoint::plugin::rehearse;
use crate::library::{Libraries, ProbeCommand};
use crate::server::{ServeError, libraries, load, not_started};

/// The libraries of a check.
pub(super) struct Plugins<'s> {
    settings: &'s Settings,
    libraries: Libraries,
    /// Dropped behind the libraries, whose copies are in it.
    _made: Option<Made>,
}

/// A directory that is gone after the check.
struct Made(PathBuf);

impl<'s> Plugins<'s> {
    /// None if no section has a plugin, or none could be tried; then the reason is among what was
    /// found.
    pub(super) fn new(settings: &'s Settings, checked: &mut Checked) -> Option<Self> {
        let is_plugin =
            |section: &WebSocketSettings| matches!(section.endpoint, EndpointSettings::Plugin(_));
        // What is there is looked at as the host does it.
        let host_has = settings.private_copies().exists();
        if !host_has && !settings.websockets.iter().any(is_plugin) {
            return None;
        }
        let made = (!host_has).then(|| Made::near(&settings.private_copies())).transpose();
        let opened = match &made {
            Ok(None) => libraries(settings).map_err(|error| error.to_string()),
            Ok(Some(made)) => Libraries::new(made.0.clone(), ProbeCommand::this_program())
                .map_err(|error| error.to_string()),
            Err(error) => Err(format!("plugins cannot be tried: {error}")),
        };
        match (opened, made) {
            (Ok(libraries), Ok(made)) => Some(Self { settings, libraries, _made: made }),
            (Err(why), _) => {
                let at = &settings.client_home_at;
                // The cause may be known already.
                if !checked.problems.iter().any(|known| known.starts_with(at)) {
                    checked.problems.push(format!("{at}: {why}"));
                }
                None
            }
            (Ok(_), Err(_)) => None,
        }
    }

    /// Loads the plugin, and has a child make an instance by its settings.
    pub(super) fn rehearse(
        &self,
        section: &WebSocketSettings,
        plugin: &PluginSettings,
    ) -> Result<(), ServeError> {
        let library = load(&self.libraries, self.settings, plugin)?;
        rehearse(&self.libraries, &library, &section.mount.prefix, plugin)
            .map_err(not_started(plugin))
    }
}

impl Made {
    /// In the directory that is there on the way to `wanted`. So a host that starts meanwhile makes
    /// the others itself, as their owner.
    fn near(wanted: &Path) -> io::Result<Self> {
        let there = wanted.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/"));
        // One that was killed may have left its own.
        let mut names = (0..).map(|n| format!(".switchboard-check-{}-{n}", std::process::id()));
        loop {
            let path = there.join(names.next().unwrap_or_default());
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
