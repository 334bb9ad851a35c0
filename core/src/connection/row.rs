//! What a shard keeps of one connection. It holds no buffer while the connection is idle.

use std::sync::Arc;

use bytes::Bytes;
use switchboard_websocket::deflate::{Agreed, Deflater};
use switchboard_websocket::{CloseCode, Decoder, ProtocolError, Role};
use tokio::sync::oneshot;

use super::reading::ENDING_BYTES_MAX;
use super::waiting::Waiting;
use crate::endpoint::{Closed, Endpoint, Session, Why};
use crate::shard::{Answer, Budget, ConnId};
use crate::stream::{NEVER, Tick, Transport};

/// One connection. What a delivery of a topic asks for stands first, in 64 bytes: of thousands of
/// subscribers none is in the processor's cache.
#[repr(C)]
pub(super) struct Row {
    pub(super) phase: Phase,
    /// A flush is on the work list.
    pub(super) dirty: bool,
    /// Reading waits: the endpoint or the client cannot keep up.
    pub(super) paused: bool,
    /// The endpoint takes no message until it says so.
    pub(super) full: bool,
    /// The endpoint has been told of the end.
    pub(super) told: bool,
    /// It is on the list of those that the next turn reads.
    pub(super) again: bool,
    /// Deliveries wait in `rare` until the endpoint has answered a snapshot.
    pub(super) holds: bool,
    pub(super) endpoint: Arc<Endpoint>,
    /// None until the handshake has been written.
    pub(super) transport: Option<Transport>,
    /// What could not leave at once.
    pub(super) waiting: Option<Box<Waiting>>,
    /// If the two sides have agreed on compression.
    pub(super) deflater: Option<Box<Deflater>>,
    pub(super) rare: Option<Box<Rare>>,
    /// When a message came or went last.
    pub(super) last_data: Tick,
    /// When the client sent something last.
    pub(super) last_read: Tick,
    pub(super) session: Session,
    pub(super) decoder: Decoder,
    /// Messages handed to the endpoint.
    pub(super) seq: u64,
    /// When a ping left that has no answer yet, or `NEVER`.
    pub(super) ping_sent: Tick,
    /// When the wheel looks at it next, or `NEVER`.
    pub(super) alarm: Tick,
    /// In the phases of the end: when it is over. Else `NEVER`.
    pub(super) deadline: Tick,
    /// What it holds, as its endpoint's budget knows it.
    pub(super) counted: usize,
    /// The connection's name for life.
    pub(super) uid: u64,
}

const _: () = assert!(std::mem::offset_of!(Row, last_data) < 64);

/// The life of a connection, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// The endpoint has been asked.
    Opening,
    /// It has accepted; the socket is still in the hands of HTTP.
    Accepted,
    /// Messages go both ways.
    Open,
    /// The end is known; the endpoint has still to answer what came before, and then to be told.
    Ending,
    /// The endpoint knows; the Close frame leaves, the client's is awaited.
    Closing,
    /// Nothing more is sent; the client's end of the stream is awaited.
    Lingering,
}

/// What few connections have, or all for a short time.
#[derive(Default)]
pub(super) struct Rare {
    /// Where the endpoint's answer goes.
    pub(super) answer: Option<oneshot::Sender<Answer>>,
    /// Input that was read before reading was paused.
    pub(super) input: Vec<u8>,
    /// Deliveries that wait until the endpoint has answered a snapshot.
    pub(super) held: Vec<Held>,
    /// Topics of which it is a member, or asks to be one (number 0): number and name.
    pub(super) topics: Vec<(u64, Arc<str>)>,
    /// Every message up to this one was acknowledged, of those that were deferred.
    pub(super) acked: u64,
    /// The last message that was deferred.
    pub(super) deferred: u64,
    /// The client has ended its stream, which was not read to its end, and the endpoint has taken
    /// nothing since.
    pub(super) left: Option<Tick>,
    /// Why it ends.
    pub(super) end: Option<End>,
}

/// Deliveries of one topic, in their order.
#[derive(Default)]
pub(super) struct Held {
    /// The topic's number.
    pub(super) topic: u64,
    pub(super) frames: Vec<Bytes>,
    /// Invariant: the sum of the frames' lengths.
    pub(super) bytes: usize,
}

/// Why a connection ends, and what is known of the peer.
#[derive(Debug)]
pub(super) struct End {
    pub(super) cause: Cause,
    /// The peer has gone: nothing can be sent.
    pub(super) gone: bool,
    /// The peer's Close has come, or can no more be read.
    pub(super) heard: bool,
    /// The peer has ended its side of the stream; it may still read.
    pub(super) eof: bool,
    /// The endpoint has answered `open`, and the answer is on its way: it says whether the endpoint
    /// is told of the end.
    pub(super) answer_due: bool,
}

