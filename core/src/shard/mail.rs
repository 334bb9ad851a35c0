//! What one thread asks of a shard, and the box where it waits.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use switchboard_websocket::{CloseCode, Kind};

use super::ConnId;

/// One message for a client, made on a thread that is not its shard.
#[derive(Debug)]
pub struct SendMail {
    /// For whom.
    pub conn: ConnId,
    /// Text or binary.
    pub kind: Kind,
    /// Text is UTF-8.
    pub payload: Bytes,
}

/// Everything else.
#[derive(Debug)]
pub enum Mail {
    /// A socket that was accepted.
    Arrived(Arrival),
    /// The endpoint's answer to `open`.
    Answer(ConnId, Answer),
    /// The endpoint closes; code and reason are fit for the wire.
    Close(ConnId, CloseCode, String),
    /// The server behind the endpoint has closed: the client is told with these words, or with an
    /// empty Close frame. If the client has closed before, this is the farewell.
    Relayed(ConnId, Option<(CloseCode, String)>),
    /// The endpoint has processed every message up to this number.
    Ack(ConnId, u64),
    /// The endpoint can take messages again, after it said that it was full.
    Resume(ConnId),
    /// The endpoint has answered the end.
    Farewell(ConnId),
    /// The endpoint has answered the snapshot of this topic.
    Deliveries(ConnId, Arc<str>),
    /// A ping or pong that the endpoint passes on.
    Control(ConnId, Control, Bytes),
    /// Something to be done on the shard.
    Run(Task),
    /// Somebody was refused and waits for `writable`.
    WantsWritable(ConnId),
    /// For the topics whose home this shard is.
    Topic(TopicMail),
    /// A connection asks to be a member of a topic.
    Subscribing(ConnId, Arc<str>),
    /// From a topic's home: what a subscription came to.
    Joined(Box<Joined>),
    /// From a topic's home: the subscription is over.
    Parted {
        /// Whose.
        conn: ConnId,
        /// Of which topic.
        topic: u64,
    },
    /// From a topic's home: for every subscriber on this shard.
    Deliver {
        /// Of which topic.
        topic: u64,
        /// What.
        message: Arc<Published>,
        /// Who does not get it.
        except: Option<ConnId>,
    },
    /// The host stops: clients get 1001, the thread ends when they are gone.
    Stop,
}

/// Control frames that an endpoint may see and send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// RFC 6455, section 5.5.2.
    Ping,
    /// RFC 6455, section 5.5.3.
    Pong,
}

/// Something to be done on a shard's thread.
pub struct Task(pub Box<dyn FnOnce() + Send>);

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Task")
    }
}

/// A socket on its way from the acceptor to a shard.
#[derive(Debug)]
pub struct Arrival {
    /// Non-blocking.
    pub socket: OwnedFd,
    /// Index in `Settings::listeners`.
    pub listener: usize,
    /// The clock of its limits starts here.
    pub at: Instant,
    /// A Unix socket has none.
    pub peer: Option<std::net::SocketAddr>,
}

/// What an endpoint said to a client that wants in.
#[derive(Debug)]
pub enum Answer {
    /// 101.
    Accept(Accept),
    /// Another status.
    Reject(Reject),
}

/// How the endpoint accepts.
#[derive(Debug, Default)]
pub struct Accept {
    /// Its choice among those offered; empty if it is to be none. Without one the host's counts.
    pub subprotocol: Option<String>,
    /// More headers of the response.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// How the endpoint refuses.
#[derive(Debug)]
pub struct Reject {
    /// 400 to 599.
    pub status: u16,
    /// More headers of the response.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Text for a person.
    pub body: Vec<u8>,
}

/// A message of a topic.
#[derive(Debug, PartialEq, Eq)]
pub struct Published {
    /// Text or binary.
    pub kind: Kind,
    /// Text is UTF-8.
    pub payload: Bytes,
}

/// How a connection subscribes: `sb_subscribe` in `topics.h`.
#[derive(Debug, Default)]
pub struct Subscription {
    /// Unique in the topic if not empty.
    pub key: Bytes,
    /// The endpoint's words about the member.
    pub metadata: Bytes,
    /// Published when it joins.
    pub joined: Option<Arc<Published>>,
    /// Published when it has gone.
    pub left: Option<Arc<Published>>,
    /// Retained messages that the topic should keep.
    pub history_messages: usize,
    /// `subscribed` is wanted also when all is well.
    pub snapshot: bool,
}

/// What is asked of a topic's home.
#[derive(Debug)]
pub enum TopicMail {
    /// Make `conn` a member.
    Subscribe {
        /// Who.
        conn: ConnId,
        /// Its name for life.
        uid: u64,
        /// Of what.
        topic: Arc<str>,
        /// How.
        how: Box<Subscription>,
    },
    /// End it.
    Unsubscribe {
        /// Who.
        conn: ConnId,
        /// Of what.
        topic: Arc<str>,
    },
    /// Publish to all members.
    Publish {
        /// Where.
        topic: Arc<str>,
        /// What.
        message: Arc<Published>,
        /// Keep it in the history.
        retain: bool,
        /// Who does not get it.
        except: Option<ConnId>,
    },
}

/// What a subscription came to.
#[derive(Debug)]
pub struct Joined {
    /// Whose.
    pub conn: ConnId,
    /// The topic's name.
    pub name: Arc<str>,
    /// The key that was asked for.
    pub key: Bytes,
    /// The topic's number, or why it is no member.
    pub outcome: Result<u64, JoinRefused>,
    /// If it was asked for.
    pub snapshot: Option<Snapshot>,
}

/// Why a subscription was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinRefused {
    /// Another member has the key.
    KeyTaken,
    /// There are as many topics as the conf allows.
    TooManyTopics,
}

