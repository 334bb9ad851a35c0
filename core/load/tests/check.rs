//! Against servers that do wrong what a server can do wrong with a message: each has its name.

#![allow(clippy::unwrap_used)] // clippy.toml allows it in tests, but not in what they share

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use switchboard_load::{Faults, Finding, Goal, Kinds, Mode, Others, Plan, Report, run};
use switchboard_websocket::handshake::accept_key;
use switchboard_websocket::{
    CloseCode, Decoder, Event, Kind, Limits, Role, Url, write_close, write_message,
};

const CONNECTIONS: usize = 10;
const MESSAGES: u64 = 100;

/// What a server does with the 50th message of each connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    Drop,
    Double,
    Swap,
    FlipLast,
    FlipFirst,
    Shorten,
    OtherKind,
    /// The message of another connection comes in its place as well.
    Mix,
    Close(u16),
    Cut,
    Garbage,
    /// It never answers a Close.
    Silence,
    /// It stands still before it answers.
    Pause,
}

const PAUSE: Duration = Duration::from_millis(300);

fn serve(fault: Fault) -> Plan {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    // The first message of anybody, and whose it was.
    let first = Arc::new(Mutex::new((usize::MAX, Vec::new())));
    std::thread::spawn(move || {
        for (number, socket) in listener.incoming().enumerate() {
            let (socket, first) = (socket.unwrap(), Arc::clone(&first));
            // A client that goes away is no fault of the server.
            std::thread::spawn(move || drop(Connection { socket, fault, number, first }.serve()));
        }
    });
    let mut plan = Plan::new(Url::parse(&url).unwrap());
    plan.connections = CONNECTIONS;
    plan.threads = 2;
    plan.mode = Mode::Echo { depth: 8 };
    plan.goal = Goal::Messages(MESSAGES);
    plan.bytes = (16, 3000);
    plan.fragmented_percent = 30;
    plan
}

struct Connection {
    socket: TcpStream,
    fault: Fault,
    number: usize,
    first: Arc<Mutex<(usize, Vec<u8>)>>,
}

impl Connection {
    fn serve(mut self) -> std::io::Result<()> {
        shake_hands(&mut self.socket)?;
        let limits = Limits { message_bytes_max: 1 << 20, frame_bytes_max: 1 << 20 };
        let (mut decoder, mut seen, mut held) = (Decoder::new(Role::Server), 0, None);
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = self.socket.read(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            let (mut at, mut out) = (0, Vec::new());
            while let Some(event) = decoder.next(&limits, &mut buffer[..count], &mut at).unwrap() {
                match event {
                    Event::Message { kind, payload } => {
                        seen += 1;
                        self.answer(seen, kind, payload, &mut held, &mut out);
                    }
                    Event::Close(_) if self.fault == Fault::Silence => {}
                    Event::Close(_) => write_close(&mut out, Some((CloseCode::NORMAL, "")), None),
                    Event::Ping(_) | Event::Pong(_) => {}
                }
            }
            self.socket.write_all(&out)?;
            if self.fault == Fault::Cut && seen >= 50 {
                return Ok(());
            }
        }
    }

    fn answer(
        &self,
        seen: u32,
        kind: Kind,
        payload: &[u8],
        held: &mut Option<(Kind, Vec<u8>)>,
        out: &mut Vec<u8>,
    ) {
        let mut payload = payload.to_vec();
        let mut first = self.first.lock().unwrap();
        if first.0 == usize::MAX {
            *first = (self.number, payload.clone());
        }
        let fault = if seen == 50 { self.fault } else { Fault::None };
        match fault {
            Fault::Drop => return,
            Fault::Swap => return *held = Some((kind, payload)),
            Fault::Double => write_message(out, kind, &payload, None),
            Fault::Pause => std::thread::sleep(PAUSE),
            // No text becomes invalid by it.
            Fault::FlipLast => *payload.last_mut().unwrap() ^= 1,
            Fault::FlipFirst => payload[0] ^= 1,
            Fault::Shorten => drop(payload.pop()),
            Fault::Mix if first.0 != self.number => {
                write_message(out, Kind::Binary, &first.1, None);
            }
            Fault::Close(code) => {
                write_close(out, Some((CloseCode::new(code).unwrap(), "enough")), None);
            }
            Fault::Garbage => out.push(0xff),
            _ => {}
        }
        let kind = match (fault, kind) {
            (Fault::OtherKind, Kind::Text) => Kind::Binary,
            (_, kind) => kind,
        };
        write_message(out, kind, &payload, None);
        if let Some((kind, payload)) = held.take() {
            write_message(out, kind, &payload, None);
        }
    }
}

fn shake_hands(socket: &mut TcpStream) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let answer = format!(
        "HTTP/1.1 101 Ok\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        accept_key(key)
    );
    socket.write_all(answer.as_bytes())
}

fn counts(report: &Report) -> [u64; 5] {
    Finding::ALL.map(|finding| report.findings.count(finding))
}

