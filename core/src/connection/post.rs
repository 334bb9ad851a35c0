//! What other threads ask, and the traffic of topics.

use std::cell::{OnceCell, RefCell};
use std::sync::Arc;

use bytes::Bytes;
use switchboard_websocket::deflate::{Deflater, Engine, WindowBits};
use switchboard_websocket::{HEADER_BYTES_MAX, write_message};

use super::row::{Cause, Phase, Rare};
use super::sending::write_control;
use super::{OnArrival, Shard};
use crate::endpoint::Deliveries;
use crate::shard::{Bound, ConnId, Joined, Mail, Payload, Published, Sent, TopicMail};

impl Shard {
    /// Puts sends of other threads behind what waits, at most so many. Calls nobody back. What comes
    /// while it is done comes beside what the shard does, not before, and waits for the next time:
    /// threads that send faster than this would else keep the shard from writing anything.
    pub(super) fn take_sends(&self, most: usize) {
        let mut sends = self.sends.borrow_mut();
        let mailbox = &self.face.mailbox;
        if sends.as_slice().is_empty() {
            if !mailbox.has_sends() {
                return;
            }
            *sends = mailbox.take_sends().into_iter();
        }
        let mut rows = self.rows.borrow_mut();
        for send in sends.by_ref().take(most) {
            mailbox.unload(&send);
            self.face.gates.at(send.conn.slot()).unload(send.payload.len());
            let row = rows.get(send.conn).filter(|row| row.phase < Phase::Closing);
            let Some(row) = row else { continue };
            row.last_data = self.now();
            self.put_message(send.conn, row, send.kind, Payload::Shared(send.payload));
        }
    }

    /// Does that with all that other threads have sent to `conn` before now.
    pub(super) fn take_sends_to(&self, conn: ConnId) {
        if self.face.gates.at(conn.slot()).has_mail() {
            // What was taken out before, and what is in the box.
            self.take_sends(usize::MAX);
            self.take_sends(usize::MAX);
        }
    }

    /// True if other threads have sent something.
    pub(super) fn has_sends(&self) -> bool {
        !self.sends.borrow().as_slice().is_empty() || self.face.mailbox.has_sends()
    }

    /// Does what is asked for.
    pub(super) fn take_mail(&self, on_arrival: &OnArrival) {
        if !self.face.mailbox.has_mail() {
            return;
        }
        let mut mails = Vec::new();
        self.face.mailbox.take_mails(&mut mails);
        for mail in mails {
            match mail {
                Mail::Arrived(arrival) => on_arrival(arrival),
                Mail::Answer(conn, answer) => self.answered(conn, answer),
                Mail::Close(conn, code, reason) => {
                    self.take_sends_to(conn);
                    self.end(conn, Cause::Local { code, reason });
                }
                Mail::Ack(conn, seq) => self.acknowledge(conn, seq),
                Mail::Resume(conn) => self.wanted(conn),
                Mail::Farewell(conn) => self.take_leave(conn),
                Mail::Relayed(conn, close) => self.relay(conn, close),
                Mail::Control(conn, control, payload) => {
                    self.put(conn, |out| write_control(out, control, &payload));
                }
                Mail::Deliveries(conn, topic) => self.deliveries(conn, &topic),
                Mail::Run(task) => (task.0)(),
                Mail::WantsWritable(conn) => self.wants_writable(conn),
                Mail::Topic(mail) => self.at_home(mail),
                Mail::Subscribing(conn, topic) => self.note_subscribing(conn, &topic),
                Mail::Joined(joined) => self.joined(&joined),
                Mail::Parted { conn, topic } => self.parted(conn, topic),
                Mail::Deliver { topic, message, except } => {
                    self.deliver(topic, &message, except);
                }
                Mail::Stop => self.stop(),
            }
        }
    }

    fn at_home(&self, mail: TopicMail) {
        let shards = &self.shards;
        let mut post = |shard: usize, mail| shards.face(shard).mailbox.post(mail);
        self.home.borrow_mut().handle(mail, self.now(), &mut post);
    }

    /// The end of the connection takes back what it asks for.
    pub(super) fn note_subscribing(&self, conn: ConnId, topic: &Arc<str>) {
        let mut rows = self.rows.borrow_mut();
        let Some(row) = rows.get(conn).filter(|row| row.phase < Phase::Ending) else {
            drop(rows);
            return self.shards.leave(conn, topic);
        };
        let topics = &mut row.rare().topics;
        if !topics.iter().any(|(_, name)| name == topic) {
            topics.push((0, Arc::clone(topic)));
        }
    }

