//! `switchboard connect --compression`: what it offers, what it makes of the answer, and that both
//! directions keep to it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output};

use switchboard_websocket::deflate::{Deflater, Engine};
use switchboard_websocket::handshake::deflate::Offer;
use switchboard_websocket::{Decoder, Event, Kind, Limits, Role};

use crate::support::{Host, Server, echo_conf, switching};

const DEFAULT: &str = "client_max_window_bits";
const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const TEXT: u8 = FIN | 0x01;
const DEFLATED: u8 = TEXT | RSV1;

fn connect(url: &str, options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.args(["connect", "--echo", url]).args(options);
    command.output().unwrap()
}

fn check(output: &Output, status: i32, stderr: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert!(said.contains(stderr), "{said}");
}

/// The server's side of a connection that compresses.
struct Peer {
    socket: TcpStream,
    decoder: Decoder,
    deflater: Deflater,
    engine: Engine,
}

impl Peer {
    /// Sends a text, compressed, and returns how long its frame was.
    fn send(&mut self, text: &str) -> usize {
        let (mut frame, payload) = (Vec::new(), text.as_bytes());
        self.deflater.write_message(&mut self.engine, &mut frame, Kind::Text, payload, None);
        self.socket.write_all(&frame).unwrap();
        frame.len()
    }

    /// The next frame must be this text; returns its first byte and its length.
    fn expect(&mut self, text: &str) -> (u8, usize) {
        let mut frame = vec![0; 2];
        self.socket.read_exact(&mut frame).unwrap();
        let extended = match frame[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        self.read(&mut frame, extended);
        let length = match extended {
            0 => usize::from(frame[1] & 0x7f),
            _ => frame[2..].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
        };
        self.read(&mut frame, 4 + length);
        let (first, length) = (frame[0], frame.len());
        let limits = Limits { message_bytes_max: 1 << 20, frame_bytes_max: 1 << 20 };
        let event = self.decoder.next(&limits, &mut frame, &mut 0).unwrap();
        assert_eq!(event, Some(Event::Message { kind: Kind::Text, payload: text.as_bytes() }));
        (first, length)
    }

    fn read(&mut self, frame: &mut Vec<u8>, count: usize) {
        let start = frame.len();
        frame.resize(start + count, 0);
        self.socket.read_exact(&mut frame[start..]).unwrap();
    }

    /// What the client echoes, once.
    fn echo(&mut self, text: &str) -> (u8, usize) {
        self.send(text);
        self.expect(text)
    }

    fn close(mut self) {
        self.socket.write_all(b"\x88\x02\x03\xe8").unwrap();
        let mut rest = Vec::new();
        self.socket.read_to_end(&mut rest).unwrap();
        assert_eq!(rest.len(), 8, "a Close frame: {rest:x?}");
    }
}

/// The client offers `parameters`, the server answers with `answer`, and `serve` speaks for it.
fn agreed(parameters: &'static str, answer: &'static str, more: &[&str], serve: fn(&mut Peer)) {
    let answer = if answer.is_empty() {
        "permessage-deflate".to_owned()
    } else {
        format!("permessage-deflate; {answer}")
    };
    let said = format!("compression: {answer}");
    let server = Server::raw(move |mut socket, head| {
        let offer: Offer = parameters.parse().unwrap();
        assert!(head.contains(&format!("\r\nSec-WebSocket-Extensions: {offer}\r\n")), "{head}");
        let agreed = offer.check([answer.as_bytes()]).unwrap().unwrap();
        let header = format!("Sec-WebSocket-Extensions: {answer}\r\n");
        socket.write_all(switching(head, &header).as_bytes()).unwrap();
        let mut peer = Peer {
            socket,
            decoder: Decoder::with_deflate(Role::Server, &agreed),
            deflater: Deflater::new(Role::Server, &agreed, 0),
            engine: Engine::default(),
        };
        serve(&mut peer);
        peer.close();
    });
    let option = match parameters {
        DEFAULT => "--compression".to_owned(),
        parameters => format!("--compression={parameters}"),
    };
    let output = connect(&format!("ws://{}/", server.addr()), &[&[&*option], more].concat());
    server.join();
    check(&output, 0, &said);
}

/// Letters without a pattern: they shrink as there are only eight, and more only where they are repeated.
fn letters(count: usize) -> String {
    let mut state = 1_u32;
    let letter = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'a' + (state >> 24) as u8 % 8)
    };
    (0..count).map(letter).collect()
}