/// Sends every message to all connections, and the 50th of each connection twice.
struct Broadcast {
    url: String,
    sockets: Arc<Mutex<Vec<TcpStream>>>,
}

impl Broadcast {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        let sockets = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&sockets);
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let (socket, all) = (socket.unwrap(), Arc::clone(&all));
                std::thread::spawn(move || drop(Self::serve(socket, &all)));
            }
        });
        Self { url, sockets }
    }

    fn serve(mut socket: TcpStream, all: &Mutex<Vec<TcpStream>>) -> std::io::Result<()> {
        shake_hands(&mut socket)?;
        all.lock().unwrap().push(socket.try_clone()?);
        let limits = Limits { message_bytes_max: 1 << 20, frame_bytes_max: 1 << 20 };
        let (mut decoder, mut seen) = (Decoder::new(Role::Server), 0);
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = socket.read(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            let mut at = 0;
            while let Some(event) = decoder.next(&limits, &mut buffer[..count], &mut at).unwrap() {
                let mut out = Vec::new();
                match event {
                    Event::Message { kind, payload } => {
                        seen += 1;
                        for _ in 0..1 + u32::from(seen == 50) {
                            write_message(&mut out, kind, payload, None);
                        }
                        // Who has left gets nothing.
                        all.lock().unwrap().retain_mut(|socket| socket.write_all(&out).is_ok());
                    }
                    Event::Close(_) => {
                        write_close(&mut out, Some((CloseCode::NORMAL, "")), None);
                        socket.write_all(&out)?;
                    }
                    Event::Ping(_) | Event::Pong(_) => {}
                }
            }
        }
    }
}

#[test]
fn who_only_receives_checks_what_another_run_sends() {
    let server = Broadcast::start();
    let mut plan = Plan::new(Url::parse(&server.url).unwrap());
    plan.mode = Mode::Receive;
    plan.connections = 3;
    // With the one that comes twice.
    plan.goal = Goal::Messages(101);
    let receivers = std::thread::spawn({
        let plan = plan.clone();
        move || run(&plan).unwrap()
    });
    while server.sockets.lock().unwrap().len() < 3 {
        std::thread::yield_now();
    }
    plan.mode = Mode::Echo { depth: 4 };
    plan.connections = 1;
    plan.goal = Goal::Messages(100);
    let sender = run(&plan).unwrap();
    assert_eq!(counts(&sender), [0, 1, 0, 0, 0], "{sender}");
    let receivers = receivers.join().unwrap();
    assert_eq!(receivers.received, 303, "{receivers}");
    assert_eq!(counts(&receivers), [0, 3, 0, 0, 0], "{receivers}");
}

#[test]
fn what_came_while_it_was_not_read_is_checked_with_the_senders_sizes() {
    let server = Broadcast::start();
    let mut plan = Plan::new(Url::parse(&server.url).unwrap());
    plan.mode = Mode::Stall;
    plan.connections = 3;
    plan.receive_buffer_bytes = Some(4096);
    plan.goal = Goal::Duration(Duration::from_secs(1));
    plan.others = vec![Others { senders: 7..8, bytes: (300, 300) }];
    let stalled = std::thread::spawn({
        let plan = plan.clone();
        move || run(&plan).unwrap()
    });
    while server.sockets.lock().unwrap().len() < 3 {
        std::thread::yield_now();
    }
    plan.mode = Mode::Echo { depth: 4 };
    plan.connections = 1;
    plan.first_sender = 7;
    plan.bytes = (300, 300);
    plan.others = Vec::new();
    plan.receive_buffer_bytes = None;
    plan.goal = Goal::Messages(100);
    let sender = run(&plan).unwrap();
    assert_eq!((sender.sent, sender.heard), (100, 0), "{sender}");
    let stalled = stalled.join().unwrap();
    // With the one that comes twice.
    assert_eq!((stalled.opened, stalled.heard), (3, 303), "{stalled}");
    assert_eq!(counts(&stalled), [0, 3, 0, 0, 0], "{stalled}");
}

#[test]
fn a_server_that_stands_still_does_not_hide_it_by_what_is_not_sent() {
    let mut plan = serve(Fault::Pause);
    plan.connections = 1;
    plan.mode = Mode::Echo { depth: 1 };
    plan.rate = Some(500.0);
    let report = run(&plan).unwrap();
    assert!(report.is_well(), "{report}");
    // Some 50 messages were due in the pause, of which one was sent.
    assert!(report.latency.quantile(0.8) > PAUSE / 4, "{report}");
    assert!(report.lag.max() > PAUSE / 2, "{report}");
    plan = serve(Fault::None);
    plan.rate = Some(500.0);
    plan.warm_up = Duration::from_secs(3600);
    let report = run(&plan).unwrap();
    assert_eq!((report.received, report.latency.count()), (1000, 0), "{report}");
}

