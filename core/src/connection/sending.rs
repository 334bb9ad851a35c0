//! Messages to frames to the socket.

use std::io::{self, IoSlice};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use switchboard_websocket::{
    CloseCode, HEADER_BYTES_MAX, Kind, OpCode, encode_header, write_message, write_ping, write_pong,
};

use super::row::{Cause, Phase, Row};
use super::{Job, Shard};
use crate::shard::{Bound, ConnId, Control, Gate, Local, Owner, Payload, Published, Sent};
use crate::stream::{NEVER, Source, SourceId, Transport};

/// Frames of one connection, gathered while its input is worked off, so that the replies of one read
/// leave in one write. Its memory is used again by the next.
#[derive(Default)]
pub(super) struct Cork {
    conn: Option<ConnId>,
    /// Its messages are not compressed.
    is_plain: bool,
    /// A message went in without a look at the row.
    sent: bool,
    frames: Vec<u8>,
}

/// Gathered bytes that are written at once although the batch goes on.
const CORK_BYTES_MAX: usize = 64 << 10;
/// A payload of this length is written from where it lies instead of being copied.
const DIRECT_BYTES_MIN: usize = 16 << 10;

impl Cork {
    pub(super) fn begin(&mut self, conn: ConnId, is_plain: bool) {
        debug_assert!(self.frames.is_empty());
        (self.conn, self.is_plain, self.sent) = (Some(conn), is_plain, false);
    }

    /// Takes a message of a connection whose gate is open and knows of nothing that waits, if
    /// nothing has to be asked of its row: as most answers are.
    #[inline]
    fn gather(&mut self, conn: ConnId, owner: &Owner, kind: Kind, payload: &[u8]) -> bool {
        let room = owner.marks.soft.min(CORK_BYTES_MAX - HEADER_BYTES_MAX);
        let fits = payload.len() < DIRECT_BYTES_MIN && self.frames.len() + payload.len() <= room;
        let gathers = fits && self.is_plain && self.conn == Some(conn);
        if gathers {
            write_message(&mut self.frames, kind, payload, None);
            self.sent = true;
        }
        gathers
    }

    /// Bytes gathered for `conn`.
    pub(super) fn len(&self, conn: ConnId) -> usize {
        if self.conn == Some(conn) { self.frames.len() } else { 0 }
    }
}

impl Local for Shard {
    fn send(&self, conn: ConnId, owner: &Owner, kind: Kind, payload: &[u8], bound: Bound) -> Sent {
        let gate = match self.face.gates.owned(conn, owner.number) {
            Ok(gate) => gate,
            Err(refusal) => return refusal,
        };
        if gate.is_free() && self.cork.borrow_mut().gather(conn, owner, kind, payload) {
            return Sent::Taken;
        }
        self.send_frame(conn, gate, owner, payload.len(), bound, |row| {
            row.last_data = self.now();
            self.put_message(conn, row, kind, Payload::Borrowed(payload));
        })
    }

    fn control(
        &self,
        conn: ConnId,
        owner: &Owner,
        control: Control,
        payload: &[u8],
        bound: Bound,
    ) -> Sent {
        let gate = match self.face.gates.owned(conn, owner.number) {
            Ok(gate) => gate,
            Err(refusal) => return refusal,
        };
        self.send_frame(conn, gate, owner, payload.len(), bound, |row| {
            self.put_in(conn, row, |out| write_control(out, control, payload));
        })
    }

    fn answer(&self, conn: ConnId, answer: crate::shard::Answer) {
        self.answered(conn, answer);
    }

    fn subscribing(&self, conn: ConnId, topic: &Arc<str>) {
        self.note_subscribing(conn, topic);
    }

    fn close(&self, conn: ConnId, code: CloseCode, reason: String) {
        self.end(conn, Cause::Local { code, reason });
    }

    fn watch(&self, source: Rc<dyn Source>) -> io::Result<SourceId> {
        self.add_source(source)
    }

    fn unwatch(&self, id: SourceId) {
        self.remove_source(id);
    }

    fn schedule(&self, id: SourceId) {
        self.schedule_source(id);
    }
}

impl Shard {
    /// Has a frame of `len` bytes put behind what waits, if the owner's marks allow it. Above one of
    /// them `writable` follows.
    fn send_frame(
        &self,
        conn: ConnId,
        gate: &Gate,
        owner: &Owner,
        len: usize,
        bound: Bound,
        put: impl FnOnce(&mut Row),
    ) -> Sent {
        // What other threads have sent before goes before.
        self.take_sends_to(conn);
        let mut rows = self.rows.borrow_mut();
        let Some(row) = rows.get(conn).filter(|row| row.phase < Phase::Closing) else {
            return Sent::Closed;
        };
        let corked = self.cork.borrow().len(conn);
        let sent = owner.judge(bound, row.backlog(), corked, len);
        if sent == Sent::Again || sent == Sent::Pressure {
            gate.want_writable();
            self.schedule_flush(conn, row);
        }
        if sent != Sent::Again {
            put(row);
        }
        sent
    }

