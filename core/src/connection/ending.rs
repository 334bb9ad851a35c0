//! The end of a connection is an event behind its messages.
//!
//! Whatever ended it, the endpoint first answers what came before; then it is told, once; then the
//! Close frame leaves. RFC 6455, sections 5.5.1 and 7.1.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use switchboard_websocket::{CloseCode, write_close};

use super::row::{Cause, End, Phase, Row, name};
use super::{Job, Shard};
use crate::endpoint::Farewell;
use crate::shard::ConnId;
use crate::stream::{Clock, Transport};

impl Shard {
    /// Notes why a connection ends; the first cause counts. What follows is done after the callback
    /// that is running, if one is.
    pub(super) fn end(&self, conn: ConnId, cause: Cause) {
        let mut rows = self.rows.borrow_mut();
        let Some(row) = rows.get(conn) else { return };
        let gone = matches!(cause, Cause::Gone | Cause::Unanswered);
        let last = matches!(cause, Cause::PeerClose { .. } | Cause::Protocol(_) | Cause::Left);
        let heard = last || gone;
        if row.phase < Phase::Ending {
            Self::log_end(conn, row, &cause);
            let opening = row.phase == Phase::Opening;
            let answer_due = opening && !self.answer_for_endpoint(conn);
            if opening {
                Self::refuse_opening(row);
            }
            row.phase = Phase::Ending;
            row.rare().end =
                Some(End { cause, gone: gone || opening, heard, eof: false, answer_due });
            let limits = &row.endpoint.settings.limits;
            row.deadline = Clock::after(self.now(), limits.close_timeout);
            row.forget_input();
            self.settle(conn, row);
            self.arm(conn, row);
            drop(rows);
            return self.add_work(Job::End(conn));
        }
        let Some(end) = &mut row.rare().end else { return };
        end.heard |= heard;
        end.gone |= gone;
        let (phase, sent) = (row.phase, row.backlog() == 0);
        drop(rows);
        match phase {
            Phase::Ending if gone => self.add_work(Job::End(conn)),
            Phase::Closing | Phase::Lingering if gone => self.free(conn),
            Phase::Closing if heard && sent => self.close_sent(conn),
            _ => {}
        }
    }

    /// The client has ended its side of the stream. One that has said Close before may still read
    /// what is answered; of any other this is the end.
    pub(super) fn finished(&self, conn: ConnId) {
        let mut rows = self.rows.borrow_mut();
        let Some(row) = rows.get(conn) else { return };
        let (phase, sent) = (row.phase, row.backlog() == 0);
        if phase >= Phase::Ending
            && let Some(end) = &mut row.rare().end
        {
            end.eof = true;
            end.heard = true;
        }
        drop(rows);
        match phase {
            Phase::Lingering => self.free(conn),
            Phase::Closing if sent => self.close_sent(conn),
            Phase::Closing | Phase::Ending => {}
            _ => self.lost(conn),
        }
    }

    /// The stream is broken, or has ended without a word.
    pub(super) fn lost(&self, conn: ConnId) {
        self.end(conn, Cause::Gone);
    }

    /// Tells the endpoint, once it has answered what came before, and sends the Close frame.
    pub(super) fn go_on_ending(&self, conn: ConnId) {
        // What other threads have sent before the end goes before it.
        self.take_sends_to(conn);
        let mut rows = self.rows.borrow_mut();
        let Some(row) = rows.get(conn).filter(|row| row.phase == Phase::Ending) else { return };
        let overdue = row.deadline <= self.now();
        if row.told {
            if overdue {
                let (endpoint, session) = (Arc::clone(&row.endpoint), row.session);
                drop(rows);
                endpoint.binding.overdue(conn, session);
                self.take_leave(conn);
            }
            return;
        }
        let unacknowledged = row.unacknowledged() > 0;
        let Some(end) = row.rare.as_ref().and_then(|rare| rare.end.as_ref()) else { return };
        if end.answer_due {
            return;
        }
        let must_wait = unacknowledged && end.cause.waits_for_acks();
        // A socket that HTTP still holds comes soon, or its loss is told.
        let no_socket = row.transport.is_none() && !end.gone;
        if (must_wait || no_socket) && !overdue {
            return;
        }
        let cause = end.cause.clone();
        let endpoint = Arc::clone(&row.endpoint);
        let session = row.session;
        let topics = std::mem::take(&mut row.rare().topics);
        row.told = true;
        drop(rows);
        self.leave_all(conn, topics);
        let farewell = endpoint.binding.closed(conn, session, &cause.closed());
        if farewell == Farewell::Now {
            self.take_leave(conn);
        }
    }