/// What ended a connection.
#[derive(Debug, Clone)]
pub(super) enum Cause {
    /// The peer's Close.
    PeerClose { code: Option<CloseCode>, reason: String },
    /// The stream ended or broke without one.
    Gone,
    /// The peer broke a rule.
    Protocol(ProtocolError),
    /// The endpoint closed.
    Local { code: CloseCode, reason: String },
    /// The server behind the endpoint closed.
    Relayed(Option<(CloseCode, String)>),
    /// No message for too long.
    Idle,
    /// No answer to a ping.
    Silent,
    /// The client did not read.
    Slow,
    /// It ended its stream, and the endpoint did not take what it had said before.
    Left,
    /// It left a message unfinished while memory was short.
    Unfinished,
    /// The host stops.
    Shutdown,
    /// The endpoint failed.
    Fault,
    /// The endpoint did not answer `open` in time.
    Unanswered,
}

impl Cause {
    /// What the peer is told. RFC 6455, section 7.4.1. `None`: an empty Close, as the peer's was.
    pub(super) fn close(&self) -> Option<(CloseCode, &str)> {
        match self {
            Self::PeerClose { code, .. } => code.map(|code| (code, "")),
            Self::Local { code, reason } => Some((*code, reason)),
            Self::Relayed(close) => close.as_ref().map(|(code, reason)| (*code, reason.as_str())),
            Self::Protocol(error) => Some((error.close_code(), "")),
            Self::Idle => Some((CloseCode::GOING_AWAY, "idle for too long")),
            Self::Silent => Some((CloseCode::GOING_AWAY, "no answer to a ping")),
            Self::Slow => Some((CloseCode::TRY_AGAIN_LATER, "reads too slowly")),
            Self::Left => Some((CloseCode::TRY_AGAIN_LATER, "the endpoint takes nothing")),
            Self::Unfinished => Some((CloseCode::TRY_AGAIN_LATER, "memory is short")),
            Self::Shutdown => Some((CloseCode::GOING_AWAY, "the host stops")),
            Self::Fault => Some((CloseCode::INTERNAL, "")),
            Self::Gone | Self::Unanswered => None,
        }
    }

    /// What the endpoint is told.
    pub(super) fn closed(&self) -> Closed<'_> {
        let why = match self {
            Self::PeerClose { .. } | Self::Gone | Self::Left => Why::Client,
            Self::Protocol(_) | Self::Unfinished | Self::Unanswered => Why::Error,
            Self::Local { .. } | Self::Relayed(_) => Why::Local,
            Self::Idle | Self::Silent => Why::Idle,
            Self::Slow => Why::Slow,
            Self::Shutdown => Why::Shutdown,
            Self::Fault => Why::Fault,
        };
        let (code, reason) = match self {
            Self::PeerClose { code, reason } => {
                (code.map_or(1005, CloseCode::get), reason.as_str())
            }
            Self::Gone | Self::Left | Self::Unanswered => (1006, ""),
            Self::Relayed(None) => (1005, ""),
            cause => cause.close().map_or((1006, ""), |(code, reason)| (code.get(), reason)),
        };
        Closed { why, code, reason }
    }

    /// True if the endpoint first answers what came before.
    pub(super) fn waits_for_acks(&self) -> bool {
        !matches!(self, Self::Local { .. } | Self::Relayed(_) | Self::Fault | Self::Unanswered)
    }
}

/// Deferred messages that one connection may have before reading waits.
const DEFERRED_MAX: u64 = 64;

impl Row {
    pub(super) fn new(
        endpoint: Arc<Endpoint>,
        uid: u64,
        agreed: Option<&Agreed>,
        answer: oneshot::Sender<Answer>,
    ) -> Self {
        let least = endpoint.settings.compression.message_bytes_min;
        let least = u32::try_from(least).unwrap_or(u32::MAX);
        let deflater = agreed.map(|agreed| Box::new(Deflater::new(Role::Server, agreed, least)));
        let decoder = match agreed {
            Some(agreed) => Decoder::with_deflate(Role::Server, agreed),
            None => Decoder::new(Role::Server),
        };
        let rare = Rare { answer: Some(answer), ..Rare::default() };
        Self {
            endpoint,
            session: Session::default(),
            uid,
            phase: Phase::Opening,
            dirty: false,
            paused: false,
            full: false,
            told: false,
            again: false,
            holds: false,
            transport: None,
            decoder,
            deflater,
            waiting: None,
            rare: Some(Box::new(rare)),
            seq: 0,
            counted: 0,
            last_read: 0,
            last_data: 0,
            ping_sent: NEVER,
            alarm: NEVER,
            deadline: NEVER,
        }
    }

