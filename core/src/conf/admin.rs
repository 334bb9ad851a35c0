//! `<admin>`: where the control socket is.

use std::path::{Path, PathBuf};

use super::raw::RawAdmin;
use super::settle::{SOCKET_PATH_BYTES_MAX, Settling, too_long, value};
use super::{Address, AdminSettings, ListenerSettings};

/// The directive, for messages.
const SOCKET_NAME: &str = "<admin> socket-name";

impl Settling<'_> {
    /// Without the key the socket lies in `client_home`.
    pub(super) fn admin(
        &mut self,
        raw: &RawAdmin,
        client_home: &Path,
        listeners: &[ListenerSettings],
    ) -> AdminSettings {
        let given = raw.socket_name.as_ref();
        let socket: PathBuf = match given {
            Some(given) => self.path(value(given)),
            None => client_home.join("admin.sock"),
        };
        let place = given.and_then(|given| self.places.place(given.tag())).unwrap_or(&self.file);
        let place = place.clone();
        let of_listener =
            |known: &&ListenerSettings| known.address == Address::Unix(socket.clone());
        if socket.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
            self.faults.at(&place, SOCKET_NAME, too_long(&socket));
        } else if let Some(listener) = listeners.iter().find(of_listener) {
            let message = format!("the address is taken by the listener at {}", listener.at);
            self.faults.at(&place, SOCKET_NAME, message);
        }
        AdminSettings { socket, at: place.to_string() }
    }
}
