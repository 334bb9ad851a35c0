//! One connection on a link.

use std::collections::VecDeque;

use switchboard_protocol::{
    Assembly, Close, CreditFrame, Data, FRAGMENT_BYTES, FrameType, Grant, HEADER_BYTES, Side,
    StreamState, Why, Window,
};

use crate::endpoint::Session;
use crate::shard::{Charge, ConnId};

/// What the host keeps of it.
pub(super) struct Stream {
    pub(super) conn: ConnId,
    pub(super) state: StreamState,
    /// What may be sent to the program.
    pub(super) window: Window,
    /// What the program may send.
    pub(super) grant: Grant,
    /// The message that the program is sending.
    pub(super) incoming: Assembly,
    /// What that message holds of the endpoint's budget.
    pub(super) charge: Charge,
    /// Messages and bytes that the client's queue has taken, and for which no credit was given back
    /// because more waits there than the soft mark.
    pub(super) withheld: (usize, u32),
    /// What waits for credit.
    queue: VecDeque<Waiting>,
    /// The connection has ended: CLOSE was sent, or waits in `end`, and its answer is awaited.
    pub(super) ending: bool,
    /// The client has gone: what the program still sends to it is dropped.
    pub(super) gone: bool,
    /// More was sent than may wait for the client, which is being closed for it.
    pub(super) overrun: bool,
    /// The CLOSE that follows the queue.
    end: Option<End>,
    /// It stands among the link's `blocked`.
    pub(super) blocked: bool,
    /// The connection waits until the program can take more.
    pub(super) full: bool,
    /// Messages that were handed to the program.
    pub(super) delivered: u64,
}

struct Waiting {
    number: u64,
    text: bool,
    payload: Vec<u8>,
    /// Bytes that have gone. A message that has begun goes on without credit of its stream.
    gone: usize,
    begun: bool,
}

struct End {
    code: u16,
    why: Why,
    reason: String,
}

/// Fragments of one stream that are written before it is another's turn.
const FRAGMENTS_IN_A_TURN: usize = 4;
/// The code of a client that left without a Close. RFC 6455, section 7.1.5.
const LEFT: u16 = 1006;

/// What of a link's state sending needs.
pub(super) struct Outlet<'l> {
    pub(super) out: &'l mut Vec<u8>,
    pub(super) window: &'l mut Window,
    /// Bytes that may wait in `out`.
    pub(super) out_bytes_max: usize,
}

impl Outlet<'_> {
    /// True if DATA may be written.
    pub(super) fn is_open(&self) -> bool {
        self.window.is_open() && self.out.len() < self.out_bytes_max
    }

    fn put(&mut self, data: &Data<'_>) {
        let before = self.out.len();
        data.encode(self.out);
        self.window.spend(self.out.len() - before, 0);
        debug_assert!(self.out.len() - before >= HEADER_BYTES);
    }
}

impl Stream {
    pub(super) fn new(conn: ConnId, window: Window, grant: Grant, charge: Charge) -> Self {
        Self {
            conn,
            state: StreamState::Opening,
            window,
            grant,
            incoming: Assembly::default(),
            charge,
            withheld: (0, 0),
            queue: VecDeque::new(),
            ending: false,
            gone: false,
            overrun: false,
            end: None,
            blocked: false,
            full: false,
            delivered: 0,
        }
    }

    /// Sends a message, or the part of it for which there is credit; true if no further one should
    /// come.
    pub(super) fn send(
        &mut self,
        number: u64,
        text: bool,
        payload: &[u8],
        stream: u32,
        outlet: &mut Outlet<'_>,
    ) -> bool {
        self.delivered = number;
        let at_once = self.queue.is_empty() && self.window.is_open() && outlet.is_open();
        if at_once && payload.len() <= FRAGMENT_BYTES {
            self.window.spend(payload.len(), 1);
            let seq = low_half(number);
            outlet.put(&Data { stream, seq, text, more: false, replay: false, payload });
        } else {
            let payload = payload.to_vec();
            self.queue.push_back(Waiting { number, text, payload, gone: 0, begun: false });
            self.pump(stream, outlet);
        }
        self.full = !self.queue.is_empty() || !self.window.is_open() || !outlet.is_open();
        self.full
    }

    /// Sends what credit allows, and no more than a few fragments, so that a long message does not
    /// hold up other streams.
    pub(super) fn pump(&mut self, stream: u32, outlet: &mut Outlet<'_>) {
        for _ in 0..FRAGMENTS_IN_A_TURN {
            let Some(first) = self.queue.front_mut() else { break };
            if !first.begun && !self.window.is_open() || !outlet.is_open() {
                return;
            }
            let rest = &first.payload[first.gone..];
            let (part, after) = rest.split_at(rest.len().min(FRAGMENT_BYTES));
            let seq = if first.begun { 0 } else { low_half(first.number) };
            let more = !after.is_empty();
            let data = Data { stream, seq, text: first.text, more, replay: false, payload: part };
            self.window.spend(part.len(), u32::from(!first.begun));
            outlet.put(&data);
            first.begun = true;
            first.gone += part.len();
            if !more {
                self.queue.pop_front();
            }
        }
        if self.queue.is_empty()
            && let Some(end) = self.end.take()
        {
            end.encode(stream, outlet.out);
            self.state = self.state.step(Side::Host, FrameType::Close).map_or(self.state, |s| s.0);
        }
    }

