//! Messages to frames, compressed where it pays.

use super::engine::Engine;
use super::history::History;
use super::{Agreed, WindowBits};
use crate::Role;
use crate::encode::write_message_frame;
use crate::message::Kind;

/// The sending side of one connection that has agreed on the extension.
///
/// With takeover it holds the window, grown with what was sent, and each message must be written in
/// the order in which it leaves; so what waits should wait as messages. Without takeover it holds
/// nothing, and the order of writing is free.
#[derive(Debug)]
pub struct Deflater {
    /// With takeover only.
    history: Option<Box<History>>,
    message_bytes_min: u32,
    window_bits: WindowBits,
}

impl Deflater {
    /// For the side that `role` names. Messages of fewer than `message_bytes_min` bytes are never
    /// compressed.
    pub fn new(role: Role, agreed: &Agreed, message_bytes_min: u32) -> Self {
        let (has_takeover, window_bits) = agreed.of(role);
        let history = has_takeover.then(Box::default);
        Self { history, message_bytes_min, window_bits }
    }

    /// Appends a message in one frame, as [`write_message`](crate::write_message) does, compressed
    /// if it is long enough and becomes shorter; or, with takeover, if it is short and may make
    /// others shorter. The payload of a text must be UTF-8, and is not
    /// looked at.
    pub fn write_message(
        &mut self,
        engine: &mut Engine,
        out: &mut Vec<u8>,
        kind: Kind,
        payload: &[u8],
        mask: Option<[u8; 4]>,
    ) {
        let history = self.history.as_deref().map_or(&[][..], History::bytes);
        let deflated = if payload.len() < self.message_bytes_min as usize {
            None
        } else {
            engine.deflate(self.window_bits, history, payload, self.slack(payload))
        };
        write_message_frame(out, deflated.is_some(), kind, deflated.unwrap_or(payload), mask);
        // RFC 7692, section 7.2.1: a message that is sent as it is never was in the window.
        let is_deflated = deflated.is_some();
        engine.tidy();
        if let (true, Some(history)) = (is_deflated, &mut self.history) {
            history.push(payload, self.window_bits.bytes());
        }
    }

    /// How much longer a message may become, so that it is in the window for those that come: alone,
    /// a short one gains nothing, and a hundred like it would each be the first. What is long and
    /// gains nothing would only drive out the others.
    fn slack(&self, payload: &[u8]) -> usize {
        let is_short = payload.len() <= self.window_bits.bytes() / 8;
        if self.history.is_some() && is_short { SLACK_BYTES } else { 0 }
    }

    /// Which of the frames of [`Engine::shared_frame`] this connection can be sent, if any: with
    /// takeover each message is compressed for one connection alone.
    pub fn shares(&self) -> Option<WindowBits> {
        self.history.is_none().then_some(self.window_bits)
    }

    /// Messages of fewer bytes are sent as they are.
    pub fn message_bytes_min(&self) -> u32 {
        self.message_bytes_min
    }

    /// The heap memory of the window.
    pub fn window_bytes(&self) -> usize {
        self.history.as_deref().map_or(0, History::capacity)
    }
}

const SLACK_BYTES: usize = 8;

impl Engine {
    /// A message in one frame, compressed and not masked, for all connections of a server whose
    /// [`Deflater::shares`] says this window. `None` if it would not become shorter: send it as
    /// it is.
    pub fn shared_frame(
        &mut self,
        window_bits: WindowBits,
        kind: Kind,
        payload: &[u8],
    ) -> Option<Vec<u8>> {
        let frame = self.deflate(window_bits, &[], payload, 0).map(|deflated| {
            let mut frame = Vec::new();
            write_message_frame(&mut frame, true, kind, deflated, None);
            frame
        });
        self.tidy();
        frame
    }
}