    /// A budget has become short, by what this one holds last.
    pub(super) fn warn_short(&self, budget: &Budget) {
        let prefix = &self.endpoint.settings.mount.prefix;
        let whose = if budget.is_of_host() { "all clients" } else { "its clients" };
        let (used, most) = (budget.used(), budget.most().unwrap_or_default());
        tracing::warn!("{prefix}: max-memory: {whose} hold {used} bytes of {most}");
    }

    /// Reading goes on, which was left for the next turn: what was read then, and not worked off.
    pub(super) fn go_on(&mut self) -> Vec<u8> {
        self.again = false;
        match &mut self.rare {
            Some(rare) if !self.paused => std::mem::take(&mut rare.input),
            _ => Vec::new(),
        }
    }

    /// Bytes that wait in its own queue.
    pub(super) fn backlog(&self) -> usize {
        self.waiting.as_ref().map_or(0, |waiting| waiting.len())
    }

    /// Deliveries of `topic` that wait for the endpoint, if they do.
    pub(super) fn held(&mut self, topic: u64) -> Option<&mut Held> {
        if !self.holds {
            return None;
        }
        self.rare.as_mut()?.held.iter_mut().find(|held| held.topic == topic)
    }

    /// Deliveries of `topic` wait for the endpoint from now on.
    pub(super) fn hold(&mut self, topic: u64) {
        self.holds = true;
        self.rare().held.push(Held { topic, ..Held::default() });
    }

    /// They do so no longer: takes them out.
    pub(super) fn release(&mut self, topic: u64) -> Vec<Bytes> {
        let Some(rare) = self.rare.as_mut() else { return Vec::new() };
        let place = rare.held.iter().position(|held| held.topic == topic);
        let frames = place.map(|place| rare.held.swap_remove(place).frames);
        self.holds = !rare.held.is_empty();
        frames.unwrap_or_default()
    }

    /// All that it holds: what waits for the client, and what the client has not finished to say.
    pub(super) fn held_bytes(&self) -> usize {
        let rare =
            |rare: &Rare| rare.input.len() + rare.held.iter().map(|held| held.bytes).sum::<usize>();
        let rare = self.rare.as_deref().map_or(0, rare);
        self.backlog() + self.decoder.buffered_bytes() + rare
    }

    /// Where frames wait, made if need be.
    pub(super) fn waiting(&mut self, now: Tick) -> &mut Waiting {
        self.waiting.get_or_insert_with(|| Box::new(Waiting::new(now)))
    }

    pub(super) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// The first message that the endpoint keeps, if any: how many are behind it.
    pub(super) fn unacknowledged(&self) -> u64 {
        match &self.rare {
            Some(rare) if rare.acked < rare.deferred => self.seq - rare.acked,
            _ => 0,
        }
    }

    /// True if no further message should be handed to the endpoint for now.
    pub(super) fn must_pause(&self) -> bool {
        // Most have neither a queue nor anything rare.
        if self.waiting.is_none() && self.rare.is_none() {
            return self.full;
        }
        self.full
            || self.backlog() > self.endpoint.owner.marks.soft
            || self.unacknowledged() >= DEFERRED_MAX
    }

    /// True if it may go on after a pause.
    pub(super) fn may_resume(&self) -> bool {
        !self.full
            && self.backlog() <= self.endpoint.owner.marks.soft / 2
            && self.unacknowledged() < DEFERRED_MAX
    }

    /// Drops what a client that ends has begun to say, if it is long.
    pub(super) fn forget_input(&mut self) {
        if self.phase >= Phase::Ending && self.decoder.buffered_bytes() > ENDING_BYTES_MAX {
            self.decoder.close();
            if let Some(end) = &mut self.rare().end {
                end.heard = true;
            }
        }
    }

    /// Gives back what is no longer needed.
    pub(super) fn tidy(&mut self) {
        if self.waiting.as_ref().is_some_and(|waiting| waiting.is_empty()) {
            self.waiting = None;
        }
        let bare = |rare: &Rare| {
            rare.answer.is_none()
                && rare.input.is_empty()
                && rare.topics.is_empty()
                && rare.held.is_empty()
                && rare.acked >= rare.deferred
                && rare.left.is_none()
                && rare.end.is_none()
        };
        if self.rare.as_ref().is_some_and(|rare| bare(rare)) {
            self.rare = None;
        }
    }
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let prefix = &self.endpoint.settings.mount.prefix;
        write!(f, "connection {} of {prefix} ({:?})", self.uid, self.phase)
    }
}

/// A handle and what the log calls it.
pub(super) fn name(conn: ConnId, row: &Row) -> String {
    format!("{conn} {row:?}")
}