    /// Sends CLOSE behind all that waits. A client that left without a word gets nothing any more, so
    /// no credit waits for it.
    pub(super) fn close(
        &mut self,
        code: u16,
        why: Why,
        reason: &str,
        stream: u32,
        outlet: &mut Outlet<'_>,
    ) {
        self.ending = true;
        self.gone = code == LEFT;
        if self.gone {
            self.release(stream, outlet.out);
        }
        self.end = Some(End { code, why, reason: reason.to_owned() });
        self.pump(stream, outlet);
    }

    /// Gives credit back, when enough has gathered.
    pub(super) fn give_back(
        &mut self,
        stream: u32,
        bytes: usize,
        messages: u32,
        out: &mut Vec<u8>,
    ) {
        if let Some((bytes, messages)) = self.grant.done(bytes, messages) {
            CreditFrame { stream, bytes, messages }.encode(out);
        }
    }

    /// Gives the credit back that was withheld.
    pub(super) fn release(&mut self, stream: u32, out: &mut Vec<u8>) {
        let (bytes, messages) = std::mem::take(&mut self.withheld);
        self.give_back(stream, bytes, messages, out);
    }

    /// True if the program can take another message.
    pub(super) fn is_ready(&self) -> bool {
        self.queue.is_empty() && self.window.is_open()
    }
}

impl End {
    fn encode(&self, stream: u32, out: &mut Vec<u8>) {
        Close { stream, code: self.code, why: self.why, reason: &self.reason }.encode(out);
    }
}

#[allow(clippy::cast_possible_truncation)]
fn low_half(number: u64) -> u32 {
    number as u32
}

/// The endpoint's word for a connection: number of the link, number of the stream.
pub(super) fn session(link: u32, stream: u32) -> Session {
    Session((link as usize) << 32 | stream as usize)
}

/// The parts of a session.
#[allow(clippy::cast_possible_truncation)]
pub(super) fn parts(session: Session) -> (u32, u32) {
    ((session.0 >> 32) as u32, session.0 as u32)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use switchboard_protocol::{Frame, Limits, Reader};

    use super::*;
    use crate::shard::{Budget, Marks, Owner};

    /// The names of the frames that were written.
    fn names(out: &[u8]) -> Vec<&'static str> {
        let mut reader = Reader::new(Limits::new(Side::Host));
        reader.feed(out);
        let mut names = Vec::new();
        while let Some(frame) = reader.read().expect("what is written can be read") {
            names.push(frame.kind().map_or("?", FrameType::name));
            if let Frame::Credit(credit) = frame {
                assert_eq!((credit.bytes, credit.messages), (60, 1));
            }
        }
        names
    }

    fn open_stream(window: Window) -> Stream {
        let grant = Grant::new(100, 10);
        let (marks, budget) = (Marks { soft: 1, hard: 1 }, Budget::of_host(None));
        let charge = Charge::new(&Arc::new(Owner { number: 1, marks, budget }));
        let conn = ConnId::new(0, 0, 1);
        Stream { state: StreamState::Open, ..Stream::new(conn, window, grant, charge) }
    }

    #[test]
    fn the_end_waits_behind_data_that_waits_for_credit() {
        let (mut out, mut link) = (Vec::new(), Window::link(1 << 20));
        let mut outlet = Outlet { out: &mut out, window: &mut link, out_bytes_max: 1 << 20 };
        let mut row = open_stream(Window::new(1, 10));
        assert!(row.send(1, true, b"on debt", 1, &mut outlet));
        assert!(row.send(2, true, b"waits", 1, &mut outlet));
        row.close(1006, Why::CLIENT, "", 1, &mut outlet);
        assert_eq!(names(outlet.out), ["DATA"]);
        // CREDIT of the program still counts.
        assert_eq!(row.state, StreamState::Open);
        row.window.add(100, 0);
        row.pump(1, &mut outlet);
        assert_eq!(names(outlet.out), ["DATA", "DATA", "CLOSE"]);
        assert_eq!(row.state, StreamState::Ending);
    }

    #[test]
    fn nobody_waits_for_a_client_that_has_gone() {
        for (code, frames) in [(1006, &["CREDIT", "CLOSE"][..]), (1000, &["CLOSE"])] {
            let (mut out, mut link) = (Vec::new(), Window::link(1 << 20));
            let mut outlet = Outlet { out: &mut out, window: &mut link, out_bytes_max: 1 << 20 };
            let mut row = open_stream(Window::new(1, 10));
            row.grant.received(60, true).expect("there is credit");
            row.withheld = (60, 1);
            row.close(code, Why::CLIENT, "", 1, &mut outlet);
            assert_eq!(names(outlet.out), frames, "{code}");
            assert_eq!(row.gone, code == 1006);
        }
    }

    #[test]
    fn a_long_message_goes_in_turns() {
        let (mut out, mut link) = (Vec::new(), Window::link(64 << 20));
        let mut outlet = Outlet { out: &mut out, window: &mut link, out_bytes_max: 64 << 20 };
        let mut row = open_stream(Window::new(1, 10));
        assert!(row.send(1, false, &vec![0; 10 * FRAGMENT_BYTES], 1, &mut outlet));
        assert_eq!(names(outlet.out).len(), FRAGMENTS_IN_A_TURN);
        row.pump(1, &mut outlet);
        assert_eq!(names(outlet.out).len(), 2 * FRAGMENTS_IN_A_TURN);
    }
}
