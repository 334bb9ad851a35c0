//! The directories that a conf names: whether the host can use them, and who else can.

use std::path::Path;

use rustix::fs::{Access, access, stat};

use super::Checked;
use crate::conf::{EndpointSettings, Settings};
use crate::library::{Rights, check_rights, find};

/// `clienthome`, `plugin-path` and the roots of `<static>`.
pub(super) fn look(settings: &Settings, checked: &mut Checked) {
    checked.problems.extend(client_home(settings));
    let given = settings.plugin_path.iter().zip(&settings.plugin_path_at);
    let doubtful = given.filter(|(directory, _)| !is_used(settings, directory));
    let doubts =
        doubtful.filter_map(|(directory, at)| Some(format!("{at}: {}", doubt(directory)?)));
    checked.warnings.extend(doubts);
    for http in &settings.https {
        let root = &http.files.root;
        if let Err(errno) = access(root, Access::EXEC_OK) {
            let (at, root, why) = (&http.path_at, root.display(), std::io::Error::from(errno));
            checked.problems.push(format!("{at}: {root}: {why}; no file in it can be served"));
        }
    }
}

/// The host makes what is missing of it, so the last directory that is there must be its own.
fn client_home(settings: &Settings) -> Option<String> {
    let wanted = settings.private_copies();
    let there = wanted.ancestors().find(|path| path.symlink_metadata().is_ok())?;
    let (at, shown) = (&settings.client_home_at, there.display());
    if !there.is_dir() {
        return Some(format!("{at}: {shown} is no directory"));
    }
    let why = std::io::Error::from(access(there, Access::WRITE_OK | Access::EXEC_OK).err()?);
    Some(format!("{at}: {shown}: {why}; the host keeps files of its own there"))
}

/// Whether a plugin is found there: then its load says what is wrong with the directory.
fn is_used(settings: &Settings, directory: &Path) -> bool {
    settings.websockets.iter().any(|section| match &section.endpoint {
        EndpointSettings::Plugin(plugin) => find(&settings.plugin_path, &plugin.name)
            .is_ok_and(|file| file.parent() == Some(directory)),
        _ => false,
    })
}

/// Why no plugin would be loaded from a directory of `plugin-path`.
fn doubt(directory: &Path) -> Option<String> {
    let shown = directory.display();
    let stat = match stat(directory) {
        Ok(stat) => stat,
        Err(rustix::io::Errno::NOENT) => return Some(format!("there is no directory {shown}")),
        Err(errno) => return Some(format!("{shown}: {}", std::io::Error::from(errno))),
    };
    if !directory.is_dir() {
        return Some(format!("{shown} is no directory"));
    }
    let distrust = check_rights(directory, Rights::from(&stat)).err()?;
    Some(format!("a plugin in it {distrust}"))
}
