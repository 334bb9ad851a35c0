//! The one task of a shard.

use std::sync::Arc;
use std::time::Duration;

use mio::{Events, Poll, Token};

use super::reading::Until;
use super::row::{Phase, Row};
use super::sources::source_of;
use super::{Job, OnArrival, Shard};
use crate::shard::{ConnId, Mail};
use crate::stream::{NEVER, Ready, readiness};

/// Token of the mailbox's waker; no connection has it, because an epoch is never 0.
pub const MAILBOX: Token = Token(0);

/// Events taken from the poll in one turn.
const EVENTS: usize = 1024;
/// Jobs done in one turn before sockets are looked at again.
const JOBS: usize = 4096;
/// Sends of other threads that are worked off in one turn.
const SENDS: usize = 4096;
/// The shard's read buffer: so that a message of 64 KiB lies in it whole, and its beginning needs no
/// other place.
const BUFFER_BYTES: usize = 256 << 10;

impl Shard {
    /// Works until the host has stopped and the last connection has gone. `on_arrival` is called for
    /// each socket that comes from an acceptor.
    ///
    /// # Errors
    /// The poll failed.
    pub async fn run(&self, mut poll: Poll, on_arrival: OnArrival) -> std::io::Result<()> {
        let ready = readiness(&poll)?;
        let mut events = Events::with_capacity(EVENTS);
        let mut buffer = vec![0; BUFFER_BYTES];
        let alarm = tokio::time::sleep(Duration::ZERO);
        tokio::pin!(alarm);
        let mut alarm_at = NEVER;
        loop {
            let earliest = self.wheel.borrow().earliest();
            if earliest != alarm_at {
                alarm_at = earliest;
                alarm.as_mut().reset(self.clock.instant(earliest.min(NEVER / 2)).into());
            }
            let mut guard = None;
            if self.is_idle() {
                tokio::select! {
                    readable = ready.readable() => guard = Some(readable?),
                    () = self.poked.notified() => {}
                    () = &mut alarm, if alarm_at != NEVER => alarm_at = NEVER,
                }
            } else {
                tokio::task::yield_now().await;
            }
            poll.poll(&mut events, Some(Duration::ZERO)).or_else(interrupted)?;
            if let Some(mut guard) = guard
                && events.iter().count() < EVENTS
            {
                guard.clear_ready();
            }
            self.turn(&events, &mut buffer, &on_arrival);
            if self.is_over() {
                // The others may have waited only for this one.
                for index in (0..self.shards.count()).filter(|index| *index != self.index) {
                    self.shards.face(index).mailbox.post(Mail::Stop);
                }
                return Ok(());
            }
        }
    }

    fn turn(&self, events: &Events, buffer: &mut [u8], on_arrival: &OnArrival) {
        self.in_turn.set(true);
        self.now.set(self.clock.now());
        for event in events {
            if event.token() == MAILBOX {
                continue;
            }
            if let Some(id) = source_of(event.token()) {
                let read = event.is_readable() || event.is_read_closed() || event.is_error();
                let ready = Ready { read, write: event.is_writable() };
                self.call_source(id, ready, buffer);
                continue;
            }
            let conn = self.conn_of(event.token());
            if event.is_writable() && self.has_backlog(conn) {
                self.flush(conn);
                self.tell_taken(conn);
            }
            if event.is_read_closed() || event.is_error() {
                self.read(conn, buffer, Until::Empty);
                self.left(conn, event.is_error());
            } else if event.is_readable() {
                self.read(conn, buffer, Until::Short);
            }
        }
        self.read_again(buffer);
        self.flush_again();
        self.schedule_again();
        self.take_sends(SENDS);
        self.take_mail(on_arrival);
        self.wake_sleepers();
        for _ in 0..JOBS {
            let Some(job) = self.work.borrow_mut().pop_front() else { break };
            match job {
                Job::Flush(conn) => self.flush(conn),
                Job::Writable(conn) => self.tell_writable(conn),
                Job::End(conn) => self.go_on_ending(conn),
                Job::Resume(conn) => self.resume(conn),
                Job::Source(id) => self.call_source(id, Ready::default(), buffer),
            }
        }
        self.in_turn.set(false);
    }

    /// True if nothing is left to do until something happens.
    fn is_idle(&self) -> bool {
        self.work.borrow().is_empty()
            && self.again.borrow().is_empty()
            && self.resting.borrow().is_empty()
            && !self.has_sources_again()
            && !self.has_sends()
            && !self.face.mailbox.has_mail()
    }

    /// There was room again for what waits. If some of it waits yet, the endpoint hears of that.
    fn tell_taken(&self, conn: ConnId) {
        let (endpoint, session) = {
            let mut rows = self.rows.borrow_mut();
            let waits = |row: &&mut Row| row.phase == Phase::Open && row.backlog() > 0;
            let Some(row) = rows.get(conn).filter(waits) else { return };
            (Arc::clone(&row.endpoint), row.session)
        };
        endpoint.binding.took(conn, session);
    }

    fn has_backlog(&self, conn: ConnId) -> bool {
        self.rows.borrow_mut().get(conn).is_some_and(|row| row.backlog() > 0)
    }

    /// True if nothing is left to do on any shard: what ends on another one may need a link or a
    /// topic that lives here.
    fn is_over(&self) -> bool {
        let done = self.stopping.get() && self.rows.borrow().is_empty() && self.is_idle();
        // The shard that ends last sees what all others have subtracted.
        std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
        done && self.shards.load() == 0
    }

    /// The token of a row: its handle without the shard's index.
    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn token_of(conn: ConnId) -> Token {
        Token(conn.slot() << 32 | conn.epoch() as usize)
    }

    #[allow(clippy::cast_possible_truncation)]
    fn conn_of(&self, token: Token) -> ConnId {
        ConnId::new(self.index, token.0 >> 32, token.0 as u32)
    }
}

fn interrupted(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::Interrupted { Ok(()) } else { Err(error) }
}