    /// Puts a message behind what was gathered or waits; the limits are the caller's.
    pub(super) fn put_message(
        &self,
        conn: ConnId,
        row: &mut Row,
        kind: Kind,
        payload: Payload<'_>,
    ) {
        if row.deflater.is_some() {
            return self.put_deflated(conn, row, kind, payload);
        }
        let payload = payload.as_slice();
        let mut cork = self.cork.borrow_mut();
        if cork.conn != Some(conn) || row.waiting.is_some() {
            drop(cork);
            row.waiting(self.now()).push_frame(|out| write_message(out, kind, payload, None));
            return self.queued(conn, row);
        }
        if payload.len() < DIRECT_BYTES_MIN {
            write_message(&mut cork.frames, kind, payload, None);
            if cork.frames.len() > CORK_BYTES_MAX {
                self.spill(conn, row, &mut cork.frames, &[]);
            }
            return;
        }
        let mut header = [0; 14];
        let opcode = OpCode::from(kind);
        let len = encode_header(&mut header, true, false, opcode, payload.len(), None);
        cork.frames.extend_from_slice(&header[..len]);
        self.spill(conn, row, &mut cork.frames, payload);
    }

    /// The same where the two sides have agreed on compression. A message that may refer to those
    /// before it waits as it is.
    fn put_deflated(&self, conn: ConnId, row: &mut Row, kind: Kind, payload: Payload<'_>) {
        let Some(deflater) = row.deflater.as_deref_mut() else { return };
        let mut cork = self.cork.borrow_mut();
        let engine = &mut *self.engine.borrow_mut();
        if cork.conn == Some(conn) && row.waiting.is_none() {
            deflater.write_message(engine, &mut cork.frames, kind, payload.as_slice(), None);
            if cork.frames.len() > CORK_BYTES_MAX {
                self.spill(conn, row, &mut cork.frames, &[]);
            }
            return;
        }
        drop(cork);
        if deflater.shares().is_none() {
            row.waiting(self.now()).push_message(kind, payload.into_bytes());
        } else {
            let mut frame = Vec::new();
            deflater.write_message(engine, &mut frame, kind, payload.as_slice(), None);
            row.waiting(self.now()).push_shared(frame.into());
        }
        self.queued(conn, row);
    }

    /// Puts a control frame behind what was gathered.
    pub(super) fn put(&self, conn: ConnId, write: impl FnOnce(&mut Vec<u8>)) {
        let mut rows = self.rows.borrow_mut();
        if let Some(row) = rows.get(conn).filter(|row| row.phase < Phase::Closing) {
            self.put_in(conn, row, write);
        }
    }

    fn put_in(&self, conn: ConnId, row: &mut Row, write: impl FnOnce(&mut Vec<u8>)) {
        let mut cork = self.cork.borrow_mut();
        if cork.conn == Some(conn) && row.waiting.is_none() {
            write(&mut cork.frames);
        } else {
            drop(cork);
            row.waiting(self.now()).push_frame(write);
            self.queued(conn, row);
        }
    }

    /// Writes what was gathered for `conn`; the batch is over.
    pub(super) fn uncork(&self, conn: ConnId) {
        let mut cork = self.cork.borrow_mut();
        cork.conn = None;
        if cork.frames.is_empty() {
            return;
        }
        match self.rows.borrow_mut().get(conn) {
            Some(row) => {
                if std::mem::take(&mut cork.sent) {
                    row.last_data = self.now();
                }
                self.spill(conn, row, &mut cork.frames, &[]);
            }
            None => cork.frames.clear(),
        }
        if cork.frames.capacity() > 4 * CORK_BYTES_MAX {
            cork.frames = Vec::new();
        }
    }

    /// Writes `frames` and `payload`; what does not leave waits in the row. A connection that turns
    /// out to be broken is noticed when it is read.
    fn spill(&self, conn: ConnId, row: &mut Row, frames: &mut Vec<u8>, payload: &[u8]) {
        let written = match &row.transport {
            Some(transport) if row.waiting.is_none() => write_both(transport, frames, payload),
            _ => 0,
        };
        if written < frames.len() + payload.len() {
            row.waiting(self.now()).push_rest(frames, payload, written);
            self.settle(conn, row);
        }
        frames.clear();
    }

    /// Something waits in the row that has not been tried to be written.
    fn queued(&self, conn: ConnId, row: &mut Row) {
        self.schedule_flush(conn, row);
        self.settle(conn, row);
    }