/// What is found: lost, doubled, reordered, corrupt, mixed.
fn check(fault: Fault, expected: [u64; 5]) -> Report {
    let mut plan = serve(fault);
    plan.kinds = Kinds::Text;
    // Before the number ends there is no byte that could be wrong and leave the number right.
    plan.bytes.0 = 20;
    let report = run(&plan).unwrap();
    assert_eq!(counts(&report), expected, "{fault:?}: {report}");
    assert!(!report.is_well());
    assert_eq!(report.opened, CONNECTIONS as u64);
    assert!(report.failed.is_empty() && report.cut.is_empty(), "{fault:?}: {report}");
    report
}

#[test]
fn a_good_server_is_found_good() {
    let report = run(&serve(Fault::None)).unwrap();
    assert!(report.is_well(), "{report}");
    let all = CONNECTIONS as u64 * MESSAGES;
    assert_eq!((report.sent, report.received, report.latency.count()), (all, all, all));
    assert_eq!((report.opened, report.opening.count()), (10, 10));
    assert_eq!(report.bytes_sent, report.bytes_received);
    assert!(report.latency.quantile(0.5) <= report.latency.max());
}

#[test]
fn what_a_bad_server_does_has_a_name() {
    let report = check(Fault::Drop, [10, 0, 0, 0, 0]);
    let sample = &report.findings.samples()[0];
    assert!(
        sample.ends_with("1 messages of 0, the first is 49: lost") || sample.contains(": lost")
    );
    check(Fault::Double, [0, 10, 0, 0, 0]);
    check(Fault::Swap, [0, 0, 10, 0, 0]);
    check(Fault::FlipLast, [0, 0, 0, 10, 0]);
    check(Fault::Shorten, [0, 0, 0, 10, 0]);
    check(Fault::OtherKind, [0, 0, 0, 10, 0]);
    // Whose it was cannot be told any more.
    check(Fault::FlipFirst, [10, 0, 0, 10, 0]);
}

#[test]
fn a_message_of_somebody_else_is_found() {
    let mut plan = serve(Fault::Mix);
    plan.kinds = Kinds::Binary;
    let report = run(&plan).unwrap();
    let [lost, doubled, reordered, corrupt, mixed] = counts(&report);
    assert_eq!([lost, doubled, reordered, corrupt], [0; 4], "{report}");
    assert!(mixed > 0 && mixed <= 10, "{report}");
}

#[test]
fn an_end_that_was_not_agreed_on_is_told() {
    for (fault, expected) in [
        (Fault::Close(1011), "closed with 1011 enough"),
        (Fault::Cut, "ended without a close frame"),
        (Fault::Garbage, "broke the protocol: opcode 0xf is reserved"),
    ] {
        let report = run(&serve(fault)).unwrap();
        let told: u64 = report.cut.values().sum();
        assert_eq!(told, 10, "{fault:?}: {report}");
        // A reset may overtake the end.
        assert!(fault == Fault::Cut || report.cut.get(expected) == Some(&10), "{report}");
        assert!(report.findings.count(Finding::Lost) > 0 && !report.is_well(), "{report}");
    }
}

#[test]
fn a_server_that_falls_silent_is_not_waited_for_for_ever() {
    let mut plan = serve(Fault::Silence);
    plan.patience = Duration::from_millis(200);
    let report = run(&plan).unwrap();
    assert_eq!(report.cut.get("no answer to a close"), Some(&10), "{report}");
    assert!(report.findings.is_empty(), "{report}");
}

#[test]
fn nobody_there_is_told() {
    let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut plan = Plan::new(Url::parse(&format!("ws://{addr}/")).unwrap());
    plan.goal = Goal::Messages(1);
    plan.connections = 3;
    let report = run(&plan).unwrap();
    assert_eq!(report.failed.values().sum::<u64>(), 3, "{report}");
    assert!(!report.is_well());
}

#[test]
fn clients_that_misbehave_are_no_fault_of_the_server() {
    let mut plan = serve(Fault::None);
    plan.connections = 100;
    plan.bytes = (16, 200);
    plan.faults =
        Faults { abort_percent: 10, vanish_percent: 10, slow_percent: 10, churn_percent: 20 };
    let report = run(&plan).unwrap();
    assert!(report.is_well(), "{report}");
    assert!(report.opened > 150, "some come back: {report}");
}

#[test]
fn a_plan_that_makes_no_sense_is_refused() {
    let mut plan = Plan::new(Url::parse("ws://127.0.0.1:1/").unwrap());
    plan.faults = Faults { abort_percent: 60, slow_percent: 50, ..Faults::default() };
    assert!(run(&plan).is_err());
    plan.faults = Faults::default();
    plan.rate = Some(0.0);
    assert!(run(&plan).is_err());
    plan.rate = None;
    plan.connections = (1 << 24) + 1;
    assert!(run(&plan).is_err());
    plan.connections = 1;
    plan.first_sender = 1 << 24;
    assert!(run(&plan).is_err());
    plan.first_sender = 0;
    plan.mode = Mode::Stall;
    plan.goal = Goal::Messages(1);
    assert!(run(&plan).is_err());
}
