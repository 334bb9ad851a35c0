//! A frame in the words of the vectors.

use std::fmt::{Display, Write};

use switchboard_protocol::{
    Frame, HEADER_BYTES, Header, Item, Items, Member, Message, Pair, Retained,
};

pub(crate) struct Words(String);

impl Words {
    fn number(&mut self, key: &str, value: impl Into<u64>) {
        let value = value.into();
        if value != 0 {
            self.put(key, value);
        }
    }

    fn text(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.put(key, percent(value.as_bytes()));
        }
    }

    fn bytes(&mut self, key: &str, value: &[u8]) {
        if !value.is_empty() {
            self.put(key, hex(value));
        }
    }

    fn message(&mut self, key: &str, value: Option<Message<'_>>) {
        if let Some(message) = value {
            self.put(key, words_of(message));
        }
    }

    fn many<'a, T: Item<'a>>(&mut self, key: &str, items: Items<'a, T>, say: fn(T) -> String) {
        for item in items.iter() {
            self.put(key, say(item));
        }
    }

    fn pairs(&mut self, key: &str, pairs: Items<'_, Pair<'_>>) {
        let say =
            |pair: Pair<'_>| format!("{}:{}", percent(pair.name.as_bytes()), percent(pair.value));
        for pair in pairs.iter() {
            self.put(key, say(pair));
        }
    }

    fn put(&mut self, key: &str, value: impl Display) {
        write!(self.0, " {key}={value}").expect("a string takes everything");
    }
}

fn words_of(message: Message<'_>) -> String {
    format!("{}:{}", if message.text { "text" } else { "binary" }, hex(message.payload))
}

fn member(member: Member<'_>) -> String {
    format!("{}:{}:{}", member.conn_uid, hex(member.key), hex(member.metadata))
}

fn retained(retained: Retained<'_>) -> String {
    let kind = if retained.message.text { "text" } else { "binary" };
    let more = u8::from(retained.more);
    format!("{}:{kind}:{more}:{}", retained.seq, hex(retained.message.payload))
}