#[test]
fn with_takeover_what_was_said_before_takes_little_room() {
    agreed(DEFAULT, "", &[], |peer| {
        let text = letters(1000);
        let (first, once) = peer.echo(&text);
        assert_eq!(first, DEFLATED);
        let (first, again) = peer.echo(&text);
        assert!(first == DEFLATED && again < 50 && once > 300, "{once} and then {again}");
    });
}

#[test]
fn without_takeover_each_message_stands_alone() {
    for (parameters, answer) in [
        (DEFAULT, "client_no_context_takeover"),
        // It keeps what it said of itself, whatever is answered.
        ("client_no_context_takeover", ""),
        ("client_no_context_takeover; server_no_context_takeover", "server_no_context_takeover"),
    ] {
        agreed(parameters, answer, &[], |peer| {
            let text = letters(1000);
            assert_eq!(peer.echo(&text), peer.echo(&text));
        });
    }
}

#[test]
fn the_client_reaches_back_no_further_than_its_window() {
    for (parameters, answer) in [
        (DEFAULT, "client_max_window_bits=9"),
        ("client_max_window_bits=9", "client_max_window_bits=9"),
        ("client_max_window_bits=9", ""),
        (
            "client_max_window_bits=10; server_max_window_bits=9",
            "client_max_window_bits=9; server_max_window_bits=9",
        ),
    ] {
        agreed(parameters, answer, &[], |peer| {
            // Repeated behind the end of the window, and within it.
            let (far, near) = (letters(700), letters(200));
            let (_, once) = peer.echo(&far);
            let (_, again) = peer.echo(&far);
            assert!(again + 20 > once, "{once} and then {again}");
            peer.echo(&near);
            let (_, again) = peer.echo(&near);
            assert!(again < 50, "{again}");
        });
    }
}

#[test]
fn the_server_may_use_what_was_agreed_on() {
    agreed("server_max_window_bits=15", "server_max_window_bits=15", &[], |peer| {
        let text = letters(30_000);
        let once = peer.send(&text);
        let again = peer.send(&text);
        assert!(again < once / 10, "{once} and then {again}");
        peer.expect(&text);
        peer.expect(&text);
    });
    agreed("server_no_context_takeover", "server_no_context_takeover", &[], |peer| {
        let text = letters(1000);
        assert_eq!(peer.send(&text), peer.send(&text));
        peer.expect(&text);
        peer.expect(&text);
    });
}

#[test]
fn what_is_shorter_than_the_threshold_is_sent_as_it_is() {
    agreed(DEFAULT, "", &[], |peer| {
        assert_eq!(peer.echo(&"a".repeat(63)).0, TEXT);
        assert_eq!(peer.echo(&"a".repeat(64)).0, DEFLATED);
    });
    agreed(DEFAULT, "", &["--compression-threshold", "1000"], |peer| {
        assert_eq!(peer.echo(&"a".repeat(999)).0, TEXT);
        assert_eq!(peer.echo(&"a".repeat(1000)).0, DEFLATED);
    });
}

