//! What every thread may know of a shard: handles, gates and the mailbox.
//!
//! A shard is a thread that owns connections. What it does with them is in `connection`; here is
//! only what others see of it, so that endpoints and topics can reach a connection by its handle and
//! never hold it.

mod budget;
mod gate;
mod handle;
mod mail;
mod owner;

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use switchboard_websocket::{CloseCode, Kind};

use crate::stream::{Source, SourceId};

pub use budget::Budget;
pub use gate::{Gate, Marks};
pub use handle::{ConnId, SHARDS_MAX, SLOTS_MAX};
pub use mail::{
    Accept, Answer, Arrival, Control, JoinRefused, Joined, Mail, Mailbox, Published, Reject,
    SendMail, Snapshot, SnapshotMember, SnapshotMessage, Subscription, Task, TopicMail,
};
pub use owner::{Bound, Charge, Owner};

/// All shards of a host. Any thread may use it.
pub struct Shards {
    all: Vec<Arc<Face>>,
}

/// One shard, from outside.
pub struct Face {
    /// What waits for it.
    pub mailbox: Mailbox,
    /// What is known of each of its connections.
    pub gates: gate::Gates,
    /// Sockets and connections that it has, for placing new ones.
    pub load: AtomicUsize,
}

/// What a send came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Taken.
    Taken,
    /// Taken, but more waits than the soft mark allows; `writable` follows.
    Pressure,
    /// Not taken: the hard mark is reached; `writable` follows.
    Again,
    /// The connection has ended.
    Closed,
    /// The connection belongs to another endpoint.
    Denied,
}

/// What a thread that is a shard does for its own connections without a detour through the mailbox.
pub trait Local {
    /// See [`Shards::send`]; `payload` is valid for its kind.
    fn send(&self, conn: ConnId, owner: &Owner, kind: Kind, payload: &[u8], bound: Bound) -> Sent;

    /// See [`Shards::control`].
    fn control(
        &self,
        conn: ConnId,
        owner: &Owner,
        control: Control,
        payload: &[u8],
        bound: Bound,
    ) -> Sent;

    /// See [`Shards::answer`].
    fn answer(&self, conn: ConnId, answer: Answer);

    /// Notes that `conn` asks to be a member of `topic`, so that its end takes that back.
    fn subscribing(&self, conn: ConnId, topic: &Arc<str>);

    /// See [`Shards::close`].
    fn close(&self, conn: ConnId, code: CloseCode, reason: String);

    /// Watches a source on this shard, until it is let go.
    ///
    /// # Errors
    /// The system's, such as too many watches.
    fn watch(&self, source: Rc<dyn Source>) -> io::Result<SourceId>;

    /// Lets a source go; its socket is closed by whoever drops it last.
    fn unwatch(&self, id: SourceId);

    /// Has a source called once more in this turn, or the next.
    fn schedule(&self, id: SourceId);
}

thread_local! {
    static LOCAL: RefCell<Option<(usize, Rc<dyn Local>)>> = const { RefCell::new(None) };
}

/// Makes the calling thread the shard `index`, or no shard at all.
pub fn set_local(local: Option<(usize, Rc<dyn Local>)>) {
    LOCAL.with(|cell| *cell.borrow_mut() = local);
}

/// The shard that the calling thread is, if it is one.
pub fn current() -> Option<Rc<dyn Local>> {
    LOCAL.with(|cell| cell.borrow().as_ref().map(|(_, local)| Rc::clone(local)))
}

/// True if the calling thread is the shard `index`.
pub fn is_current(index: usize) -> bool {
    LOCAL.with(|cell| cell.borrow().as_ref().is_some_and(|(current, _)| *current == index))
}

/// Has the shard of `conn` do something that calls nobody back, if the calling thread is it.
fn with_local<T>(conn: ConnId, call: impl FnOnce(&dyn Local) -> T) -> Option<T> {
    LOCAL.with(|cell| match &*cell.borrow() {
        Some((index, local)) if *index == conn.shard() => Some(call(&**local)),
        _ => None,
    })
}

/// The shard of `conn`, if the calling thread is it.
fn local(conn: ConnId) -> Option<Rc<dyn Local>> {
    LOCAL.with(|cell| match &*cell.borrow() {
        Some((index, local)) if *index == conn.shard() => Some(Rc::clone(local)),
        _ => None,
    })
}

