//! Whether a host runs already: what somebody asks who is about to start one, or only looks.

use std::path::{Path, PathBuf};

use super::asking::{AskError, ask};
use super::report::Status;

/// A host that answers at its control socket.
#[derive(Debug)]
pub struct Running {
    /// Its process.
    pub pid: u32,
    /// Its conf file, absolute.
    pub conf: PathBuf,
    /// The addresses on which it listens, with the ports that the system chose.
    pub listeners: Vec<String>,
}

/// Who listens at `socket`; none if nobody does.
///
/// # Errors
/// Somebody does, but does not answer as a host would, or not us. A sentence without the path.
pub fn running(socket: &Path) -> Result<Option<Running>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let answer = runtime.block_on(ask(socket, "GET", "/v1/status"));
    match answer.and_then(|answer| answer.read::<Status>(socket)) {
        Ok(status) => Ok(Some(Running {
            pid: status.pid,
            conf: status.conf.into_iter().next().map(|file| file.path.into()).unwrap_or_default(),
            listeners: status.listeners.into_iter().map(|listener| listener.address).collect(),
        })),
        Err(AskError::Absent(_) | AskError::Dead(_) | AskError::NoSocket(_)) => Ok(None),
        Err(error) => {
            let (said, path) = (error.to_string(), format!("{}: ", socket.display()));
            Err(said.strip_prefix(&path).unwrap_or(&said).to_owned())
        }
    }
}
