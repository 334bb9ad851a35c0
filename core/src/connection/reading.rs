//! Bytes to messages to the endpoint.

use std::sync::Arc;

use switchboard_websocket::{Decoder, Event, Kind, Limits, Role, write_pong};

use super::row::{Cause, Phase, Row};
use super::{Job, Shard};
use crate::endpoint::{Endpoint, Session, Verdict};
use crate::shard::{ConnId, Control};
use crate::stream::{NEVER, Received};

/// Reads of one connection in one turn, so that a busy one does not starve the others.
const READS: usize = 2;
/// Messages and control frames of one connection in one turn, for the same reason: a read may hold
/// thousands.
const EVENTS: usize = 512;

/// A longer message of a client that ends is not waited for: its Close frame may stand behind it,
/// and what it says counts no more.
pub(super) const ENDING_BYTES_MAX: usize = 4 << 10;

/// What a batch of input needs while the row is not borrowed.
struct Batch {
    decoder: Decoder,
    /// The two sides have agreed on compression.
    compresses: bool,
    limits: Limits,
    to: To,
    /// Messages count: the connection does not end.
    open: bool,
    /// The number of the last one.
    seq: u64,
}

/// Who gets the messages.
struct To {
    endpoint: Arc<Endpoint>,
    session: Session,
}

/// How far to read. Readiness is told once, when something comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// A short read: the socket was empty then, and what comes next is an event. Saves a read.
    Short,
    /// The socket says so: what came before may have been told, and not looked at, or the stream's
    /// end may stand behind the bytes.
    Empty,
}

impl To {
    fn message(&self, conn: ConnId, seq: u64, kind: Kind, payload: &[u8]) -> Verdict {
        self.endpoint.binding.message(conn, self.session, seq, kind, payload)
    }

    fn pass_on(&self, conn: ConnId, control: Control, payload: &[u8]) -> bool {
        self.endpoint.binding.control(conn, self.session, control, payload)
    }

    fn unfinished(&self, conn: ConnId) {
        self.endpoint.binding.unfinished(conn, self.session);
    }
}

/// How a batch ended.
enum Outcome {
    /// All input is used up.
    Drained,
    /// The rest waits until the endpoint or the client has caught up.
    Paused,
    /// The rest is for the next turn.
    Enough,
    /// The connection ends.
    Ended(Cause),
    /// The row has gone, or is past the point where messages count.
    Gone,
}

impl Shard {
    /// The socket may have something to read. Where the next turn looks at it in any case, this one
    /// leaves it alone.
    pub(super) fn read(&self, conn: ConnId, buffer: &mut [u8], until: Until) {
        for _ in 0..READS {
            let received = {
                let mut rows = self.rows.borrow_mut();
                let Some(row) = rows.get(conn).filter(|row| !row.paused && !row.again) else {
                    return;
                };
                let Some(transport) = &row.transport else { return };
                transport.read(buffer)
            };
            match received {
                Ok(Received::Bytes(count)) => {
                    self.take_in(conn, &mut buffer[..count]);
                    if until == Until::Short && count < buffer.len() {
                        return;
                    }
                }
                Ok(Received::More(count)) => self.take_in(conn, &mut buffer[..count]),
                Ok(Received::Nothing) => return,
                Ok(Received::End) => return self.finished(conn),
                Err(_) => return self.lost(conn),
            }
        }
        if let Some(row) = self.rows.borrow_mut().get(conn) {
            self.schedule_read(conn, row);
        }
    }

    /// The client has ended its stream, or that is broken. Where this could not be read, because
    /// reading waits, it is noted: nobody says it again, and the endpoint may take nothing more.
    pub(super) fn left(&self, conn: ConnId, broken: bool) {
        let now = self.now();
        let mut rows = self.rows.borrow_mut();
        let Some(row) = rows.get(conn).filter(|row| row.phase == Phase::Open) else { return };
        row.rare().left = Some(now);
        self.arm(conn, row);
        let paused = row.paused;
        drop(rows);
        if broken && paused {
            self.lost(conn);
        }
    }

    /// Has the next turn read the socket, once, whoever asks for it: a client that sends faster than
    /// it is read would else be read once more in each turn.
    pub(super) fn schedule_read(&self, conn: ConnId, row: &mut Row) {
        if !std::mem::replace(&mut row.again, true) {
            self.again.borrow_mut().push(conn);
        }
    }

