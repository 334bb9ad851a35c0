//! `switchboard check`: tries what a conf names, short of serving.

use crate::admin::Socket;
use crate::conf::{EndpointSettings, Settings, WebSocketSettings};
use crate::endpoint::plugin::rehearse;
use crate::server::{ServeError, certificates, libraries, load, not_started, trust};

/// What a check has found.
#[derive(Debug, Default)]
pub struct Checked {
    /// The host would not start, or nobody would answer at one of its prefixes.
    pub problems: Vec<ServeError>,
    /// It would, and somebody should see to it.
    pub warnings: Vec<String>,
}

/// Tries what the conf names, short of serving: certificates are read, every plugin is found and
/// loaded, and a child process makes an instance for each section, and every program is found.
pub fn check(settings: &Settings) -> Checked {
    let mut checked = Checked::default();
    for certificate in certificates(settings).flatten() {
        match certificate {
            Ok(certificate) => checked.warnings.extend(certificate.warnings),
            Err(error) => checked.problems.push(error.into()),
        }
    }
    checked.warnings.extend(settings.websockets.iter().filter_map(no_directory));
    let admin = settings.admin.as_ref().and_then(|admin| Socket::check(admin).err());
    checked.problems.extend(admin.map(ServeError::from));
    let libraries = match libraries(settings) {
        Ok(libraries) => libraries,
        Err(error) => {
            checked.problems.push(error);
            return checked;
        }
    };
    let problem = |section: &WebSocketSettings| match &section.endpoint {
        EndpointSettings::Plugin(plugin) => load(&libraries, settings, plugin)
            .and_then(|library| {
                rehearse(&libraries, &library, &section.mount.prefix, plugin)
                    .map_err(not_started(plugin))
            })
            .err(),
        EndpointSettings::Forward(forward) => trust(section, forward).err(),
        EndpointSettings::External(external) => {
            let found = external.target.program(std::env::var_os("PATH").as_deref());
            let at = external.target_at.clone();
            found.err().map(|source| ServeError::Program { at, source })
        }
    };
    checked.problems.extend(settings.websockets.iter().filter_map(problem));
    checked
}

/// A socket that no program can listen on, as long as its directory is not there.
fn no_directory(section: &WebSocketSettings) -> Option<String> {
    let EndpointSettings::External(external) = &section.endpoint else { return None };
    let directory = external.target.missing_directory()?;
    Some(format!("{}: there is no directory {}", external.target_at, directory.display()))
}