fn percent(bytes: &[u8]) -> String {
    let word = |byte: &u8| match byte {
        b'-' | b'.' | b'_' | b'~' | b'/' => char::from(*byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(*byte).to_string(),
        _ => format!("%{byte:02x}"),
    };
    bytes.iter().map(word).collect()
}

fn hex(bytes: &[u8]) -> String {
    match bytes {
        [first, rest @ ..] if rest.len() >= 64 && rest.iter().all(|byte| byte == first) => {
            format!("{first:02x}*{}", bytes.len())
        }
        _ => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// The meaning of a frame, which lies at the start of `bytes`.
pub(crate) fn describe(frame: &Frame<'_>, bytes: &[u8]) -> String {
    let header = Header::parse(bytes).expect("a frame has a header");
    assert!(header.frame_bytes() >= HEADER_BYTES);
    let mut words = Words(frame.kind().map_or("SKIPPED", |kind| kind.name()).to_owned());
    let w = &mut words;
    if frame.kind().is_some() {
        w.number("stream", frame.stream());
    }
    match *frame {
        Frame::Hello(hello) => {
            w.number("uncounted", hello.uncounted);
            w.number("version_min", hello.version_min);
            w.number("version_max", hello.version_max);
            w.number("frame_bytes_max", hello.frame_bytes_max);
            w.number("streams_max", hello.streams_max);
            w.number("stream_bytes", hello.stream_bytes);
            w.number("stream_messages", hello.stream_messages);
            w.number("link_bytes", hello.link_bytes);
            w.number("heartbeat_ms", hello.heartbeat_ms);
            w.number("lanes", hello.lanes);
            w.text("name", hello.name);
            w.text("version", hello.version);
            w.text("build", hello.build);
            w.many("feature", hello.features, |text| percent(text.as_bytes()));
            w.bytes("token", hello.token);
        }
        Frame::HelloOk(ok) => {
            w.number("version", ok.version);
            w.number("lanes", ok.lanes);
            w.number("frame_bytes_max", ok.frame_bytes_max);
            w.number("streams_max", ok.streams_max);
            w.number("message_bytes_max", ok.message_bytes_max);
            w.number("stream_bytes", ok.stream_bytes);
            w.number("stream_messages", ok.stream_messages);
            w.number("link_bytes", ok.link_bytes);
            w.number("heartbeat_ms", ok.heartbeat_ms);
            w.text("name", ok.name);
            w.text("version", ok.host_version);
            w.many("feature", ok.features, |text| percent(text.as_bytes()));
            w.text("endpoint", ok.endpoint);
            w.number("generation", ok.generation);
            w.pairs("setting", ok.settings);
        }
        Frame::Ready(ready) => {
            w.number("not_ready", !ready.ready);
            w.text("text", ready.text);
        }
        Frame::Ping(opaque) | Frame::Pong(opaque) => w.bytes("opaque", &opaque),
        Frame::Drain(drain) => {
            w.number("reason", drain.reason.0);
            w.number("deadline_ms", drain.deadline_ms);
            w.text("text", drain.text);
        }
        Frame::GoAway(goaway) => {
            w.number("code", goaway.code.0);
            w.number("last_stream", goaway.last_stream);
            w.text("text", goaway.text);
        }
        Frame::Log(log) => {
            w.number("level", log.level.0);
            w.text("part", log.part);
            w.text("text", log.text);
            w.pairs("field", log.fields);
        }
        Frame::Lane(lane) => w.number("lane", lane),
        Frame::Open(open) => {
            w.number("resumed", open.resumed.is_some());
            w.number("tls", open.tls);
            w.number("conn_uid", open.conn_uid);
            w.text("method", open.method);
            w.text("scheme", open.scheme);
            w.text("authority", open.authority);
            w.text("target", open.target);
            w.text("route", open.route);
            w.text("path", open.path);
            w.text("query", open.query);
            w.text("peer", open.peer);
            w.text("local", open.local);
            w.text("subprotocol", open.subprotocol);
            w.many("offered", open.offered, |text| percent(text.as_bytes()));
            w.pairs("header", open.headers);
            if let Some(resumed) = open.resumed {
                w.text("state_format", resumed.format);
                w.bytes("state", resumed.state);
                w.number("acked", resumed.acked);
                w.number("sent", resumed.sent);
            }
        }
        Frame::Accept(accept) => {
            w.text("subprotocol", accept.subprotocol);
            w.pairs("header", accept.headers);
        }
        Frame::Reject(reject) => {
            w.number("status", reject.status);
            w.pairs("header", reject.headers);
            w.text("body", reject.body);
        }
        Frame::Data(data) => {
            w.number("seq", data.seq);
            w.number("text", data.text);
            w.number("more", data.more);
            w.number("replay", data.replay);
            w.bytes("payload", data.payload);
        }
        Frame::Credit(credit) => {
            w.number("bytes", credit.bytes);
            w.number("messages", credit.messages);
        }
        Frame::Ack { upto, .. } => w.number("upto", upto),
        Frame::Close(close) => {
            w.number("code", close.code);
            w.number("why", close.why.0);
            w.text("reason", close.reason);
        }
        Frame::Closed { .. } | Frame::Unexport { .. } => {}
        Frame::Reset(reset) => {
            w.number("code", reset.code.0);
            w.text("text", reset.text);
        }
        Frame::State(state) => {
            w.number("final", state.last);
            w.number("acked", state.acked);
            w.text("state_format", state.format);
            w.bytes("state", state.state);
        }
        Frame::Export { deadline_ms, .. } => w.number("deadline_ms", deadline_ms),
        Frame::Multicast(multicast) => {
            w.number("text", multicast.text);
            w.number("more", multicast.more);
            let to: Vec<_> = multicast.streams.iter().map(|stream| stream.to_string()).collect();
            if !to.is_empty() {
                w.put("to", to.join(","));
            }
            w.bytes("payload", multicast.payload);
        }
        Frame::Handoff(handoff) => {
            w.number("conn_uid", handoff.conn_uid);
            w.text("subprotocol", handoff.subprotocol);
            w.text("extensions", handoff.extensions);
            w.bytes("unread", handoff.unread);
        }
        Frame::Topic(topic) => {
            w.number("topic", topic.topic);
            w.text("name", topic.name);
        }
        Frame::Subscribe(subscribe) => {
            w.number("snapshot", subscribe.snapshot);
            w.number("topic", subscribe.topic);
            w.number("history_messages", subscribe.history_messages);
            w.bytes("key", subscribe.key);
            w.bytes("metadata", subscribe.metadata);
            w.message("joined", subscribe.joined);
            w.message("left", subscribe.left);
        }
        Frame::Unsubscribe { topic, .. } | Frame::Deliver { topic, .. } => w.number("topic", topic),
        Frame::Publish(publish) => {
            w.number("text", publish.text);
            w.number("more", publish.more);
            w.number("retain", publish.retain);
            w.number("topic", publish.topic);
            w.number("except", publish.except);
            w.bytes("payload", publish.payload);
        }
        Frame::Subscribed(subscribed) => {
            w.number("more", subscribed.more);
            w.number("status", subscribed.status.0);
            w.number("topic", subscribed.topic);
            w.number("seq", subscribed.seq);
            w.bytes("key", subscribed.key);
            w.many("member", subscribed.members, member);
            w.many("retained", subscribed.history, retained);
        }
        Frame::Skipped(header) => w.number("type", header.kind),
        ref other => panic!("no words for {other:?}"),
    }
    words.0
}