    /// Reads the sockets that may have more than they were asked for, behind what the turn before
    /// has left of what was read.
    pub(super) fn read_again(&self, buffer: &mut [u8]) {
        let again = std::mem::take(&mut *self.again.borrow_mut());
        for conn in again {
            let mut rest = match self.rows.borrow_mut().get(conn) {
                Some(row) => row.go_on(),
                None => continue,
            };
            if !rest.is_empty() {
                self.take_in(conn, &mut rest);
            }
            self.read(conn, buffer, Until::Empty);
        }
    }

    /// Works off a batch of input; the replies leave in one write. Where not all can be, the row
    /// keeps the rest, which comes before what the socket has.
    pub(super) fn take_in(&self, conn: ConnId, input: &mut [u8]) {
        let Some(mut batch) = self.begin(conn) else { return };
        let mut at = 0;
        let mut outcome = self.decode(conn, &mut batch, input, &mut at);
        if matches!(outcome, Outcome::Drained) && !batch.decoder.is_idle() {
            batch.to.unfinished(conn);
        }
        if let Some(row) = self.rows.borrow_mut().get(conn) {
            row.decoder = batch.decoder;
            self.keep_rest(conn, row, &outcome, &input[at..]);
            row.forget_input();
            if row.held_bytes() != row.counted {
                self.settle(conn, row);
                if row.decoder.buffered_bytes() > 0 && row.endpoint.owner.budget.is_overrun() {
                    outcome = Outcome::Ended(Cause::Unfinished);
                }
            }
        }
        self.uncork(conn);
        match outcome {
            Outcome::Ended(cause) => self.end(conn, cause),
            Outcome::Paused => self.resume_if_possible(conn),
            Outcome::Drained | Outcome::Enough | Outcome::Gone => {}
        }
    }

    /// Keeps what was not worked off until the pause is over, or for the next turn.
    fn keep_rest(&self, conn: ConnId, row: &mut Row, outcome: &Outcome, rest: &[u8]) {
        match outcome {
            Outcome::Paused => row.paused = true,
            Outcome::Enough => self.schedule_read(conn, row),
            Outcome::Drained | Outcome::Ended(_) | Outcome::Gone => return,
        }
        let paused = row.paused;
        let rare = row.rare();
        rare.input = rest.to_vec();
        if let Some(left) = rare.left.as_mut().filter(|_| paused) {
            *left = self.now();
            self.arm(conn, row);
        }
    }

    fn begin(&self, conn: ConnId) -> Option<Batch> {
        let mut rows = self.rows.borrow_mut();
        let row = rows.get(conn)?;
        row.last_read = self.now();
        if row.ping_sent != NEVER {
            row.ping_sent = NEVER;
            // The next ping may be due before the answer to this one was.
            self.arm(conn, row);
        }
        if row.phase == Phase::Lingering {
            return None;
        }
        let decoder = std::mem::replace(&mut row.decoder, Decoder::new(Role::Server));
        let to = To { endpoint: Arc::clone(&row.endpoint), session: row.session };
        let mut limits = row.endpoint.codec_limits();
        if row.phase >= Phase::Ending {
            limits = limits.at_most(ENDING_BYTES_MAX);
        }
        let open = row.phase == Phase::Open;
        let compresses = row.deflater.is_some();
        let batch = Batch { decoder, compresses, limits, to, open, seq: row.seq };
        drop(rows);
        self.cork.borrow_mut().begin(conn, !compresses);
        Some(batch)
    }

    fn decode(&self, conn: ConnId, batch: &mut Batch, input: &mut [u8], at: &mut usize) -> Outcome {
        let limits = batch.limits;
        for _ in 0..EVENTS {
            let event = if batch.compresses {
                batch.decoder.next_in(&mut self.engine.borrow_mut(), &limits, input, at)
            } else {
                batch.decoder.next(&limits, input, at)
            };
            let event = match event {
                Ok(Some(event)) => event,
                Ok(None) => return Outcome::Drained,
                Err(error) => return Outcome::Ended(Cause::Protocol(error)),
            };
            match event {
                Event::Message { kind, payload } => {
                    if !batch.open {
                        continue;
                    }
                    batch.seq += 1;
                    let verdict = batch.to.message(conn, batch.seq, kind, payload);
                    if let Some(outcome) = self.judge(conn, batch, &verdict) {
                        return outcome;
                    }
                }
                Event::Ping(payload) => {
                    if !batch.to.pass_on(conn, Control::Ping, payload) {
                        self.put(conn, |out| write_pong(out, payload, None));
                    }
                    if self.is_behind(conn, batch) {
                        return Outcome::Paused;
                    }
                }
                // An empty one may be the answer to a ping of ours.
                Event::Pong(payload) => {
                    if batch.to.pass_on(conn, Control::Pong, payload) && self.is_behind(conn, batch)
                    {
                        return Outcome::Paused;
                    }
                }
                Event::Close(frame) => {
                    let code = frame.as_ref().map(|frame| frame.code);
                    let reason = frame.map_or(String::new(), |frame| frame.reason.to_owned());
                    return Outcome::Ended(Cause::PeerClose { code, reason });
                }
            }
        }
        if *at < input.len() { Outcome::Enough } else { Outcome::Drained }
    }

