//! How a link's bytes come and go, on its shard.

use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use switchboard_protocol::{ErrorCode, LinkState};

use super::heartbeat::Stall;
use super::incoming::Turn;
use super::link::{Inner, Link, OUT_BYTES_MAX};
use super::supervisor::Event;
use crate::shard::{self, ConnId, Mail};
use crate::stream::{Ready, Received, Source, SourceId};

/// Reads in one turn of the shard.
const READS: usize = 8;
/// Reads after a program's end: more than a socket holds.
const READS_AT_THE_END: usize = 32;

impl Link {
    /// Has the shard write what waits, once for all that is added until then.
    pub(super) fn flush_soon(&self) {
        if self.flushing.swap(true, Ordering::AcqRel) {
            return;
        }
        let id = SourceId(self.source.load(Ordering::Acquire));
        if id.0 == 0 {
            // The first call of the source comes when it is watched.
            self.flushing.store(false, Ordering::Release);
            return;
        }
        let schedule = move || {
            if let Some(local) = shard::current() {
                local.schedule(id);
            }
        };
        if shard::is_current(self.about.shard) {
            schedule();
        } else {
            self.about.shards.run(self.about.shard, Box::new(schedule));
        }
    }

    /// Has the shard call once more, when it has looked at its other sockets. On the link's shard
    /// only, while it is called.
    fn look_again(&self) {
        if let Some(local) = shard::current() {
            local.schedule(SourceId(self.source.load(Ordering::Acquire)));
        }
    }

    /// Writes what waits. On the link's shard only.
    fn flush(&self) -> io::Result<()> {
        self.flushing.store(false, Ordering::Release);
        let mut state = self.lock();
        let inner = &mut state.inner;
        loop {
            let mut written = 0;
            while written < inner.out.len() {
                match self.transport.write(&inner.out[written..])? {
                    0 => break,
                    count => written += count,
                }
            }
            let all = written == inner.out.len();
            if written > 0 && inner.window.is_open() {
                inner.stall = Stall::default();
            }
            inner.out.drain(..written);
            // Room for streams that waited; what they add is written too. If the socket is full, it
            // tells when there is room again.
            self.unblock(inner);
            if !all || inner.out.is_empty() {
                break;
            }
        }
        if inner.out.len() < OUT_BYTES_MAX {
            inner.out.shrink_to(OUT_BYTES_MAX);
        }
        Ok(())
    }

    /// Lets streams go on for which there is room or credit now: each has its turn, and whom the
    /// link holds up is the first next time.
    pub(super) fn unblock(&self, inner: &mut Inner) {
        for _ in 0..inner.blocked.len() {
            let Some(stream) = inner.blocked.pop_front() else { return };
            if self.advance(stream, inner) {
                continue;
            }
            let Some((_, outlet)) = inner.outlet(stream) else { continue };
            if !outlet.is_open() {
                return inner.blocked.push_front(stream);
            }
            inner.blocked.push_back(stream);
        }
    }

    /// Lets one stream go on; true if it waits no more.
    pub(super) fn advance(&self, stream: u32, inner: &mut Inner) -> bool {
        let Some((row, mut outlet)) = inner.outlet(stream) else { return true };
        row.pump(stream, &mut outlet);
        if !row.is_ready() || outlet.out.len() >= OUT_BYTES_MAX / 2 || !outlet.window.is_open() {
            return false;
        }
        row.blocked = false;
        if std::mem::take(&mut row.full) {
            let conn = row.conn;
            self.post(conn, Mail::Resume(conn));
        }
        true
    }

    /// Mail for a connection of this endpoint, also while that ends.
    pub(super) fn post(&self, conn: ConnId, mail: Mail) {
        self.about.shards.face(conn.shard()).mailbox.post(mail);
    }

    /// Reads and handles what has come, and before it what the last turn has left; true if there may
    /// be more. On the link's shard only.
    fn read(&self, reads: usize, turn: &mut Turn, buffer: &mut [u8]) -> Result<bool, String> {
        // Nothing more is read while whole frames are left, so those are a read's at most.
        if self.take_in(&[], turn) {
            return Ok(true);
        }
        for _ in 0..reads {
            match self.transport.read(buffer) {
                Ok(Received::Bytes(count) | Received::More(count)) => {
                    if self.take_in(&buffer[..count], turn) {
                        return Ok(true);
                    }
                }
                Ok(Received::Nothing) => return Ok(false),
                Ok(Received::End) => return Err("it has closed the link".into()),
                Err(error) => return Err(format!("the link is broken: {error}")),
            }
        }
        Ok(true)
    }

    /// The program has ended, or takes nothing more: what it has written is taken still, then the
    /// link has ended, even if another process holds its other end. On the link's shard only.
    pub(super) fn ended(&self, why: &str) {
        let mut buffer = vec![0; 64 << 10];
        // One that is written for ever ends here too.
        let _ = self.read(READS_AT_THE_END, &mut Turn::without_end(), &mut buffer);
        self.lost(why);
    }

    /// The link has ended: its clients are told, and so are the program and the supervisor.
    pub(super) fn lost(&self, why: &str) {
        let id = self.source.swap(0, Ordering::AcqRel);
        if let (Some(local), true) = (shard::current(), id != 0) {
            local.unwatch(SourceId(id));
        }
        self.give_up();
        // The supervisor keeps the link until the program has ended.
        self.transport.finish();
        // The supervisor has gone when the host stops.
        let _ = self.events.send(Event::Lost(self.number, why.to_owned()));
    }

    /// Tries to write the last words. For the supervisor, when shards may have ended.
    pub(super) fn say_goodbye(&self) {
        let mut state = self.lock();
        self.go_away(&mut state, ErrorCode::NONE, "the host ends this endpoint");
        // Whoever does not read them learns it from the end of the stream.
        let _ = self.transport.write(&state.inner.out);
        state.inner.out.clear();
        drop(state);
        self.transport.finish();
    }
}

/// The link on its shard's poll.
pub(super) struct LinkSource(pub(super) Arc<Link>);

impl Source for LinkSource {
    fn raw_fd(&self) -> RawFd {
        self.0.transport.raw_fd()
    }

    fn ready(&self, ready: Ready, buffer: &mut [u8]) {
        let link = &self.0;
        let mut outcome = Ok(());
        // Most calls that no event has made are for a flush, and find nothing to read.
        let unread = link.unread.swap(false, Ordering::AcqRel) || ready.read;
        if unread && link.about.shards.is_congested() {
            // What the program publishes would come on top of what some shard has to do.
            link.unread.store(true, Ordering::Release);
            link.look_again();
        } else if unread {
            outcome = link.read(READS, &mut Turn::new(), buffer).map(|more| {
                link.unread.store(more, Ordering::Release);
                if more {
                    link.look_again();
                }
            });
        }
        let written = link.flush().map_err(|error| format!("the link is broken: {error}"));
        let over = link.lock().phase == LinkState::Over;
        match outcome.and(written) {
            Err(why) => link.ended(&why),
            Ok(()) if over => link.lost("it was told to go away"),
            Ok(()) => {}
        }
    }
}
