//! What other threads may know of a connection: whether it lives, whose it is, how much waits.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::handle::{ConnId, SLOTS_MAX};
use super::{Bound, Owner, Sent};

/// How many bytes may wait for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    /// Above it a send is taken and says "pressure".
    pub soft: usize,
    /// A send that would pass it is refused, unless nothing waits.
    pub hard: usize,
}

impl Marks {
    /// What a send of `len` bytes comes to when `waiting` bytes are there before it. A message that
    /// is longer than the hard mark by itself is taken when nothing waits: it could never go else.
    pub fn judge(self, waiting: usize, len: usize) -> Sent {
        let after = waiting.saturating_add(len);
        if after > self.hard && waiting > 0 {
            Sent::Again
        } else if after > self.soft {
            Sent::Pressure
        } else {
            Sent::Taken
        }
    }
}

/// One connection, as seen from other threads. Bytes are counted in `u32`: a queue is bounded far
/// below 4 GiB.
#[derive(Debug, Default)]
pub struct Gate {
    /// Epoch of the connection that may be sent to; 0 if none.
    epoch: AtomicU32,
    /// The endpoint that it belongs to.
    owner: AtomicU32,
    /// Bytes in the mailbox. Added by senders, taken off by the shard.
    mailed: AtomicU32,
    /// Bytes in the connection's own queue, as the shard last told.
    backlog: AtomicU32,
    /// `WANTS_WRITABLE`.
    flags: AtomicU32,
    /// Epoch of the connection that its endpoint has accepted or rejected last.
    answered: AtomicU32,
    /// The connection's name for life.
    uid: AtomicU64,
}

/// Somebody was told to wait for `writable`.
const WANTS_WRITABLE: u32 = 1;

impl Gate {
    /// Opens it for a new connection. Only the shard calls this, and all `pub(crate)` here.
    pub(crate) fn open(&self, conn: ConnId, owner: u32, uid: u64) {
        self.owner.store(owner, Ordering::Relaxed);
        self.backlog.store(0, Ordering::Relaxed);
        self.flags.store(0, Ordering::Relaxed);
        self.uid.store(uid, Ordering::Relaxed);
        self.epoch.store(conn.epoch(), Ordering::Release);
    }

