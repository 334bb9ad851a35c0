//! `switchboard check`: tries what a conf names, short of serving.
//!
//! What the host does at its start is done by the same functions: certificates are read, plugins
//! are loaded and rehearsed in a child, addresses are bound, though not listened at. A check leaves
//! nothing behind, and a host that runs with this conf does not notice it but for one question at
//! its control socket.

mod addresses;
mod directories;
mod hidden;
mod holder;
mod plugins;
mod sockets;

use crate::admin::running;
use crate::conf::{EndpointSettings, Settings, WebSocketSettings};
use crate::server::{ServeError, certificates, trust};

use addresses::Neighbour;
use plugins::Plugins;

/// What a check has found. Each is a line for a person, with its place in the conf if it has one.
#[derive(Debug, Default)]
pub struct Checked {
    /// The host would not start, or nobody would answer at one of its prefixes.
    pub problems: Vec<String>,
    /// It would, and somebody should see to it.
    pub warnings: Vec<String>,
}

/// Tries what the conf names. Blocks, as long as plugins and the control socket take.
pub fn check(settings: &Settings) -> Checked {
    let mut checked = Checked::default();
    directories::look(settings, &mut checked);
    for certificate in certificates(settings).flatten() {
        match certificate {
            Ok(certificate) => checked.warnings.extend(certificate.warnings),
            Err(error) => checked.problems.push(error.to_string()),
        }
    }
    let found = settings.admin.as_ref().map(|admin| running(&admin.socket));
    let neighbour = Neighbour::new(settings, found);
    addresses::listeners(settings, &neighbour, &mut checked);
    checked.problems.extend(addresses::mixed(settings));
    checked.problems.extend(addresses::admin(settings, &neighbour));
    checked.warnings.extend(hidden::sections(settings));
    endpoints(settings, &mut checked);
    checked
}

fn endpoints(settings: &Settings, checked: &mut Checked) {
    let plugins = Plugins::new(settings, checked);
    for section in &settings.websockets {
        match &section.endpoint {
            EndpointSettings::Plugin(plugin) => {
                let tried = plugins.as_ref().map(|plugins| plugins.rehearse(section, plugin));
                checked.problems.extend(tried.and_then(Result::err).as_ref().map(said));
            }
            EndpointSettings::Forward(forward) => {
                checked.problems.extend(trust(section, forward).err().as_ref().map(said));
            }
            EndpointSettings::External(external) => {
                let found = external.target.program(std::env::var_os("PATH").as_deref());
                let missing = found.err().map(|why| format!("{}: {why}", external.target_at));
                checked.problems.extend(missing);
            }
        }
        sockets::look(section, checked);
    }
}

fn said(error: &ServeError) -> String {
    error.to_string()
}

/// The header of a section, for messages.
fn header(section: &WebSocketSettings) -> String {
    crate::conf::header("websocket", &section.mount.prefix)
}