#[test]
fn an_answer_that_does_not_fit_the_offer_is_a_wrong_handshake() {
    for (option, answer, reason) in [
        ("--compression", "permessage-deflate; x=1", "the unknown parameter \"x\""),
        ("--compression", "permessage-deflate; server_max_window_bits=16", "with the value \"16\""),
        ("--compression", "permessage-deflate; client_max_window_bits=7", "with the value \"7\""),
        ("--compression", "permessage-deflate; client_max_window_bits", "with the value \"\""),
        (
            "--compression",
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "the parameter server_no_context_takeover twice",
        ),
        ("--compression", "permessage-deflate, permessage-deflate", "permessage-deflate twice"),
        (
            "--compression",
            "permessage-deflate\r\nSec-WebSocket-Extensions: permessage-deflate",
            "permessage-deflate twice",
        ),
        ("--compression", "permessage-bzip2", "chose \"permessage-bzip2\", which was not offered"),
        ("--compression", "permessage-deflate;", "is no list of extensions"),
        (
            "--compression=client_no_context_takeover",
            "permessage-deflate; client_max_window_bits=10",
            "chose \"client_max_window_bits\", which was not offered",
        ),
        (
            "--compression=server_no_context_takeover",
            "permessage-deflate",
            "without its parameter server_no_context_takeover",
        ),
        (
            "--compression=server_max_window_bits=10",
            "permessage-deflate",
            "without its parameter server_max_window_bits",
        ),
        (
            "--compression=server_max_window_bits=10",
            "permessage-deflate; server_max_window_bits=11",
            "server_max_window_bits=11, which is more than the 10 offered",
        ),
        (
            "--compression=client_max_window_bits=10",
            "permessage-deflate; client_max_window_bits=11",
            "client_max_window_bits=11, which is more than the 10 offered",
        ),
        ("--json", "permessage-deflate", "which was not asked for"),
    ] {
        let server = Server::raw(move |mut socket, head| {
            let header = format!("Sec-WebSocket-Extensions: {answer}\r\n");
            socket.write_all(switching(head, &header).as_bytes()).unwrap();
            // Nothing is said on it any more.
            let mut rest = Vec::new();
            socket.read_to_end(&mut rest).unwrap();
            assert!(rest.is_empty(), "{rest:x?}");
        });
        let output = connect(&format!("ws://{}/", server.addr()), &[option]);
        server.join();
        let said = [output.stderr.clone(), output.stdout.clone()].concat();
        let said = String::from_utf8_lossy(&said).replace("\\\"", "\"");
        assert_eq!(output.status.code(), Some(76), "{answer}: {said}");
        assert!(said.contains(reason), "{answer}: {said}");
    }
}

#[test]
fn a_server_may_decline() {
    for headers in ["", "Sec-WebSocket-Extensions:\r\n"] {
        let server = Server::answer(headers, |mut socket| {
            socket.write_all(&[&[TEXT, 100], &[b'a'; 100][..]].concat()).unwrap();
            let mut frame = [0; 106];
            socket.read_exact(&mut frame).unwrap();
            assert_eq!(frame[..2], [TEXT, 0x80 | 100]);
            // Without an agreement RSV1 is a fault.
            socket.write_all(&[DEFLATED, 0]).unwrap();
            let mut close = [0; 8];
            socket.read_exact(&mut close).unwrap();
            assert_eq!(close[0], 0x88);
        });
        let output = connect(&format!("ws://{}/", server.addr()), &["--compression"]);
        server.join();
        check(&output, 1, "compression: declined");
        check(&output, 1, "broke the protocol");
    }
}

#[test]
fn the_host_and_its_client_agree() {
    for (mode, answer) in [
        ("shared", "permessage-deflate; server_no_context_takeover; client_no_context_takeover"),
        ("dedicated", "permessage-deflate; client_max_window_bits=12"),
        ("off", "declined"),
    ] {
        let host = Host::start(&echo_conf(&format!("compression {mode}\ncompression-threshold 0")));
        let mut command = Command::new("sh");
        let pipe = "for n in 1 2 3; do printf '%s %s %s\\n' \"$2\" \"$2\" \"$2\"; done | \
                    \"$0\" connect \"$1\" --expect 3 --compression --compression-threshold 0";
        let url = format!("ws://{}/echo", host.addr("main"));
        let text = letters(200);
        command.args(["-c", pipe, env!("CARGO_BIN_EXE_switchboard"), &url, &text]);
        let output = command.output().unwrap();
        check(&output, 0, &format!("compression: {answer}\n"));
        let expected = format!("{text} {text} {text}\n").repeat(3);
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{mode}");
    }
}

#[test]
fn what_cannot_be_offered_is_wrong_usage() {
    for (options, reason) in [
        (&["--compression=takeover"][..], "no parameter \"takeover\""),
        (&["--compression=server_max_window_bits=7"], "cannot have the value \"7\""),
        (&["--compression=server_max_window_bits"], "server_max_window_bits cannot have the value"),
        (
            &["--compression=client_no_context_takeover;client_no_context_takeover"],
            "is there twice",
        ),
        (&["--compression=;"], "divided by ';'"),
        (&["--compression-threshold", "9"], "--compression"),
    ] {
        check(&connect("ws://a/", options), 64, reason);
    }
}