/// A topic at one instant.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Number of the last event.
    pub seq: u64,
    /// In the order of their joining.
    pub members: Vec<SnapshotMember>,
    /// Oldest first.
    pub history: Vec<SnapshotMessage>,
}

/// One member in a snapshot.
#[derive(Debug)]
pub struct SnapshotMember {
    /// Of the connection.
    pub uid: u64,
    /// May be empty.
    pub key: Bytes,
    /// May be empty.
    pub metadata: Bytes,
}

/// One retained message in a snapshot.
#[derive(Debug)]
pub struct SnapshotMessage {
    /// Its number in the topic.
    pub seq: u64,
    /// The message.
    pub message: Arc<Published>,
}

/// Where mail for a shard waits. Sends have a box of their own and are always taken out first:
/// taking them out calls nobody back, so a shard can do that before it sends something itself, also
/// in the middle of a callback. That is what keeps sends in order across threads.
pub struct Mailbox {
    sends: Mutex<Vec<SendMail>>,
    mails: Mutex<Vec<Mail>>,
    /// Length of `sends`. Raised before the lock is left, so a send that happened before is seen.
    sends_waiting: AtomicUsize,
    mails_waiting: AtomicUsize,
    /// Bytes of payload in both.
    bytes: AtomicUsize,
    waker: mio::Waker,
}

/// What a mail counts beside its payload.
const MAIL_BYTES: usize = 64;
/// Bytes in one mailbox from which on publishing must wait.
const CONGESTED_BYTES: usize = 64 << 20;

impl Mailbox {
    /// An empty one that wakes its shard by `waker`.
    pub(super) fn new(waker: mio::Waker) -> Self {
        Self {
            sends: Mutex::default(),
            mails: Mutex::default(),
            sends_waiting: AtomicUsize::new(0),
            mails_waiting: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            waker,
        }
    }

    /// Puts a send in and wakes the shard if it may sleep.
    pub(super) fn post_send(&self, send: SendMail) {
        self.bytes.fetch_add(MAIL_BYTES + send.payload.len(), Ordering::Relaxed);
        let mut sends = lock(&self.sends);
        sends.push(send);
        self.sends_waiting.store(sends.len(), Ordering::Release);
        let first = sends.len() == 1;
        drop(sends);
        if first {
            self.wake();
        }
    }

    /// Puts a mail in and wakes the shard if it may sleep.
    pub fn post(&self, mail: Mail) {
        self.bytes.fetch_add(mail.payload_bytes(), Ordering::Relaxed);
        let mut mails = lock(&self.mails);
        mails.push(mail);
        self.mails_waiting.store(mails.len(), Ordering::Release);
        let first = mails.len() == 1;
        drop(mails);
        if first {
            self.wake();
        }
    }

    /// True if sends wait.
    pub(crate) fn has_sends(&self) -> bool {
        self.sends_waiting.load(Ordering::Acquire) > 0
    }

    /// True if other mail waits.
    pub(crate) fn has_mail(&self) -> bool {
        self.mails_waiting.load(Ordering::Acquire) > 0
    }

    /// Takes out all sends. They count until each was [`unload`](Self::unload)ed.
    pub(crate) fn take_sends(&self) -> Vec<SendMail> {
        let mut sends = lock(&self.sends);
        self.sends_waiting.store(0, Ordering::Release);
        std::mem::take(&mut *sends)
    }

    /// This one has left the box and all behind it.
    pub(crate) fn unload(&self, send: &SendMail) {
        self.bytes.fetch_sub(MAIL_BYTES + send.payload.len(), Ordering::Relaxed);
    }

    /// Takes out all other mail, into an empty vector whose memory the box keeps in exchange.
    pub(crate) fn take_mails(&self, into: &mut Vec<Mail>) {
        let mut mails = lock(&self.mails);
        std::mem::swap(&mut *mails, into);
        self.mails_waiting.store(0, Ordering::Release);
        drop(mails);
        let bytes = into.iter().map(Mail::payload_bytes).sum();
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// True if so much waits that publishing must wait.
    pub(crate) fn congested(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > CONGESTED_BYTES
    }

    fn wake(&self) {
        // The only failure of an eventfd is a counter that is full, and then the shard is awake.
        let _ = self.waker.wake();
    }
}

impl Mail {
    /// Bytes that count against the limit of the box; each mail counts a little.
    fn payload_bytes(&self) -> usize {
        MAIL_BYTES
            + match self {
                Self::Deliver { message, .. } | Self::Topic(TopicMail::Publish { message, .. }) => {
                    message.payload.len()
                }
                Self::Topic(TopicMail::Subscribe { how, .. }) => how.metadata.len() + how.key.len(),
                _ => 0,
            }
    }
}

/// A box is plain data: a thread that panicked with the lock in hand has left it whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