    /// True if so much waits for the client that reading should pause.
    fn is_behind(&self, conn: ConnId, batch: &mut Batch) -> bool {
        let mut rows = self.rows.borrow_mut();
        let row = rows.get(conn);
        batch.open = row.as_ref().is_some_and(|row| row.phase == Phase::Open);
        row.is_some_and(|row| row.must_pause())
    }

    /// What follows from the endpoint's verdict on the last message; `None`: go on.
    #[inline]
    fn judge(&self, conn: ConnId, batch: &mut Batch, verdict: &Verdict) -> Option<Outcome> {
        let mut rows = self.rows.borrow_mut();
        let Some(row) = rows.get(conn) else { return Some(Outcome::Gone) };
        batch.open = row.phase == Phase::Open;
        let seq = batch.seq;
        row.seq = seq;
        row.last_data = self.now();
        match verdict {
            Verdict::Done => {}
            Verdict::Full => row.full = true,
            Verdict::Deferred => {
                let rare = row.rare();
                if rare.acked >= rare.deferred {
                    // Nothing was outstanding: all before this one is acknowledged.
                    rare.acked = rare.acked.max(seq - 1);
                }
                rare.deferred = seq;
            }
            // Its close is the end, and on the way; what it could not do behind it is no fault.
            Verdict::Failed(failed) if self.face.gates.at(conn.slot()).is_shut(conn) => {
                tracing::debug!("{}: closed before: {failed}", super::row::name(conn, row));
            }
            Verdict::Failed(failed) => {
                tracing::error!("{}: {failed}", super::row::name(conn, row));
                return Some(Outcome::Ended(Cause::Fault));
            }
        }
        row.must_pause().then_some(Outcome::Paused)
    }

    /// Notes that every message up to `seq` is processed.
    pub(super) fn acknowledge(&self, conn: ConnId, seq: u64) {
        let mut rows = self.rows.borrow_mut();
        let Some(row) = rows.get(conn) else { return };
        let delivered = row.seq;
        let rare = row.rare();
        rare.acked = rare.acked.max(seq.min(delivered));
        let (ending, settled) = (row.phase == Phase::Ending, row.unacknowledged() == 0);
        drop(rows);
        if ending && settled {
            self.add_work(Job::End(conn));
        }
        self.resume_if_possible(conn);
    }

    /// The endpoint takes messages again.
    pub(super) fn wanted(&self, conn: ConnId) {
        if let Some(row) = self.rows.borrow_mut().get(conn) {
            row.full = false;
        }
        self.resume_if_possible(conn);
    }

    /// Puts the end of a pause on the work list if it is over.
    pub(super) fn resume_if_possible(&self, conn: ConnId) {
        let mut rows = self.rows.borrow_mut();
        if rows.get(conn).is_some_and(|row| row.paused && row.may_resume()) {
            drop(rows);
            self.add_work(Job::Resume(conn));
        }
    }

    /// Works off what was read before the pause, then looks at the socket again.
    pub(super) fn resume(&self, conn: ConnId) {
        let mut input = {
            let mut rows = self.rows.borrow_mut();
            let ready = |row: &&mut Row| row.paused && row.may_resume();
            let Some(row) = rows.get(conn).filter(ready) else { return };
            row.paused = false;
            let input = std::mem::take(&mut row.rare().input);
            self.settle(conn, row);
            input
        };
        if !input.is_empty() {
            self.take_in(conn, &mut input);
        }
        let mut rows = self.rows.borrow_mut();
        if let Some(row) = rows.get(conn)
            && !row.paused
        {
            row.tidy();
            self.arm(conn, row);
            self.schedule_read(conn, row);
        }
    }
}
