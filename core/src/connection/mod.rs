//! The server life of one WebSocket, from the endpoint's answer to the last byte.
//!
//! A connection is a row in its shard's table, not a task. A [`Shard`] is one thread's part of the
//! host; its one task, [`Shard::run`], turns over an inner poll of all its sockets. The files follow
//! a message: `opening` (a client wants in), `reading` (bytes to messages to the endpoint),
//! `sending` (messages to frames to the socket), `ending`; `post` works off what other threads ask,
//! `timing` the wheel, and `turn` calls them all. `listing` shows rows to those who look after the
//! host.
//!
//! No borrow of the shard's state is held while an endpoint is called: an endpoint may send from
//! inside any callback. What would call back (flush and its consequences, `writable`, `closed`) is
//! put on the work list and done after the callback has returned.

mod ending;
mod listing;
mod opening;
mod post;
mod reading;
mod row;
mod rows;
mod sending;
mod sources;
mod timing;
mod turn;
mod waiting;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use switchboard_websocket::deflate::Engine;

use crate::conf::{Limits, TopicLimits};
use crate::shard::{self, Arrival, ConnId, Face, SendMail, Shards};
use crate::stream::{Clock, SourceId, Tick, Wheel};
use crate::topics::{Home, Subscribers};

use rows::Rows;
use sending::Cork;
use sources::Sources;

pub use listing::{Listed, Page};
pub use opening::{Opening, Refused};
pub use turn::MAILBOX;

/// One thread's connections.
pub struct Shard {
    index: usize,
    shards: Arc<Shards>,
    face: Arc<Face>,
    /// Of the host: `connections_max`.
    limits: Limits,
    registry: mio::Registry,
    clock: Clock,
    /// Read from the clock once a turn.
    now: Cell<Tick>,
    rows: RefCell<Rows>,
    /// Frames of the connection whose input is being worked off.
    cork: RefCell<Cork>,
    /// What follows from what was done, in order.
    work: RefCell<VecDeque<Job>>,
    /// Connections whose socket may have more than one turn's reading.
    again: RefCell<Vec<ConnId>>,
    /// Connections that have more to compress than one turn's, and room for it.
    resting: RefCell<Vec<ConnId>>,
    /// What other threads have sent, taken out of the mailbox and not yet worked off.
    sends: RefCell<std::vec::IntoIter<SendMail>>,
    wheel: RefCell<Wheel<ConnId>>,
    /// Compresses and inflates, for all connections.
    engine: RefCell<Engine>,
    sources: RefCell<Sources>,
    home: RefCell<Home>,
    subscribers: RefCell<Subscribers>,
    /// Work was put on the list outside of a turn.
    poked: tokio::sync::Notify,
    in_turn: Cell<bool>,
    stopping: Cell<bool>,
}

/// What is done after the callback that asked for it has returned.
#[derive(Debug, Clone, Copy)]
enum Job {
    /// Write what waits.
    Flush(ConnId),
    /// Tell the endpoint that there is room.
    Writable(ConnId),
    /// Take the next step of an end.
    End(ConnId),
    /// Go on reading.
    Resume(ConnId),
    /// Call a source that asked for it.
    Source(SourceId),
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<Shard>>> = const { RefCell::new(None) };
}

impl Shard {
    /// The shard `index`, on the thread that will run it.
    ///
    /// # Errors
    /// The registry could not be doubled: no more file descriptors.
    pub fn new(
        index: usize,
        shards: Arc<Shards>,
        poll: &mio::Poll,
        limits: Limits,
        topics: TopicLimits,
    ) -> std::io::Result<Rc<Self>> {
        let face = Arc::clone(shards.face(index));
        let shard = Rc::new(Self {
            index,
            face,
            limits,
            registry: poll.registry().try_clone()?,
            clock: Clock::start(),
            now: Cell::new(0),
            rows: RefCell::default(),
            cork: RefCell::default(),
            work: RefCell::default(),
            again: RefCell::default(),
            resting: RefCell::default(),
            sends: RefCell::default(),
            wheel: RefCell::default(),
            engine: RefCell::default(),
            sources: RefCell::default(),
            home: RefCell::new(Home::new(index, shards.count(), topics)),
            subscribers: RefCell::default(),
            poked: tokio::sync::Notify::new(),
            in_turn: Cell::new(false),
            stopping: Cell::new(false),
            shards,
        });
        shard::set_local(Some((index, Rc::clone(&shard) as Rc<dyn shard::Local>)));
        CURRENT.with(|cell| *cell.borrow_mut() = Some(Rc::clone(&shard)));
        Ok(shard)
    }

    /// The shard of this thread, if it is one.
    pub fn current() -> Option<Rc<Self>> {
        CURRENT.with(|cell| cell.borrow().clone())
    }

    /// The time of this turn; outside of a turn, the time.
    fn now(&self) -> Tick {
        if !self.in_turn.get() {
            self.now.set(self.clock.now());
        }
        self.now.get()
    }

    /// A socket or connection that was counted has gone.
    pub fn unload(&self) {
        self.face.load.fetch_sub(1, Ordering::AcqRel);
        self.poked.notify_one();
    }

    fn add_work(&self, job: Job) {
        self.work.borrow_mut().push_back(job);
        if !self.in_turn.get() {
            self.poked.notify_one();
        }
    }
}

/// A name for a connection that no other one of this run has.
fn next_uid() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// What a shard does with a socket that was accepted: gives it to HTTP.
pub type OnArrival = Box<dyn Fn(Arrival)>;
