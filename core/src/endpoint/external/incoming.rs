//! What the program's frames do.

use std::sync::Weak;
use std::time::{Duration, Instant};

use switchboard_protocol::{
    Accept, Answer as Told, Close, CreditFrame, Data, ErrorCode, Frame, FrameError, FrameType,
    Grant, HEADER_BYTES, Hello, HelloOk, LinkState, LogLevel, ParseError, Reject, Reset, Side,
    StreamState, Take, UNCOUNTED, VERSION, Window, common_version, encode_frame,
};
use switchboard_websocket::{CloseCode, Kind, handshake};

use super::link::{Inner, Link, State};
use super::program::Event;
use super::stream::Stream;
use crate::endpoint::is_fit_for_response;
use crate::shard::{self, Answer, ConnId, Mail, Payload, Sent};

/// What the program may send before it gets credit back.
const STREAM_BYTES: u32 = 256 << 10;
const STREAM_MESSAGES: u32 = 256;
const LINK_BYTES: u32 = 16 << 20;
const STREAMS_MAX: u32 = 65_536;
/// Features that this host has.
const FEATURES: [&str; 1] = ["topics/1"];
/// PINGs without any frame in answer after which a link is dead.
const PINGS_MAX: u32 = 3;

/// What ends the link.
pub(super) struct Fault {
    pub(super) code: ErrorCode,
    pub(super) text: String,
}

impl From<FrameError> for Fault {
    fn from(error: FrameError) -> Self {
        Self { code: error.goaway_code(), text: error.to_string() }
    }
}

impl Link {
    /// Handles bytes that have come. On the link's shard only.
    pub(super) fn take_in(&self, bytes: &[u8]) -> Result<(), String> {
        let mut guard = self.lock();
        let State { phase, ready, draining, reader, inner } = &mut *guard;
        inner.last_heard = Instant::now();
        inner.pings = 0;
        reader.feed(bytes);
        let fault = loop {
            let handled = match reader.read() {
                Ok(Some(frame)) => self.handle(&frame, phase, ready, draining, inner),
                Ok(None) => break None,
                Err(error) => self.answer_fault(&error, inner),
            };
            if let Err(fault) = handled {
                break Some(fault);
            }
        };
        let Some(fault) = fault else { return Ok(()) };
        let text = format!("it broke the protocol: {}", fault.text);
        self.go_away(&mut guard, fault.code, &fault.text);
        drop(guard);
        tracing::error!("{}: {text}", self.about.prefix);
        Ok(())
    }

    fn answer_fault(&self, error: &ParseError, inner: &mut Inner) -> Result<(), Fault> {
        match error.answer() {
            Told::GoAway(code) => Err(Fault { code, text: error.to_string() }),
            Told::Reset(stream, code) => {
                if FrameType::new(error.header.kind).is_some_and(FrameType::costs_credit) {
                    self.count(error.header.frame_bytes(), inner)?;
                }
                inner.ids.check_dead(stream)?;
                self.reset_from_here(inner, stream, code, &error.to_string());
                Ok(())
            }
        }
    }

    fn handle(
        &self,
        frame: &Frame<'_>,
        phase: &mut LinkState,
        ready: &mut bool,
        draining: &mut bool,
        inner: &mut Inner,
    ) -> Result<(), Fault> {
        let Some(kind) = frame.kind() else { return Ok(()) };
        let (next, take) = phase.step(Side::Endpoint, kind)?;
        *phase = next;
        if take == Take::Ignore {
            return Ok(());
        }
        if let Some(feature) = kind.feature(Side::Endpoint)
            && !(feature == FEATURES[0] && inner.topics_agreed)
        {
            let text = format!("{} belongs to {feature}, which was not agreed", kind.name());
            return Err(Fault { code: ErrorCode::UNSUPPORTED, text });
        }
        match frame {
            Frame::Hello(hello) => {
                self.hello(hello, inner)?;
                *phase = phase.step(Side::Host, FrameType::HelloOk)?.0;
            }
            Frame::Ready(frame) => {
                *ready = frame.ready;
                // The supervisor has gone when the host stops.
                let _ = self.events.send(Event::Ready(self.number, frame.ready));
            }
            Frame::Ping(opaque) => encode_frame(&mut inner.out, &Frame::Pong(*opaque)),
            Frame::Drain(_) => *draining = true,
            Frame::GoAway(bye) => {
                tracing::warn!("{}: it goes away: {}", self.about.prefix, bye.text);
            }
            Frame::Log(line) => {
                let gap = if line.part.is_empty() { "" } else { " " };
                log(line.level, &format!("{}{gap}{}: {}", self.about.prefix, line.part, line.text));
            }
            Frame::Credit(credit) if credit.stream == 0 => {
                inner.window.add(credit.bytes, 0);
                self.unblock(inner);
            }
            Frame::Topic(topic) => inner.name_topic(topic)?,
            Frame::Publish(publish) => {
                self.count(HEADER_BYTES + 8 + publish.payload.len(), inner)?;
                self.publish(publish, inner)?;
            }
            _ if frame.stream() != 0 => self.handle_stream(frame, kind, inner)?,
            _ => {}
        }
        self.flush_soon();
        Ok(())
    }