    /// Tells the gate what waits in the row, and the budget what the row holds. While it holds
    /// something the wheel looks at it.
    pub(super) fn settle(&self, conn: ConnId, row: &mut Row) {
        self.face.gates.at(conn.slot()).set_backlog(row.backlog());
        let held = row.held_bytes();
        if held == row.counted {
            return;
        }
        let before = std::mem::replace(&mut row.counted, held);
        if let Some(budget) = row.endpoint.owner.budget.change(before, held) {
            row.warn_short(budget);
        }
        self.arm(conn, row);
    }

    /// Puts a flush on the work list, once.
    pub(super) fn schedule_flush(&self, conn: ConnId, row: &mut Row) {
        if !row.dirty {
            row.dirty = true;
            self.add_work(Job::Flush(conn));
        }
    }

    /// Puts a frame that is shared with other connections behind what waits.
    pub(super) fn put_shared(&self, conn: ConnId, row: &mut Row, frame: &Bytes) {
        row.last_data = self.now();
        if let (Some(transport), None) = (&row.transport, &row.waiting) {
            let written = transport.write(frame).unwrap_or(frame.len());
            if written == frame.len() {
                return;
            }
            row.waiting(self.now()).push_rest_shared(frame, written);
        } else {
            row.waiting(self.now()).push_shared(frame.clone());
        }
        self.queued(conn, row);
    }

    /// Puts a message of a topic behind what waits, compressed for this connection alone.
    pub(super) fn put_own(&self, conn: ConnId, row: &mut Row, message: &Published) {
        row.last_data = self.now();
        row.waiting(self.now()).push_message(message.kind, message.payload.clone());
        self.queued(conn, row);
    }

    /// Writes what waits, and sees what follows from the room that there is now.
    pub(super) fn flush(&self, conn: ConnId) {
        let mut rows = self.rows.borrow_mut();
        let Some(row) = rows.get(conn) else { return };
        row.dirty = false;
        let Some(transport) = &row.transport else { return };
        let gate = self.face.gates.at(conn.slot());
        if let Some(waiting) = &mut row.waiting {
            if waiting.rests {
                return;
            }
            let before = waiting.len();
            let engine = &mut *self.engine.borrow_mut();
            let deflate = row.deflater.as_deref_mut().map(|deflater| (deflater, engine));
            let Ok(rests) = waiting.flush(transport, deflate) else {
                drop(rows);
                return self.lost(conn);
            };
            if rests {
                waiting.rests = true;
                self.resting.borrow_mut().push(conn);
            }
            if waiting.len() != before {
                waiting.progress = self.now();
                if row.ping_sent != NEVER {
                    // It may stand behind that, and then it leaves now at the earliest.
                    row.ping_sent = waiting.progress;
                }
            }
            row.tidy();
            self.settle(conn, row);
        }
        let (phase, backlog) = (row.phase, row.backlog());
        let writable = row.endpoint.owner.is_writable(backlog);
        let resumes = row.paused && row.may_resume();
        drop(rows);
        if phase == Phase::Closing && backlog == 0 {
            return self.close_sent(conn);
        }
        if resumes {
            self.add_work(Job::Resume(conn));
        }
        if writable && gate.take_wants_writable() {
            self.add_work(Job::Writable(conn));
        }
    }

    /// Goes on with those that had more to compress than one turn's.
    pub(super) fn flush_again(&self) {
        let resting = std::mem::take(&mut *self.resting.borrow_mut());
        for conn in resting {
            if let Some(row) = self.rows.borrow_mut().get(conn)
                && let Some(waiting) = &mut row.waiting
            {
                waiting.rests = false;
            }
            self.flush(conn);
        }
    }

    /// Somebody was refused on another thread.
    pub(super) fn wants_writable(&self, conn: ConnId) {
        if let Some(row) = self.rows.borrow_mut().get(conn) {
            self.schedule_flush(conn, row);
        }
    }

    pub(super) fn tell_writable(&self, conn: ConnId) {
        let (endpoint, session) = {
            let mut rows = self.rows.borrow_mut();
            let open = |row: &&mut Row| (Phase::Accepted..=Phase::Ending).contains(&row.phase);
            let Some(row) = rows.get(conn).filter(open) else { return };
            (Arc::clone(&row.endpoint), row.session)
        };
        endpoint.binding.writable(conn, session);
    }
}

pub(super) fn write_control(out: &mut Vec<u8>, control: Control, payload: &[u8]) {
    match control {
        Control::Ping => write_ping(out, payload, None),
        Control::Pong => write_pong(out, payload, None),
    }
}

fn write_both(transport: &Transport, frames: &[u8], payload: &[u8]) -> usize {
    let written = if payload.is_empty() {
        transport.write(frames)
    } else {
        transport.write_vectored(&[IoSlice::new(frames), IoSlice::new(payload)])
    };
    // What cannot be written any more counts as gone: the reader learns that the peer has left.
    written.unwrap_or(frames.len() + payload.len())
}