impl Shards {
    /// One shard for each waker, at most [`SHARDS_MAX`]; nobody reads their mail yet.
    pub fn new(wakers: impl IntoIterator<Item = mio::Waker>) -> Self {
        let all = wakers
            .into_iter()
            .map(|waker| {
                Arc::new(Face {
                    mailbox: Mailbox::new(waker),
                    gates: gate::Gates::default(),
                    load: AtomicUsize::new(0),
                })
            })
            .collect();
        Self { all }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// The shard `index`.
    pub fn face(&self, index: usize) -> &Arc<Face> {
        &self.all[index]
    }

    /// The shard with the fewest connections, for the next one.
    pub fn least_loaded(&self) -> usize {
        let load = |index: &usize| self.all[*index].load.load(Ordering::Relaxed);
        (0..self.all.len()).min_by_key(load).unwrap_or(0)
    }

    /// Sockets and connections on all shards.
    pub fn load(&self) -> usize {
        self.all.iter().map(|face| face.load.load(Ordering::Relaxed)).sum()
    }

    /// Sends one message, from any thread. Sends to one connection that happen one after another
    /// leave in that order: see [`Mailbox`].
    ///
    /// Text must be UTF-8.
    #[inline(always)] // a step of each answer; what is long about it is `mail`
    pub fn send(
        &self,
        conn: ConnId,
        owner: &Owner,
        kind: Kind,
        payload: Payload<'_>,
        bound: Bound,
    ) -> Sent {
        let local = |local: &dyn Local| local.send(conn, owner, kind, payload.as_slice(), bound);
        match with_local(conn, local) {
            Some(sent) => sent,
            None => self.mail(conn, owner, kind, payload, bound),
        }
    }

    /// The same on a thread that is not the connection's shard.
    #[inline(never)]
    fn mail(
        &self,
        conn: ConnId,
        owner: &Owner,
        kind: Kind,
        payload: Payload<'_>,
        bound: Bound,
    ) -> Sent {
        let gate = match self.owned(conn, owner.number) {
            Ok(gate) => gate,
            Err(refusal) => return refusal,
        };
        let mailbox = &self.all[conn.shard()].mailbox;
        let crowded = bound == Bound::Marks && mailbox.congested();
        let sent = if crowded { Sent::Again } else { gate.admit(payload.len(), owner, bound) };
        if sent == Sent::Again || sent == Sent::Pressure {
            if gate.want_writable() {
                mailbox.post(Mail::WantsWritable(conn));
            }
            if sent == Sent::Again {
                return sent;
            }
        }
        mailbox.post_send(SendMail { conn, kind, payload: payload.into_bytes() });
        sent
    }

    /// Sends a ping or a pong. On the connection's own shard it leaves in order with what is sent;
    /// from another thread it may be overtaken, and then only the connection's end is told.
    pub fn control(
        &self,
        conn: ConnId,
        owner: &Owner,
        control: Control,
        payload: &[u8],
        bound: Bound,
    ) -> Sent {
        let local = |local: &dyn Local| local.control(conn, owner, control, payload, bound);
        if let Some(sent) = with_local(conn, local) {
            return sent;
        }
        let mail = Mail::Control(conn, control, Bytes::copy_from_slice(payload));
        self.post(conn, owner.number, mail).map_or_else(|refusal| refusal, |()| Sent::Taken)
    }

    /// Puts a mail for the shard of `conn` into its box, if the connection is still there and
    /// belongs to `owner`.
    ///
    /// # Errors
    /// [`Sent::Closed`] or [`Sent::Denied`].
    pub fn post(&self, conn: ConnId, owner: u32, mail: Mail) -> Result<(), Sent> {
        self.owned(conn, owner)?;
        self.all[conn.shard()].mailbox.post(mail);
        Ok(())
    }

    /// Answers a client that wants in, once.
    ///
    /// # Errors
    /// [`Sent::Closed`]; [`Sent::Denied`] also if it was answered before.
    pub fn answer(&self, conn: ConnId, owner: u32, answer: Answer) -> Result<(), Sent> {
        if !self.owned(conn, owner)?.answer(conn) {
            // By the endpoint, or by the shard when the client left.
            return Err(self.owned(conn, owner).err().unwrap_or(Sent::Denied));
        }
        match local(conn) {
            Some(local) => local.answer(conn, answer),
            None => self.all[conn.shard()].mailbox.post(Mail::Answer(conn, answer)),
        }
        Ok(())
    }

    /// Closes a connection for its endpoint, and refuses further sends.
    ///
    /// # Errors
    /// [`Sent::Closed`] or [`Sent::Denied`].
    pub fn close(
        &self,
        conn: ConnId,
        owner: u32,
        code: CloseCode,
        reason: String,
    ) -> Result<(), Sent> {
        if !self.owned(conn, owner)?.shut(conn) {
            return Err(Sent::Closed);
        }
        match local(conn) {
            Some(local) => local.close(conn, code, reason),
            None => self.all[conn.shard()].mailbox.post(Mail::Close(conn, code, reason)),
        }
        Ok(())
    }

    /// Has `task` run on the shard `index`.
    pub fn run(&self, index: usize, task: Box<dyn FnOnce() + Send>) {
        self.all[index].mailbox.post(Mail::Run(Task(task)));
    }

    /// The gate of a connection that lives and belongs to `owner`.
    ///
    /// # Errors
    /// [`Sent::Closed`] or [`Sent::Denied`].
    pub fn owned(&self, conn: ConnId, owner: u32) -> Result<&Gate, Sent> {
        self.all.get(conn.shard()).ok_or(Sent::Closed)?.gates.owned(conn, owner)
    }

    /// Asks the topic's home to make `conn` a member. The end of the connection ends that, also if it
    /// comes before the home has answered.
    ///
    /// # Errors
    /// [`Sent::Closed`], [`Sent::Denied`], or [`Sent::Again`] as for [`publish`](Self::publish).
    pub fn subscribe(
        &self,
        conn: ConnId,
        owner: u32,
        topic: &Arc<str>,
        how: Subscription,
    ) -> Result<(), Sent> {
        let uid = self.owned(conn, owner)?.uid();
        if self.is_congested() {
            return Err(Sent::Again);
        }
        let (topic, how) = (Arc::clone(topic), Box::new(how));
        let mail = TopicMail::Subscribe { conn, uid, topic: Arc::clone(&topic), how };
        self.home_of(&topic).mailbox.post(Mail::Topic(mail));
        match local(conn) {
            Some(local) => local.subscribing(conn, &topic),
            None => self.all[conn.shard()].mailbox.post(Mail::Subscribing(conn, topic)),
        }
        Ok(())
    }

    /// Asks the topic's home to end that.
    ///
    /// # Errors
    /// [`Sent::Closed`] or [`Sent::Denied`].
    pub fn unsubscribe(&self, conn: ConnId, owner: u32, topic: &Arc<str>) -> Result<(), Sent> {
        self.owned(conn, owner)?;
        self.leave(conn, topic);
        Ok(())
    }

    /// Ends a membership of a connection that may have gone.
    pub(crate) fn leave(&self, conn: ConnId, topic: &Arc<str>) {
        let mail = TopicMail::Unsubscribe { conn, topic: Arc::clone(topic) };
        self.home_of(topic).mailbox.post(Mail::Topic(mail));
    }

    /// Publishes to the members of `topic`, but not to `except`; `retain` keeps the message for
    /// those that come later.
    ///
    /// # Errors
    /// [`Sent::Again`]: some shard has so much mail that publishing must wait.
    pub fn publish(
        &self,
        topic: Arc<str>,
        message: Arc<Published>,
        retain: bool,
        except: Option<ConnId>,
        bound: Bound,
    ) -> Result<(), Sent> {
        if bound == Bound::Marks && self.is_congested() {
            return Err(Sent::Again);
        }
        let home = self.home_of(&topic);
        home.mailbox.post(Mail::Topic(TopicMail::Publish { topic, message, retain, except }));
        Ok(())
    }

    /// The shard that orders what happens to `topic`.
    fn home_of(&self, topic: &str) -> &Face {
        // FNV-1a: stable within a run is all that is asked.
        let hash = topic.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let index = usize::try_from(hash % self.all.len() as u64).unwrap_or(0);
        &self.all[index]
    }

    /// True if some shard has so much mail that publishing must wait.
    pub fn is_congested(&self) -> bool {
        self.all.iter().any(|face| face.mailbox.congested())
    }
}

/// The bytes of a message on their way out: borrowed from the caller, or shared.
#[derive(Debug)]
pub enum Payload<'a> {
    /// Copied only if the message must wait or change threads.
    Borrowed(&'a [u8]),
    /// Handed over.
    Shared(Bytes),
}

impl Payload<'_> {
    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// True if there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
            Self::Shared(bytes) => bytes,
        }
    }
}
