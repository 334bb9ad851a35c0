//! What the program's frames do.

use std::time::Instant;

use switchboard_protocol::{
    Answer as Told, CreditFrame, ErrorCode, Frame, FrameError, FrameType, HEADER_BYTES, LinkState,
    ParseError, Side, Take, encode_frame,
};

use super::hello::FEATURES;
use super::link::{Inner, Link, State};
use super::program::Event;
use super::said::log;

/// What ends the link.
pub(super) struct Fault {
    pub(super) code: ErrorCode,
    pub(super) text: String,
}

impl From<FrameError> for Fault {
    fn from(error: FrameError) -> Self {
        Self { code: error.goaway_code(), text: error.to_string() }
    }
}

impl Link {
    /// Handles bytes that have come. On the link's shard only.
    pub(super) fn take_in(&self, bytes: &[u8]) -> Result<(), String> {
        let mut guard = self.lock();
        let State { phase, ready, draining, reader, inner } = &mut *guard;
        inner.last_heard = Instant::now();
        inner.pings = 0;
        reader.feed(bytes);
        let fault = loop {
            let handled = match reader.read() {
                Ok(Some(frame)) => self.handle(&frame, phase, ready, draining, inner),
                Ok(None) => break None,
                Err(error) => self.answer_fault(&error, inner),
            };
            if let Err(fault) = handled {
                break Some(fault);
            }
        };
        let Some(fault) = fault else { return Ok(()) };
        let text = format!("it broke the protocol: {}", fault.text);
        self.go_away(&mut guard, fault.code, &fault.text);
        drop(guard);
        tracing::error!("{}: {text}", self.about.prefix);
        Ok(())
    }

    fn answer_fault(&self, error: &ParseError, inner: &mut Inner) -> Result<(), Fault> {
        match error.answer() {
            Told::GoAway(code) => Err(Fault { code, text: error.to_string() }),
            Told::Reset(stream, code) => {
                if FrameType::new(error.header.kind).is_some_and(FrameType::costs_credit) {
                    self.count(error.header.frame_bytes(), inner)?;
                }
                inner.ids.check_dead(stream)?;
                self.reset_from_here(inner, stream, code, &error.to_string());
                Ok(())
            }
        }
    }

    fn handle(
        &self,
        frame: &Frame<'_>,
        phase: &mut LinkState,
        ready: &mut bool,
        draining: &mut bool,
        inner: &mut Inner,
    ) -> Result<(), Fault> {
        let Some(kind) = frame.kind() else { return Ok(()) };
        let (next, take) = phase.step(Side::Endpoint, kind)?;
        *phase = next;
        if take == Take::Ignore {
            return Ok(());
        }
        if let Some(feature) = kind.feature(Side::Endpoint)
            && !(feature == FEATURES[0] && inner.topics_agreed)
        {
            let text = format!("{} belongs to {feature}, which was not agreed", kind.name());
            return Err(Fault { code: ErrorCode::UNSUPPORTED, text });
        }
        match frame {
            Frame::Hello(hello) => {
                self.hello(hello, inner)?;
                *phase = phase.step(Side::Host, FrameType::HelloOk)?.0;
            }
            Frame::Ready(frame) => {
                *ready = frame.ready;
                // The supervisor has gone when the host stops.
                let _ = self.events.send(Event::Ready(self.number, frame.ready));
            }
            Frame::Ping(opaque) => encode_frame(&mut inner.out, &Frame::Pong(*opaque)),
            Frame::Drain(_) => *draining = true,
            Frame::GoAway(bye) => {
                tracing::warn!("{}: it goes away: {}", self.about.prefix, bye.text);
            }
            Frame::Log(line) => {
                let gap = if line.part.is_empty() { "" } else { " " };
                log(line.level, &format!("{}{gap}{}: {}", self.about.prefix, line.part, line.text));
            }
            Frame::Credit(credit) if credit.stream == 0 => {
                inner.window.add(credit.bytes, 0);
                self.unblock(inner);
            }
            Frame::Topic(topic) => inner.name_topic(topic)?,
            Frame::Publish(publish) => {
                self.count(HEADER_BYTES + 8 + publish.payload.len(), inner)?;
                self.publish(publish, inner)?;
            }
            _ if frame.stream() != 0 => self.handle_stream(frame, kind, inner)?,
            _ => {}
        }
        self.flush_soon();
        Ok(())
    }

    /// Counts a frame against the link's window, and gives credit back: it is in its stream's queue.
    pub(super) fn count(&self, frame_bytes: usize, inner: &mut Inner) -> Result<(), Fault> {
        inner.grant.received_frame(frame_bytes)?;
        if let Some((bytes, messages)) = inner.grant.done(frame_bytes, 0) {
            CreditFrame { stream: 0, bytes, messages }.encode(&mut inner.out);
        }
        Ok(())
    }
}
