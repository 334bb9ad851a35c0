//! Echo of compressed messages: what they cost, and what is left of them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use switchboard_websocket::deflate::{Agreed, Deflater, Engine};
use switchboard_websocket::{Decoder, Event, Kind, Limits, Role, write_message};

use crate::figures::{Figures, Row, Sample};
use crate::plan::Plan;
use crate::server::Program;
use crate::{Outcome, dial};

const CONNECTIONS: usize = 50;
const SIZES: [usize; 2] = [150, 4096];
const MASK: Option<[u8; 4]> = Some([0x37, 0xfa, 0x21, 0x3d]);
const LIMITS: Limits = Limits { message_bytes_max: 1 << 20, frame_bytes_max: 1 << 20 };
/// Turns before the measurement, in which windows fill.
const WARM_UP: u64 = 100;

pub(crate) fn measure(plan: &Plan, round: usize, figures: &mut Figures) -> Outcome<()> {
    for bytes in SIZES {
        let title = |what| format!("JSON messages of {bytes} B, {what}");
        let cost = Row {
            title: title("echo"),
            unit: "µs of CPU a message",
            base: Some("off"),
            reach: None,
            digits: 2,
        };
        let rest = Row {
            title: title("sent compressed"),
            unit: "% of its bytes",
            base: None,
            reach: None,
            digits: 1,
        };
        for (name, target) in [("off", "/echo"), ("shared", "/shared"), ("dedicated", "/dedicated")]
        {
            let server = Program::host().start()?;
            let open = |_| Client::open(server.address, target);
            let mut clients = (0..CONNECTIONS).map(open).collect::<Outcome<Vec<_>>>()?;
            let mut engine = Engine::default();
            let mut turn = |number: u64| -> Outcome<usize> {
                let texts = |at: usize| text(number * CONNECTIONS as u64 + at as u64, bytes);
                for (at, client) in clients.iter_mut().enumerate() {
                    client.say(&mut engine, &texts(at))?;
                }
                let mut came = 0;
                for (at, client) in clients.iter_mut().enumerate() {
                    came += client.hear(&mut engine, &texts(at))?;
                }
                Ok(came)
            };
            for number in 0..WARM_UP {
                turn(number)?;
            }
            let (before, begun) = (server.time()?, Instant::now());
            let (mut turns, mut came) = (0, 0);
            while begun.elapsed() < plan.window {
                came += turn(WARM_UP + turns)?;
                turns += 1;
            }
            let (time, elapsed) = (server.time()? - before, begun.elapsed());
            let messages = turns as f64 * CONNECTIONS as f64;
            let figure = time.cpu.as_secs_f64() * 1e6 / messages;
            figures.add(&cost, name, Sample::new(round, figure, time, elapsed));
            let left = came as f64 * 100.0 / (messages * bytes as f64);
            figures.add(&rest, name, Sample::new(round, left, time, elapsed));
        }
    }
    Ok(())
}

struct Client {
    socket: TcpStream,
    deflater: Option<Deflater>,
    decoder: Decoder,
    bytes: Vec<u8>,
}

impl Client {
    fn open(address: std::net::SocketAddr, target: &str) -> Outcome<Self> {
        let (socket, agreed) = dial::open_deflate(address, target)?;
        let deflater = |agreed: &Agreed| Deflater::new(Role::Client, agreed, 0);
        let decoder = |agreed: &Agreed| Decoder::with_deflate(Role::Client, agreed);
        Ok(Self {
            socket,
            deflater: agreed.as_ref().map(deflater),
            decoder: agreed.as_ref().map_or_else(|| Decoder::new(Role::Client), decoder),
            bytes: Vec::new(),
        })
    }

    fn say(&mut self, engine: &mut Engine, text: &str) -> Outcome<()> {
        self.bytes.clear();
        let (out, text) = (&mut self.bytes, text.as_bytes());
        match &mut self.deflater {
            Some(deflater) => deflater.write_message(engine, out, Kind::Text, text, MASK),
            None => write_message(out, Kind::Text, text, MASK),
        }
        Ok(self.socket.write_all(&self.bytes)?)
    }

    /// How many bytes came for it, frames and all.
    fn hear(&mut self, engine: &mut Engine, text: &str) -> Outcome<usize> {
        self.bytes.resize(16 << 10, 0);
        let mut came = 0;
        loop {
            let count = self.socket.read(&mut self.bytes)?;
            if count == 0 {
                return Err("the host closed a connection".into());
            }
            came += count;
            let (input, mut at) = (&mut self.bytes[..count], 0);
            match self.decoder.next_in(engine, &LIMITS, input, &mut at)? {
                None => {}
                Some(Event::Message { payload, .. }) if payload == text.as_bytes() => {
                    return Ok(came);
                }
                Some(_) => return Err("the echo is another message".into()),
            }
        }
    }
}

/// JSON as services send it: names that come again, numbers that do not.
fn text(number: u64, bytes: usize) -> String {
    let mut random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    let mut text = String::from("[");
    while text.len() < bytes {
        let symbol = ["ACME", "BOLT", "CRUX", "DYNE", "ERGO", "FLUX"][next(6) as usize];
        let (price, size, time) = (next(1_000_000), next(500), 1_700_000_000_000 + number);
        text += &format!(
            r#"{{"type":"trade","symbol":"{symbol}","price":{}.{:02},"size":{size},"time":{time}}},"#,
            price / 100,
            price % 100
        );
    }
    text.truncate(bytes);
    text
}