    /// What a subscription came to. Deliveries begin behind what the endpoint sends now.
    fn joined(&self, joined: &Joined) {
        let conn = joined.conn;
        let mut rows = self.rows.borrow_mut();
        let row = rows.get(conn).filter(|row| row.phase < Phase::Ending);
        let Some(row) = row else {
            drop(rows);
            if joined.outcome.is_ok() {
                self.shards.leave(conn, &joined.name);
            }
            return;
        };
        let topics = &mut row.rare().topics;
        match (joined.outcome, topics.iter_mut().find(|(_, name)| *name == joined.name)) {
            (Ok(number), Some(asked)) => asked.0 = number,
            (Ok(number), None) => topics.push((number, Arc::clone(&joined.name))),
            (Err(_), _) => topics.retain(|(number, name)| *number != 0 || *name != joined.name),
        }
        let (endpoint, session) = (Arc::clone(&row.endpoint), row.session);
        drop(rows);
        let mut deliveries = Deliveries::Now;
        if joined.outcome.is_err() || joined.snapshot.is_some() {
            deliveries = endpoint.binding.subscribed(conn, session, joined);
        }
        if let Ok(number) = joined.outcome {
            if deliveries == Deliveries::Later
                && let Some(row) = self.rows.borrow_mut().get(conn)
                && row.held(number).is_none()
            {
                row.hold(number);
            }
            self.subscribers.borrow_mut().add(number, conn);
        }
    }

    /// The endpoint has answered a snapshot: what was held leaves, and deliveries go on.
    fn deliveries(&self, conn: ConnId, topic: &str) {
        let mut rows = self.rows.borrow_mut();
        let Some(row) = rows.get(conn) else { return };
        let known =
            |rare: &Rare| rare.topics.iter().find(|(_, name)| **name == *topic).map(|t| t.0);
        let Some(number) = row.rare.as_deref().and_then(known) else { return };
        for frame in row.release(number) {
            self.put_shared(conn, row, &frame);
        }
        row.tidy();
        self.settle(conn, row);
    }

    fn parted(&self, conn: ConnId, topic: u64) {
        self.subscribers.borrow_mut().remove(topic, conn);
        if let Some(row) = self.rows.borrow_mut().get(conn) {
            row.rare().topics.retain(|(number, _)| *number != topic);
            row.release(topic);
            row.tidy();
            self.settle(conn, row);
        }
    }

    /// One message for every subscriber of this shard: the frame is made once.
    fn deliver(&self, topic: u64, message: &Published, except: Option<ConnId>) {
        let frames = Frames::new(message);
        let frame = &frames.plain;
        let mut slow = Vec::new();
        let subscribers = self.subscribers.borrow();
        let mut rows = self.rows.borrow_mut();
        for conn in subscribers.of(topic) {
            if Some(*conn) == except {
                continue;
            }
            let Some(row) = rows.get(*conn).filter(|row| row.phase < Phase::Closing) else {
                continue;
            };
            let waiting = row.backlog() + row.held(topic).map_or(0, |held| held.bytes);
            if row.endpoint.owner.judge(Bound::Marks, waiting, 0, frame.len()) == Sent::Again {
                slow.push(*conn);
                continue;
            }
            if let Some(held) = row.held(topic) {
                held.bytes += frame.len();
                held.frames.push(frame.clone());
                self.settle(*conn, row);
                continue;
            }
            let deflater = row.deflater.as_deref();
            let least = deflater.map_or(0, |deflater| deflater.message_bytes_min() as usize);
            match deflater.filter(|_| message.payload.len() >= least).map(Deflater::shares) {
                None => self.put_shared(*conn, row, frame),
                Some(Some(bits)) => {
                    let frame = frames.deflated(bits, &self.engine);
                    self.put_shared(*conn, row, frame);
                }
                Some(None) => self.put_own(*conn, row, message),
            }
        }
        drop(rows);
        drop(subscribers);
        for conn in slow {
            self.end(conn, Cause::Slow);
        }
    }

    fn stop(&self) {
        self.stopping.set(true);
        let conns = self.rows.borrow().conns(self.index);
        for conn in conns {
            self.end(conn, Cause::Shutdown);
        }
    }
}

/// One message of a topic, in the frames of all who get it.
struct Frames<'m> {
    message: &'m Published,
    plain: Bytes,
    /// By the window's bits, from 8. One that would not become shorter is the plain one.
    deflated: [OnceCell<Bytes>; 8],
}

impl<'m> Frames<'m> {
    fn new(message: &'m Published) -> Self {
        let mut plain = Vec::with_capacity(message.payload.len() + HEADER_BYTES_MAX);
        write_message(&mut plain, message.kind, &message.payload, None);
        Self { message, plain: plain.into(), deflated: Default::default() }
    }

    fn deflated(&self, bits: WindowBits, engine: &RefCell<Engine>) -> &Bytes {
        self.deflated[usize::from(bits.get() - WindowBits::MIN.get())].get_or_init(|| {
            let Published { kind, payload } = self.message;
            let frame = engine.borrow_mut().shared_frame(bits, *kind, payload);
            frame.map_or_else(|| self.plain.clone(), Bytes::from)
        })
    }
}
