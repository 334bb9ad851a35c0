//! Messages to frames, masked, and compressed if both sides agreed on that.

use switchboard_websocket::deflate::{Agreed, Deflater, Engine};
use switchboard_websocket::{Decoder, Kind, Role, write_message};

use crate::client::mask;

/// Writes the messages of one connection, in the order in which they leave.
pub(super) struct Frames {
    deflate: Option<(Deflater, Engine)>,
}

impl Frames {
    /// Messages of fewer than `message_bytes_min` bytes are not compressed.
    pub(super) fn new(agreed: Option<&Agreed>, message_bytes_min: u32) -> Self {
        let deflater = |agreed| Deflater::new(Role::Client, agreed, message_bytes_min);
        Self { deflate: agreed.map(|agreed| (deflater(agreed), Engine::default())) }
    }

    /// Appends a message to `out`.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, kind: Kind, payload: &[u8]) {
        match &mut self.deflate {
            Some((deflater, engine)) => {
                deflater.write_message(engine, out, kind, payload, Some(mask()));
            }
            None => write_message(out, kind, payload, Some(mask())),
        }
    }
}

/// For what the server says.
pub(super) fn decoder(agreed: Option<&Agreed>) -> Decoder {
    let plain = || Decoder::new(Role::Client);
    agreed.map_or_else(plain, |agreed| Decoder::with_deflate(Role::Client, agreed))
}