    fn hello(&self, hello: &Hello<'_>, inner: &mut Inner) -> Result<(), Fault> {
        let theirs = (hello.version_min, hello.version_max);
        let Some(version) = common_version((VERSION, VERSION), theirs) else {
            let text = format!(
                "the program speaks versions {} to {} of the endpoint protocol, this host {VERSION}",
                theirs.0, theirs.1
            );
            return Err(Fault { code: ErrorCode::VERSION, text });
        };
        let marks = u32::try_from(self.about.owner.marks.soft).unwrap_or(STREAM_BYTES);
        let (stream_bytes, stream_messages, link_bytes) = if hello.uncounted {
            (UNCOUNTED, UNCOUNTED, UNCOUNTED)
        } else {
            (STREAM_BYTES.min(marks).max(1), STREAM_MESSAGES, LINK_BYTES)
        };
        inner.window = Window::link(hello.link_bytes);
        inner.grant = Grant::link(link_bytes);
        inner.stream_window = (hello.stream_bytes, hello.stream_messages);
        inner.stream_grant = (stream_bytes, stream_messages);
        inner.streams_max = hello.streams_max.min(STREAMS_MAX);
        inner.frame_bytes_max = hello.frame_bytes_max;
        inner.heartbeat_ms = hello.heartbeat_ms;
        inner.topics_agreed = hello.features.iter().any(|feature| feature == FEATURES[0]);
        let features: &[&str] = if inner.topics_agreed { &FEATURES } else { &[] };
        HelloOk {
            version,
            streams_max: inner.streams_max,
            message_bytes_max: u32::try_from(self.about.message_bytes_max).unwrap_or(u32::MAX),
            stream_bytes,
            stream_messages,
            link_bytes,
            heartbeat_ms: inner.heartbeat_ms,
            features: features.into(),
            endpoint: &self.about.prefix,
            generation: self.number.into(),
            name: "switchboard",
            host_version: env!("CARGO_PKG_VERSION"),
            ..HelloOk::simple()
        }
        .encode(&mut inner.out);
        let (name, of) = (hello.name, hello.version);
        tracing::info!("{}: connected with {name:?} {of}", self.about.prefix);
        Ok(())
    }

    /// Counts a frame against the link's window, and gives credit back: it is in its stream's queue.
    fn count(&self, frame_bytes: usize, inner: &mut Inner) -> Result<(), Fault> {
        inner.grant.received_frame(frame_bytes)?;
        if let Some((bytes, messages)) = inner.grant.done(frame_bytes, 0) {
            CreditFrame { stream: 0, bytes, messages }.encode(&mut inner.out);
        }
        Ok(())
    }