    /// The server behind the endpoint has closed, or answered the client's Close.
    pub(super) fn relay(&self, conn: ConnId, close: Option<(CloseCode, String)>) {
        let mut rows = self.rows.borrow_mut();
        let Some(row) = rows.get(conn) else { return };
        if row.phase < Phase::Ending {
            drop(rows);
            return self.end(conn, Cause::Relayed(close));
        }
        if let Some(end) = &mut row.rare().end
            && matches!(end.cause, Cause::PeerClose { .. })
        {
            end.cause = Cause::Relayed(close);
        }
        drop(rows);
        self.take_leave(conn);
    }

    /// The endpoint has answered the end, or had its time: the Close frame leaves.
    pub(super) fn take_leave(&self, conn: ConnId) {
        self.take_sends_to(conn);
        let mut rows = self.rows.borrow_mut();
        let leaving = |row: &&mut Row| row.phase == Phase::Ending && row.told;
        let Some(row) = rows.get(conn).filter(leaving) else { return };
        let end = row.rare().end.as_ref();
        let (gone, cause) = end.map_or((true, Cause::Gone), |end| (end.gone, end.cause.clone()));
        drop(rows);
        self.face.gates.at(conn.slot()).shut(conn);
        self.take_sends_to(conn);
        self.send_close(conn, &cause, gone);
    }

    fn leave_all(&self, conn: ConnId, topics: Vec<(u64, Arc<str>)>) {
        for (number, topic) in topics {
            self.subscribers.borrow_mut().remove(number, conn);
            self.shards.leave(conn, &topic);
        }
    }

    fn send_close(&self, conn: ConnId, cause: &Cause, gone: bool) {
        let mut rows = self.rows.borrow_mut();
        let Some(row) = rows.get(conn) else { return };
        if gone || row.transport.is_none() {
            drop(rows);
            return self.free(conn);
        }
        row.phase = Phase::Closing;
        row.paused = false;
        row.rare().input = Vec::new();
        let now = self.now();
        row.deadline = Clock::after(now, row.endpoint.settings.limits.close_timeout);
        self.arm(conn, row);
        let owed = row.transport.as_ref().map_or(0, Transport::owed);
        let waiting = row.waiting(now);
        if let Cause::Slow = cause {
            // The client would see the Close frame only behind all that it does not read.
            waiting.cut(owed);
        }
        waiting.push_frame(|out| write_close(out, cause.close(), None));
        // What came while reading was paused is no event any more.
        self.schedule_read(conn, row);
        drop(rows);
        self.flush(conn);
    }

    /// The Close frame and all before it has left.
    pub(super) fn close_sent(&self, conn: ConnId) {
        let mut rows = self.rows.borrow_mut();
        let Some(row) = rows.get(conn).filter(|row| row.phase == Phase::Closing) else { return };
        let end = row.rare().end.as_ref();
        if end.is_some_and(|end| end.eof) {
            drop(rows);
            return self.free(conn);
        }
        if end.is_none_or(|end| end.heard) {
            // The server ends the stream first; its socket stays until the client has done so too,
            // lest unread bytes turn into a reset that overtakes the Close frame.
            if let Some(transport) = &row.transport {
                transport.finish();
            }
            row.phase = Phase::Lingering;
        }
    }

    /// The row has gone; its handle is stale.
    pub(super) fn free(&self, conn: ConnId) {
        self.face.gates.at(conn.slot()).shut(conn);
        let Some(mut row) = self.rows.borrow_mut().remove(conn) else { return };
        row.endpoint.connections.fetch_sub(1, Ordering::Relaxed);
        row.endpoint.owner.budget.change(row.counted, 0);
        // One that was rejected late may be a member by then.
        if let Some(rare) = row.rare.take() {
            self.leave_all(conn, rare.topics);
        }
        if let Some(transport) = &row.transport {
            // What a client does not take would stay with the system for minutes.
            if row.backlog() > 0 {
                transport.give_up();
            }
            self.unload();
        }
    }

    fn log_end(conn: ConnId, row: &Row, cause: &Cause) {
        let name = name(conn, row);
        match cause {
            Cause::Protocol(error) => tracing::info!("{name}: the client broke a rule: {error}"),
            Cause::Slow => tracing::info!("{name}: the client reads too slowly, closed with 1013"),
            Cause::Left => tracing::info!("{name}: the endpoint takes nothing, closed with 1013"),
            Cause::Unfinished => tracing::info!("{name}: memory is short, closed with 1013"),
            Cause::Unanswered => tracing::warn!("{name}: the endpoint did not answer in time"),
            Cause::Fault => tracing::error!("{name}: closed with 1011"),
            cause => tracing::debug!("{name}: ends: {cause:?}"),
        }
    }
}
