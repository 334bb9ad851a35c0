//! The recorded conversations keep every rule: order, states, fragments, credit.

use std::collections::{BTreeMap, BTreeSet};

use switchboard_protocol::{
    Assembly, Frame, FrameType, Grant, Limits, LinkState, Side, StreamIds, StreamState, Take,
    Window, parse,
};

use crate::describe::describe;
use crate::words::{Vector, vectors};

#[test]
fn a_life_that_the_client_ends() {
    let life = check("conversation-client-closes.txt");
    assert_eq!(life.messages(Side::Host), [8, 131_082, 0, 4]);
    assert_eq!(life.messages(Side::Endpoint), [7, 8, 131_082, 0, 4]);
}

#[test]
fn lives_that_the_endpoint_ends() {
    let life = check("conversation-endpoint-closes.txt");
    assert_eq!(life.messages(Side::Host), [4, 2]);
    assert_eq!(life.ignored, ["e ACCEPT", "e MCAST", "e CREDIT", "e CLOSE"]);
}

struct Direction {
    link: (Window, Grant),
    /// What each new stream begins with.
    stream: (u32, u32),
}

struct Stream {
    state: StreamState,
    assemblies: [Assembly; 2],
    windows: [(Window, Grant); 2],
}

struct Life {
    state: LinkState,
    ids: StreamIds,
    directions: [Option<Direction>; 2],
    streams: BTreeMap<u32, Stream>,
    agreed: BTreeSet<String>,
    messages: [Vec<usize>; 2],
    ignored: Vec<String>,
}

impl Life {
    fn messages(&self, side: Side) -> &[usize] {
        &self.messages[index(side)]
    }

    fn step(&mut self, vector: &Vector) {
        let (from, name) = (vector.side, &vector.name);
        let parsed = parse(&vector.bytes, &Limits::new(from));
        let Ok(Some((frame, len))) = parsed else { panic!("step {name}: {parsed:?}") };
        assert_eq!(
            (len, describe(&frame, &vector.bytes)),
            (vector.bytes.len(), vector.meaning.clone())
        );
        let kind = frame.kind().expect("no unknown frames");
        let (state, take) = self.state.step(from, kind).expect("a frame in its time");
        assert_eq!(take, Take::Take, "step {name}: nothing comes after GOAWAY");
        self.state = state;
        if let Some(feature) = kind.feature(from) {
            assert!(self.agreed.contains(feature), "step {name}: {feature} was not agreed");
        }
        if kind.costs_credit() {
            let (window, grant) = &mut self.direction(from).link;
            assert!(window.is_open(), "step {name}: no credit on the link");
            window.spend(len, 0);
            assert_eq!(grant.received_frame(len), Ok(()));
        }
        self.take(from, kind, &frame);
    }

    fn take(&mut self, from: Side, kind: FrameType, frame: &Frame<'_>) {
        match frame {
            Frame::Hello(hello) => {
                let stream = (hello.stream_bytes, hello.stream_messages);
                self.grant(Side::Host, stream, hello.link_bytes);
            }
            Frame::HelloOk(ok) => {
                let stream = (ok.stream_bytes, ok.stream_messages);
                self.grant(Side::Endpoint, stream, ok.link_bytes);
                self.agreed.extend(ok.features.iter().map(str::to_owned));
            }
            Frame::Open(open) => {
                self.ids.opened(open.stream).expect("a new number");
                let window = |side| {
                    let (bytes, messages) =
                        self.directions[index(side)].as_ref().expect("windows").stream;
                    (Window::new(bytes, messages), Grant::new(bytes, messages))
                };
                let windows = [window(Side::Host), window(Side::Endpoint)];
                let (state, assemblies) = (StreamState::Opening, <[Assembly; 2]>::default());
                self.streams.insert(open.stream, Stream { state, assemblies, windows });
            }
            Frame::Multicast(multicast) => {
                for stream in multicast.streams.iter() {
                    self.on_stream(from, kind, stream, frame);
                }
            }
            frame if frame.stream() != 0 => self.on_stream(from, kind, frame.stream(), frame),
            _ => {}
        }
    }

    fn on_stream(&mut self, from: Side, kind: FrameType, number: u32, frame: &Frame<'_>) {
        self.ids.check_dead(number).expect("a stream that was opened");
        let stream = self.streams.get_mut(&number).expect("a stream that was opened");
        let (state, take) = stream.state.step(from, kind).expect("a frame in its state");
        stream.state = state;
        if take == Take::Ignore {
            let side = if from == Side::Host { 'h' } else { 'e' };
            return self.ignored.push(format!("{side} {}", kind.name()));
        }
        match frame {
            Frame::Data(data) => {
                let (window, grant) = &mut stream.windows[index(from)];
                let assembly = &mut stream.assemblies[index(from)];
                let begins = assembly.is_idle();
                assert!(!begins || window.is_open(), "no credit on stream {number}");
                window.spend(data.payload.len(), begins.into());
                assert_eq!(grant.received(data.payload.len(), begins), Ok(()));
                if let Some(whole) = assembly.push(data, 1 << 20).expect("a fragment that fits") {
                    self.messages[index(from)].push(whole.payload.len());
                }
            }
            Frame::Credit(credit) => {
                let (window, grant) = &mut stream.windows[index(from.other())];
                window.add(credit.bytes, credit.messages);
                let due = grant.done(credit.bytes as usize, credit.messages);
                assert_eq!(due, Some((credit.bytes, credit.messages)));
                let (bytes, messages) =
                    self.directions[index(from.other())].as_ref().expect("windows").stream;
                assert_eq!(window, &Window::new(bytes, messages), "all is given back");
            }
            _ => {}
        }
    }

    fn grant(&mut self, to: Side, stream: (u32, u32), link: u32) {
        let link = (Window::link(link), Grant::link(link));
        self.directions[index(to)] = Some(Direction { link, stream });
    }

    fn direction(&mut self, from: Side) -> &mut Direction {
        self.directions[index(from)].as_mut().expect("HELLO comes first")
    }
}

fn check(file: &str) -> Life {
    let mut life = Life {
        state: LinkState::Fresh,
        ids: StreamIds::default(),
        directions: [None, None],
        streams: BTreeMap::new(),
        agreed: BTreeSet::new(),
        messages: [Vec::new(), Vec::new()],
        ignored: Vec::new(),
    };
    for vector in vectors(file) {
        life.step(&vector);
    }
    assert_eq!(life.state, LinkState::Over);
    assert!(life.streams.values().all(|stream| stream.state == StreamState::Gone));
    life
}

fn index(side: Side) -> usize {
    match side {
        Side::Host => 0,
        Side::Endpoint => 1,
    }
}
