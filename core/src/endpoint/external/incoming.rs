//! What the program's frames do.

use std::time::{Duration, Instant};

use switchboard_protocol::{
    Answer as Told, CreditFrame, ErrorCode, Frame, FrameError, FrameType, HEADER_BYTES, LinkState,
    ParseError, Side, Take, encode_frame,
};

use super::link::{Draining, Inner, Link, State};
use super::said::because;
use super::supervisor::Event;

/// Bytes that may wait for a program that asks more than it reads answers.
const ANSWERS_BYTES_MAX: usize = 16 << 20;

/// Frames that are handled before the shard looks at its other sockets.
const FRAMES_IN_A_TURN: usize = 256;

/// What a link may still do in this turn of its shard. Bytes alone are no bound: a read holds
/// thousands of small frames, and one frame names thousands of streams.
pub(super) struct Turn {
    frames_left: usize,
}

impl Turn {
    pub(super) fn new() -> Self {
        Self { frames_left: FRAMES_IN_A_TURN }
    }

    /// For the end of a link, whose bytes are bounded.
    pub(super) fn without_end() -> Self {
        Self { frames_left: usize::MAX }
    }

    fn is_over(&self) -> bool {
        self.frames_left == 0
    }

    /// A frame comes; a message for many counts for each that it names.
    fn spend(&mut self, frame: &Frame<'_>) {
        let named = match frame {
            Frame::Multicast(multicast) => multicast.streams.iter().len(),
            _ => 0,
        };
        self.frames_left = self.frames_left.saturating_sub(named.max(1));
    }
}

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

fn does_not_read() -> Fault {
    let text = format!("more than {ANSWERS_BYTES_MAX} bytes wait, and it does not read");
    Fault { code: ErrorCode::LIMIT, text }
}

impl Link {
    /// Handles bytes that have come, behind those that are left; true if the turn was over before
    /// their end. On the link's shard only.
    pub(super) fn take_in(&self, bytes: &[u8], turn: &mut Turn) -> bool {
        let mut guard = self.lock();
        if guard.phase == LinkState::Over {
            // Whatever it is, it comes behind the last word.
            return false;
        }
        let State { phase, ready, draining, reader, inner } = &mut *guard;
        if !bytes.is_empty() {
            inner.last_heard = Instant::now();
            inner.pings = 0;
            reader.feed(bytes);
        }
        let mut left = false;
        let fault = loop {
            if turn.is_over() {
                left = reader.waiting_bytes() > 0;
                break None;
            }
            let handled = match reader.read() {
                Ok(Some(frame)) => {
                    turn.spend(&frame);
                    self.handle(&frame, phase, ready, draining, inner)
                }
                Ok(None) => break None,
                Err(error) => {
                    turn.frames_left -= 1;
                    self.answer_fault(&error, inner)
                }
            };
            if let Err(fault) = handled {
                break Some(fault);
            }
        };
        let too_much = || inner.out.len() > ANSWERS_BYTES_MAX;
        let fault = fault.or_else(|| too_much().then(does_not_read));
        let Some(fault) = fault else {
            self.see_whether_drained(&mut guard);
            return left;
        };
        let text = format!("it broke the protocol: {}", fault.text);
        self.go_away(&mut guard, fault.code, &fault.text);
        drop(guard);
        tracing::error!("{}: {text}", self.about.prefix);
        false
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
        draining: &mut Draining,
        inner: &mut Inner,
    ) -> Result<(), Fault> {
        let Some(kind) = frame.kind() else { return Ok(()) };
        let (next, take) = phase.step(Side::Endpoint, kind)?;
        *phase = next;
        if take == Take::Ignore {
            return Ok(());
        }
        if let Some(feature) = kind.feature(Side::Endpoint)
            && !inner.agreed.contains(&feature)
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
            Frame::Ping(opaque) => {
                inner.pings_heard.count(inner.last_heard.duration_since(self.since))?;
                encode_frame(&mut inner.out, &Frame::Pong(*opaque));
            }
            Frame::Drain(drain) => {
                let text = because(drain.text);
                tracing::info!("{}: it lets its clients go{text}", self.about.prefix);
                if *draining == Draining::No {
                    *draining = Draining::Asked;
                    let within = Duration::from_millis(drain.deadline_ms.into());
                    let _ = self.events.send(Event::Draining(self.number, within));
                }
            }
            Frame::GoAway(bye) => {
                let text = because(bye.text);
                tracing::warn!("{}: it goes away{text}", self.about.prefix);
            }
            Frame::Log(line) => inner.said.say(&self.about.prefix, line, inner.last_heard),
            Frame::Credit(credit) if credit.stream == 0 => {
                inner.window.add(credit.bytes, 0);
                self.unblock(inner);
            }
            Frame::Topic(topic) => inner.topics.name(topic)?,
            Frame::Publish(publish) => {
                self.count(HEADER_BYTES + 8 + publish.payload.len(), inner)?;
                self.publish(publish, inner)?;
            }
            Frame::Multicast(multicast) => {
                let names = 4 * multicast.streams.iter().len();
                self.count(HEADER_BYTES + 4 + names + multicast.payload.len(), inner)?;
                self.multicast(multicast, inner)?;
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

#[cfg(test)]
mod tests {
    use switchboard_protocol::{Multicast, Streams};

    use super::*;

    #[test]
    fn a_turn_ends_by_its_frames() {
        let mut turn = Turn::new();
        for _ in 0..FRAMES_IN_A_TURN {
            assert!(!turn.is_over());
            turn.spend(&Frame::Closed { stream: 1 });
        }
        assert!(turn.is_over());
    }

    #[test]
    fn each_stream_that_a_frame_names_counts() {
        let named = [[1; 4]; 1000];
        let multicast =
            Multicast { streams: Streams::new(&named), text: true, more: false, payload: b"" };
        let mut turn = Turn::new();
        turn.spend(&Frame::Multicast(multicast));
        assert!(turn.is_over());
    }
}