    /// Closes it for `conn`; false if it was closed before.
    pub fn shut(&self, conn: ConnId) -> bool {
        self.epoch.compare_exchange(conn.epoch(), 0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// True if `conn` was closed by its endpoint, or has ended.
    pub(crate) fn is_shut(&self, conn: ConnId) -> bool {
        self.epoch.load(Ordering::Acquire) != conn.epoch()
    }

    /// # Errors
    /// The connection has ended, or belongs to another endpoint.
    pub fn check(&self, conn: ConnId, owner: u32) -> Result<(), Sent> {
        if self.is_shut(conn) {
            return Err(Sent::Closed);
        }
        if self.owner.load(Ordering::Relaxed) != owner {
            return Err(Sent::Denied);
        }
        Ok(())
    }

    /// Counts `len` bytes in, unless they are too many.
    pub(crate) fn admit(&self, len: usize, owner: &Owner, bound: Bound) -> Sent {
        let cost = Self::cost(len);
        let mailed = self.mailed.fetch_add(cost, Ordering::AcqRel);
        let backlog = self.backlog.load(Ordering::Acquire);
        let sent = owner.judge(bound, mailed as usize + backlog as usize, 0, cost as usize);
        if sent == Sent::Again {
            self.mailed.fetch_sub(cost, Ordering::AcqRel);
        }
        sent
    }

    /// The shard has taken a mail of `len` bytes out of its box.
    pub(crate) fn unload(&self, len: usize) {
        self.mailed.fetch_sub(Self::cost(len), Ordering::AcqRel);
    }

    /// True if something is for it in the mailbox, or was taken out and not yet worked off.
    pub(crate) fn has_mail(&self) -> bool {
        self.mailed.load(Ordering::Acquire) > 0
    }

    /// True if nothing waits for it, neither in the mailbox nor in its own queue.
    pub(crate) fn is_free(&self) -> bool {
        self.mailed.load(Ordering::Acquire) | self.backlog.load(Ordering::Relaxed) == 0
    }

    /// What waits in the connection's own queue now.
    pub(crate) fn set_backlog(&self, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        if self.backlog.load(Ordering::Relaxed) != bytes {
            self.backlog.store(bytes, Ordering::Release);
        }
    }

    /// Notes that somebody waits for `writable`; true if nobody did before.
    pub(crate) fn want_writable(&self) -> bool {
        self.flags.fetch_or(WANTS_WRITABLE, Ordering::AcqRel) & WANTS_WRITABLE == 0
    }

    /// Notes that the endpoint has answered; true if it had not before. A connection that has taken
    /// the slot meanwhile is not touched.
    pub fn answer(&self, conn: ConnId) -> bool {
        let (order, epoch) = (Ordering::AcqRel, conn.epoch());
        let newer = |answered: u32| (answered != epoch).then_some(epoch);
        self.answered.fetch_update(order, Ordering::Acquire, newer).is_ok()
    }

    /// The connection's name for life.
    pub fn uid(&self) -> u64 {
        self.uid.load(Ordering::Relaxed)
    }

    /// True if somebody waits for `writable`.
    pub(crate) fn wants_writable(&self) -> bool {
        self.flags.load(Ordering::Acquire) & WANTS_WRITABLE != 0
    }

    /// The same, once.
    pub(crate) fn take_wants_writable(&self) -> bool {
        self.wants_writable()
            && self.flags.fetch_and(!WANTS_WRITABLE, Ordering::AcqRel) & WANTS_WRITABLE != 0
    }

    /// An empty message must not be free: it takes memory too.
    fn cost(len: usize) -> u32 {
        u32::try_from(len.saturating_add(16)).unwrap_or(u32::MAX / 2)
    }
}

const CHUNK: usize = 1024;

/// The gates of a shard, made in chunks as slots come into use, never moved or freed.
pub struct Gates {
    chunks: Box<[OnceLock<Box<[Gate; CHUNK]>>]>,
}

impl Default for Gates {
    fn default() -> Self {
        Self { chunks: (0..SLOTS_MAX / CHUNK).map(|_| OnceLock::new()).collect() }
    }
}

impl Gates {
    /// The gate of a slot that was used at some time.
    pub fn find(&self, slot: usize) -> Option<&Gate> {
        Some(&self.chunks.get(slot / CHUNK)?.get()?[slot % CHUNK])
    }

    /// The gate of a connection that lives and belongs to `owner`.
    ///
    /// # Errors
    /// [`Sent::Closed`] or [`Sent::Denied`].
    #[inline]
    pub fn owned(&self, conn: ConnId, owner: u32) -> Result<&Gate, Sent> {
        let gate = self.find(conn.slot()).ok_or(Sent::Closed)?;
        gate.check(conn, owner)?;
        Ok(gate)
    }

    /// The gate of `slot`, made if need be. `slot` is less than [`SLOTS_MAX`].
    pub(crate) fn at(&self, slot: usize) -> &Gate {
        &self.chunks[slot / CHUNK].get_or_init(chunk)[slot % CHUNK]
    }
}

/// Made on the heap: it is too large for a stack.
fn chunk() -> Box<[Gate; CHUNK]> {
    let gates: Box<[Gate]> = (0..CHUNK).map(|_| Gate::default()).collect();
    gates.try_into().unwrap_or_else(|_| unreachable!("it has as many as were made"))
}

#[cfg(test)]
mod tests {
    use super::super::Budget;
    use super::*;

    const MARKS: Marks = Marks { soft: 100, hard: 200 };

    #[test]
    fn marks_say_taken_pressure_and_again() {
        for (waiting, len, expected) in [
            (0, 100, Sent::Taken),
            (0, 101, Sent::Pressure),
            (0, 5000, Sent::Pressure),
            (1, 199, Sent::Pressure),
            (1, 200, Sent::Again),
            (200, 0, Sent::Pressure),
        ] {
            assert_eq!(MARKS.judge(waiting, len), expected, "{len} bytes behind {waiting}");
        }
    }

    #[test]
    fn a_stale_handle_and_a_foreign_one_are_told_apart() {
        let gate = Gate::default();
        let conn = ConnId::new(0, 7, 3);
        assert_eq!(gate.check(conn, 1), Err(Sent::Closed));
        gate.open(conn, 1, 99);
        assert_eq!(gate.check(conn, 1), Ok(()));
        assert_eq!(gate.check(conn, 2), Err(Sent::Denied));
        assert_eq!(gate.check(ConnId::new(0, 7, 4), 1), Err(Sent::Closed));
        assert!(gate.shut(conn));
        assert!(!gate.shut(conn));
        assert_eq!(gate.check(conn, 1), Err(Sent::Closed));
    }

    #[test]
    fn what_is_refused_is_not_counted() {
        let gate = Gate::default();
        let owner = Owner { number: 1, marks: MARKS, budget: Budget::of_host(None) };
        gate.open(ConnId::new(0, 0, 1), 1, 99);
        assert_eq!(gate.admit(150, &owner, Bound::Marks), Sent::Pressure);
        assert_eq!(gate.admit(150, &owner, Bound::Marks), Sent::Again);
        assert_eq!(gate.mailed.load(Ordering::Relaxed), 166);
        gate.unload(150);
        assert_eq!(gate.mailed.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn one_waiter_is_noted_once() {
        let gate = Gate::default();
        assert!(gate.want_writable());
        assert!(!gate.want_writable());
        assert!(gate.wants_writable());
        assert!(gate.take_wants_writable());
        assert!(!gate.take_wants_writable());
        assert!(!gate.wants_writable());
    }
}