    fn handle_stream(
        &self,
        frame: &Frame<'_>,
        kind: FrameType,
        inner: &mut Inner,
    ) -> Result<(), Fault> {
        let stream = frame.stream();
        if let Frame::Data(data) = frame {
            self.count(HEADER_BYTES + data.payload.len(), inner)?;
        }
        let Inner { streams, ids, out, .. } = inner;
        let Some(row) = streams.get_mut(&stream) else { return Ok(ids.check_dead(stream)?) };
        let before = row.state;
        let step = row.state.step(Side::Endpoint, kind);
        let outcome = match step {
            Ok((_, Take::Ignore)) => return Ok(()),
            Ok((next, Take::Take)) => {
                row.state = next;
                self.handle_row(frame, row, out)
            }
            Err(error) => Err(error.into()),
        };
        let conn = row.conn;
        if let Err(Refused(code, text)) = outcome {
            row.state = before;
            self.reset_from_here(inner, stream, code, &text);
            return Ok(());
        }
        match frame {
            Frame::Closed { .. } => {
                streams.remove(&stream);
                self.post(conn, Mail::Farewell(conn));
            }
            Frame::Reject(reject) => {
                streams.remove(&stream);
                if before == StreamState::Opening {
                    self.reject(conn, reject);
                } else {
                    self.post(conn, Mail::Farewell(conn));
                }
            }
            Frame::Reset(reset) => {
                streams.remove(&stream);
                tracing::warn!("{}: it resets a stream: {}", self.about.prefix, reset.text);
                let too_big = reset.code == ErrorCode::TOO_BIG;
                let code = if too_big { CloseCode::TOO_BIG } else { CloseCode::INTERNAL };
                let status = if reset.code == ErrorCode::LIMIT { 503 } else { 502 };
                self.drop_client(conn, before, code, "", status);
            }
            Frame::Credit(_) => self.unblock(inner),
            Frame::Subscribe(subscribe) => self.subscribe(subscribe, inner)?,
            Frame::Unsubscribe { topic, .. } => self.unsubscribe(conn, stream, *topic, inner),
            Frame::Deliver { topic, .. } => {
                if let Some(name) = inner.topics.get(topic) {
                    self.post(conn, Mail::Deliveries(conn, name.clone()));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// What concerns one stream alone.
    fn handle_row(
        &self,
        frame: &Frame<'_>,
        row: &mut Stream,
        out: &mut Vec<u8>,
    ) -> Result<(), Refused> {
        let about = &self.about;
        match frame {
            Frame::Accept(accept) => {
                let answer = Answer::Accept(accepted(accept)?);
                // The client may have left; the host's CLOSE tells.
                let _ = about.shards.answer(row.conn, about.number, answer);
            }
            Frame::Data(data) => self.data(data, row, out)?,
            Frame::Credit(credit) => row.window.add(credit.bytes, credit.messages),
            Frame::Ack { upto, .. } if *upto > row.delivered => {
                let text = format!("ACK of message {upto}, of {} delivered", row.delivered);
                return Err(Refused(ErrorCode::PROTOCOL, text));
            }
            Frame::Close(Close { code, reason, .. }) => {
                let refused = || Refused(ErrorCode::PROTOCOL, format!("close code {code}"));
                let code = CloseCode::new(*code).ok_or_else(refused)?;
                // Sends go on until the host's CLOSE is answered, so the gate stays open.
                let mail = Mail::Close(row.conn, code, (*reason).to_owned());
                let _ = about.shards.post(row.conn, about.number, mail);
            }
            _ => {}
        }
        Ok(())
    }

    fn data(&self, data: &Data<'_>, row: &mut Stream, out: &mut Vec<u8>) -> Result<(), Refused> {
        row.grant.received(data.payload.len(), row.incoming.is_idle())?;
        let Some(whole) = row.incoming.push(data, self.about.message_bytes_max)? else {
            return Ok(());
        };
        let kind = if whole.text { Kind::Text } else { Kind::Binary };
        if whole.text && simdutf8::basic::from_utf8(&whole.payload).is_err() {
            return Err(Refused(ErrorCode::BAD_TEXT, "a text message is no UTF-8".into()));
        }
        let about = &self.about;
        let (len, payload) = (whole.payload.len(), Payload::Borrowed(&whole.payload));
        match about.shards.send(row.conn, &about.owner, kind, payload) {
            Sent::Pressure => {
                row.withheld.0 += len;
                row.withheld.1 += 1;
            }
            Sent::Again => {
                let mail = Mail::Close(row.conn, CloseCode::TRY_AGAIN_LATER, String::new());
                let _ = about.shards.post(row.conn, about.number, mail);
            }
            Sent::Taken | Sent::Closed | Sent::Denied => give_back(row, data.stream, len, 1, out),
        }
        Ok(())
    }

    fn reject(&self, conn: ConnId, reject: &Reject<'_>) {
        let fit =
            |pair: &switchboard_protocol::Pair<'_>| is_fit_for_response(pair.name, pair.value);
        let headers = reject
            .headers
            .iter()
            .filter(fit)
            .map(|pair| (pair.name.to_ascii_lowercase(), pair.value.to_vec()))
            .collect();
        let body = reject.body.to_vec();
        let reject = shard::Reject { status: reject.status, headers, body };
        let _ = self.about.shards.answer(conn, self.about.number, Answer::Reject(reject));
    }

    /// The program broke a rule on a stream: RESET.
    pub(super) fn reset_from_here(
        &self,
        inner: &mut Inner,
        stream: u32,
        code: ErrorCode,
        text: &str,
    ) {
        let Some(row) = inner.streams.remove(&stream) else { return };
        tracing::error!("{}: it broke the protocol on stream {stream}: {text}", self.about.prefix);
        Reset { stream, code, text }.encode(&mut inner.out);
        self.drop_client(row.conn, row.state, CloseCode::INTERNAL, "", 502);
        self.flush_soon();
    }

    /// The stream of a client has gone.
    fn drop_client(
        &self,
        conn: ConnId,
        state: StreamState,
        code: CloseCode,
        reason: &str,
        status: u16,
    ) {
        let about = &self.about;
        match state {
            StreamState::Opening => {
                let body = b"the program that answers here failed\n".to_vec();
                let reject = shard::Reject { status, headers: Vec::new(), body };
                let _ = about.shards.answer(conn, about.number, Answer::Reject(reject));
            }
            StreamState::Ending => self.post(conn, Mail::Farewell(conn)),
            _ => {
                let mail = Mail::Close(conn, code, reason.to_owned());
                let _ = about.shards.post(conn, about.number, mail);
            }
        }
    }

    /// The link has ended: its clients are closed with 1012, those not answered yet get 503.
    pub(super) fn give_up(&self) {
        let mut state = self.lock();
        state.phase = LinkState::Over;
        let streams = std::mem::take(&mut state.inner.streams);
        drop(state);
        for row in streams.into_values() {
            self.drop_client(row.conn, row.state, CloseCode::RESTART, "the program has ended", 503);
        }
    }
}

/// What ends one stream.
pub(super) struct Refused(pub(super) ErrorCode, pub(super) String);

impl From<FrameError> for Refused {
    fn from(error: FrameError) -> Self {
        Self(error.reset_code().unwrap_or(ErrorCode::PROTOCOL), error.to_string())
    }
}

/// Gives a stream's credit back, when enough has gathered.
pub(super) fn give_back(
    row: &mut Stream,
    stream: u32,
    bytes: usize,
    messages: u32,
    out: &mut Vec<u8>,
) {
    if row.state != StreamState::Ending
        && let Some((bytes, messages)) = row.grant.done(bytes, messages)
    {
        CreditFrame { stream, bytes, messages }.encode(out);
    }
}

fn accepted(accept: &Accept<'_>) -> Result<shard::Accept, Refused> {
    let subprotocol = accept.subprotocol;
    if !subprotocol.is_empty() && !handshake::is_token(subprotocol) {
        let text = format!("the subprotocol {subprotocol:?} is no token");
        return Err(Refused(ErrorCode::PROTOCOL, text));
    }
    let mut headers = Vec::new();
    for pair in accept.headers.iter() {
        if !is_fit_for_response(pair.name, pair.value) {
            let text = format!("the header {:?} is not an endpoint's to set", pair.name);
            return Err(Refused(ErrorCode::PROTOCOL, text));
        }
        headers.push((pair.name.to_ascii_lowercase(), pair.value.to_vec()));
    }
    let subprotocol = (!subprotocol.is_empty()).then(|| subprotocol.to_owned());
    Ok(shard::Accept { subprotocol, headers })
}

fn log(level: LogLevel, line: &str) {
    match level {
        LogLevel::ERROR => tracing::error!(target: "program", "{line}"),
        LogLevel::WARN => tracing::warn!(target: "program", "{line}"),
        LogLevel::DEBUG => tracing::debug!(target: "program", "{line}"),
        LogLevel::TRACE => tracing::trace!(target: "program", "{line}"),
        _ => tracing::info!(target: "program", "{line}"),
    }
}

/// Sends PINGs after silence, as long as the link lives. On the link's shard.
pub(super) async fn heartbeat(link: Weak<Link>) {
    // The program says in its HELLO what it wants; until then, and without, it is asked for anew.
    let mut every = Duration::from_secs(1);
    loop {
        tokio::time::sleep(every).await;
        let Some(link) = link.upgrade() else { return };
        let mut state = link.lock();
        if state.phase == LinkState::Over {
            return;
        }
        let inner = &mut state.inner;
        if inner.heartbeat_ms == 0 {
            continue;
        }
        every = Duration::from_millis(inner.heartbeat_ms.into());
        if inner.last_heard.elapsed() < every {
            continue;
        }
        if inner.pings >= PINGS_MAX {
            drop(state);
            let text = format!("it gave no sign of life for {every:?}, four times in a row");
            // Its own words first: SIGABRT leaves a core that can be looked at.
            let _ = link.events.send(Event::Dead(link.number));
            return link.lost(&text);
        }
        inner.pings += 1;
        let opaque = u64::from(inner.pings).to_le_bytes();
        encode_frame(&mut inner.out, &Frame::Ping(opaque));
        drop(state);
        link.flush_soon();
    }
}
