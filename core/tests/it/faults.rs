//! Plugins that fail, hesitate or break the rules: what the client sees, what the log says, and that
//! nobody else notices.

use std::time::{Duration, Instant};

use crate::fixtures::{compile, conf, install_probe, probe_host};
use crate::support::{Client, Event, Handshake, Home, Host, Ws, frame};

fn probe(host: &Host) -> Ws {
    Client::ws(&host.addr("main"), "/probe")
}

fn ask(ws: &mut Ws, command: &str) -> String {
    ws.text(command);
    match ws.next() {
        Event::Text(answer) => answer,
        other => panic!("{command}: {other:?}"),
    }
}

/// The connection works.
fn lives(ws: &mut Ws) {
    assert_eq!(ask(ws, "echo hello"), "hello");
}

#[test]
fn a_panic_ends_its_connection_and_nothing_else() {
    let home = Home::new();
    install_probe(&home, "probe");
    let section = |prefix: &str| format!("<websocket {prefix}>\n<plugin probe/>\n</websocket>\n");
    let host = Host::start_in(home, &conf(&(section("/probe") + &section("/other"))));
    let mut others = [probe(&host), probe(&host), Client::ws(&host.addr("main"), "/other")];
    let mut ws = probe(&host);
    lives(&mut ws);
    ws.text("panic the sky falls");
    ws.expect_close(1011);
    ws.close(1011, "");
    ws.expect_eof();
    assert_eq!(ask(&mut others[0], "await dropped 1"), "opened 3 closed 0 dropped 1");
    others.iter_mut().for_each(lives);
    lives(&mut probe(&host));

    // The last line of what happened: the others stand before it.
    host.wait_for_log(" of /probe (Open): closed with 1011");
    let log = host.log();
    let line = log.lines().find(|line| line.contains("the sky falls"));
    let line = line.expect("the log tells the panic");
    for part in [
        "ERROR",
        "/probe org.switchboard.test.probe: connection ",
        ": panic in message: the sky falls, at core/tests/plugins/probe/src/lib.rs:",
    ] {
        assert!(line.contains(part), "{line}\nlacks {part}");
    }
    let name = line.split("connection ").nth(1).and_then(|rest| rest.split(':').next()).unwrap();
    let ends = format!("connection {name} of /probe (Open): closed with 1011");
    assert!(log.contains(&ends), "{log}");
}

#[test]
fn a_panic_in_open_is_503() {
    let host = probe_host("", "");
    let mut other = probe(&host);
    let response = Client::connect(&host.addr("main")).upgrade("/probe/panic", &[]);
    assert_eq!(response.status, 503, "{response:?}");
    host.wait_for_log("panic in open: as the path says, at ");
    assert_eq!(ask(&mut other, "stats"), "opened 1 closed 0 dropped 0");
}

#[test]
fn a_panic_in_closed_harms_nobody() {
    let host = probe_host("", "");
    let mut other = probe(&host);
    let mut ws = probe(&host);
    ws.text("panic-in closed");
    ws.close(1000, "");
    ws.expect_close(1000);
    ws.expect_eof();
    assert_eq!(ask(&mut other, "await dropped 1"), "opened 2 closed 1 dropped 1");
    host.wait_for_log("panic in closed: in closed, as told, at ");
}

#[test]
fn a_panic_in_writable_closes_with_1011() {
    let host = probe_host("", "");
    let mut other = probe(&host);
    let mut ws = probe(&host);
    ws.text("panic-in writable");
    assert!(matches!(ws.next(), Event::Binary(bytes) if bytes.len() == 1 << 20));
    ws.expect_close(1011);
    ws.close(1011, "");
    ws.expect_eof();
    assert_eq!(ask(&mut other, "await dropped 1"), "opened 2 closed 0 dropped 1");
    host.wait_for_log("panic in writable: in writable, as told, at ");
}

#[test]
fn a_panic_in_subscribed_closes_with_1011() {
    let host = probe_host("", "");
    let mut ws = probe(&host);
    ws.text("panic-in subscribed");
    ws.text("subscribe news");
    ws.expect_close(1011);
    host.wait_for_log("panic in subscribed: in subscribed, as told, at ");
    lives(&mut probe(&host));
}

#[test]
fn an_error_closes_with_1011_and_is_logged() {
    let host = probe_host("", "");
    let mut ws = Client::ws(&host.addr("main"), "/probe?unlucky");
    ws.text("fail no luck today");
    ws.expect_close(1011);
    host.wait_for_log(": message failed: no luck today");
    assert_eq!(ask(&mut probe(&host), "ended unlucky"), "Fault 1011");
}

#[test]
fn a_late_accept_lets_the_client_in() {
    let host = probe_host("", "");
    let mut other = probe(&host);
    std::thread::scope(|scope| {
        let late = scope.spawn(|| Client::ws(&host.addr("main"), "/probe/late/key"));
        assert_eq!(ask(&mut other, "answer key accept"), "done");
        lives(&mut late.join().unwrap());
    });
    assert_eq!(ask(&mut other, "await dropped 1"), "opened 2 closed 1 dropped 1");
    // A second answer is one too many, also to somebody who lives.
    let response = std::thread::scope(|scope| {
        let addr = host.addr("main");
        let late = scope.spawn(move || Client::connect(&addr).upgrade("/probe/late/second", &[]));
        assert_eq!(ask(&mut other, "answer second accept"), "done");
        late.join().unwrap()
    });
    assert_eq!((response.status, response.header("x-late")), (101, Some("yes")));
}

#[test]
fn a_rejection_passes_status_headers_and_body() {
    let host = probe_host("", "");
    let mut other = probe(&host);
    let mut early = Client::connect(&host.addr("main"));
    let mut late = Client::connect(&host.addr("main"));
    early.send_raw(&Handshake::new("/probe/reject").bytes());
    late.send_raw(&Handshake::new("/probe/late/key").bytes());
    assert_eq!(ask(&mut other, "answer key reject"), "done");
    for mut client in [early, late] {
        let response = client.response();
        assert_eq!(response.status, 418);
        assert_eq!(response.header("x-why"), Some("tea"));
        assert_eq!(response.text(), "I am a teapot.\n");
        // HTTP goes on.
        assert_eq!(client.get("/nowhere").status, 404);
    }
    assert_eq!(ask(&mut other, "stats"), "opened 2 closed 0 dropped 1");
    assert_eq!(ask(&mut other, "answer key accept"), "the connection has ended");
}

#[test]
fn a_client_that_is_never_answered_gets_503_in_time() {
    let host = probe_host("", "<limits>\nhandshake-timeout 1s\n</limits>");
    let begin = Instant::now();
    let mut client = Client::connect(&host.addr("main"));
    let response = client.upgrade("/probe/late/key?forgotten", &[]);
    let waited = begin.elapsed();
    assert_eq!(response.status, 503, "{response:?}");
    assert!((900..5000).contains(&waited.as_millis()), "{waited:?}");
    let mut other = probe(&host);
    assert_eq!(ask(&mut other, "ended forgotten"), "Error 1006");
    assert_eq!(ask(&mut other, "await dropped 1"), "opened 2 closed 1 dropped 1");
    assert_eq!(ask(&mut other, "answer key accept"), "the connection has ended");
}

#[test]
fn a_client_that_leaves_before_a_late_accept_has_ended() {
    let host = probe_host("", "");
    let mut other = probe(&host);
    for round in 1..=20 {
        let mut client = Client::connect(&host.addr("main"));
        client.send_raw(&Handshake::new(&format!("/probe/late/{round}?gone")).bytes());
        assert_eq!(ask(&mut other, &format!("await late {round}")), "it waits");
        drop(client);
        let stats = format!("opened {} closed {round} dropped {round}", round + 1);
        assert_eq!(ask(&mut other, &format!("await dropped {round}")), stats);
        assert_eq!(ask(&mut other, "ended gone"), "Client 1006");
        assert_eq!(ask(&mut other, &format!("answer {round} accept")), "the connection has ended");
    }
}

#[test]
fn deferred_messages_are_answered_before_the_end() {
    const MESSAGES: usize = 200;
    let host = probe_host("", "");
    let mut ws = Client::ws(&host.addr("main"), "/probe?patient");
    let mut texts: Vec<_> = (1..MESSAGES).map(|number| format!("defer {number}")).collect();
    texts.push("defer the last".to_owned());
    let mut bytes: Vec<u8> = texts.iter().flat_map(|text| frame(0x81, text.as_bytes())).collect();
    bytes.extend(frame(0x88, &1000_u16.to_be_bytes()));
    ws.raw(&bytes);
    for text in &texts {
        ws.expect_text(text);
    }
    ws.expect_close(1000);
    ws.expect_eof();
    assert_eq!(ask(&mut probe(&host), "ended patient"), "Client 1000");
}

#[test]
fn a_message_that_is_never_acknowledged_delays_the_close_so_long() {
    let host = probe_host("<limits>\nclose-timeout 1s\n</limits>", "");
    let mut ws = Client::ws(&host.addr("main"), "/probe?kept");
    lives(&mut ws);
    ws.text("keep");
    let begin = Instant::now();
    ws.close(1000, "");
    ws.expect_close(1000);
    let waited = begin.elapsed();
    assert!((900..5000).contains(&waited.as_millis()), "{waited:?}");
    assert_eq!(ask(&mut probe(&host), "ended kept"), "Client 1000");
}

#[test]
fn messages_behind_one_that_is_kept_are_bounded() {
    let host = probe_host("", "");
    let (mut ws, mut other) = (probe(&host), probe(&host));
    ws.raw(&[frame(0x81, b"keep"), frame(0x81, b"count").repeat(200)].concat());
    // With the one that is kept they are 64.
    for count in 1..64 {
        ws.expect_text(&count.to_string());
    }
    assert_eq!(ask(&mut other, "count"), "64", "the client was read on");
}

#[test]
fn a_client_that_leaves_while_nothing_is_acknowledged_is_missed() {
    // Reading waits for an acknowledgement that never comes, and so does the end of the stream.
    let host = probe_host("<limits>\nslow-timeout 1s\nclose-timeout 1s\n</limits>", "");
    let mut other = probe(&host);
    for (name, reset) in [("left", false), ("reset", true)] {
        let mut ws = Client::ws(&host.addr("main"), &format!("/probe?{name}"));
        lives(&mut ws);
        ws.raw(&frame(0x81, b"keep").repeat(100));
        ws.ping(b"behind");
        if reset {
            ws.client().reset_at_end();
        } else {
            // It may still read, and hears why nobody answers.
            ws.client().finish();
            assert_eq!(ws.expect_close(1013), "the endpoint takes nothing");
        }
        drop(ws);
        assert_eq!(ask(&mut other, &format!("ended {name}")), "Client 1006");
    }
}

#[test]
fn a_message_behind_a_close_of_the_plugin_changes_nothing() {
    let host = probe_host("", "");
    for round in 0..20 {
        let mut ws = Client::ws(&host.addr("main"), &format!("/probe?{round}"));
        let texts = ["echo before", "close 4001 enough", "count", "echo behind", "fail behind"];
        let bytes: Vec<u8> = texts.iter().flat_map(|text| frame(0x81, text.as_bytes())).collect();
        ws.raw(&bytes);
        ws.expect_text("before");
        assert_eq!(ws.expect_close(4001), "enough");
        let end = ask(&mut probe(&host), &format!("ended {round}"));
        assert_eq!(end, "Local 4001 enough");
    }
    assert_eq!(ask(&mut probe(&host), "count"), "1", "messages were delivered behind the close");
}

/// What a client does, and what the plugin is told of its end.
type End = (&'static str, fn(&mut Ws), &'static str);

#[test]
fn the_end_is_told_with_its_cause() {
    let ends: [End; 9] = [
        ("word", |ws| ws.close(3001, "bye"), "Client 3001 bye"),
        ("silent", |ws| ws.raw(&frame(0x88, b"")), "Client 1005"),
        ("gone", |ws| ws.client().finish(), "Client 1006"),
        ("half", |ws| ws.raw(&frame(0x81, b"half of this")[..9]), "Client 1006"),
        ("bad", |ws| ws.raw(&frame(0xc1, b"x")), "Error 1002"),
        ("long", |ws| ws.binary(&vec![0; (1 << 20) + 1]), "Error 1009"),
        ("not-text", |ws| ws.raw(&frame(0x81, b"\xff")), "Error 1007"),
        ("local", |ws| ws.text("close 4000 that is all"), "Local 4000 that is all"),
        ("fault", |ws| ws.text("fail"), "Fault 1011"),
    ];
    let host = probe_host("", "");
    let mut other = probe(&host);
    for (name, end, expected) in ends {
        let mut ws = Client::ws(&host.addr("main"), &format!("/probe?{name}"));
        end(&mut ws);
        if name == "half" {
            drop(ws);
        }
        assert_eq!(ask(&mut other, &format!("ended {name}")), expected, "{name}");
    }
}

fn ledger_host(limits: &str) -> Host {
    let home = Home::new();
    compile(&home, "ledger");
    install_probe(&home, "probe");
    let sections = "<websocket /ledger>\n<plugin ledger/>\n</websocket>\n\
                    <websocket /probe>\n<plugin probe/>\n</websocket>";
    Host::start_in(home, &conf(&format!("{limits}\n{sections}")))
}

/// The numbers of `books: taken N rejected N closed N twice N`.
fn books(host: &Host) -> [u64; 4] {
    host.wait_for_log("books: ");
    let log = host.log();
    let line = log.lines().find_map(|line| line.split_once("books: ")).unwrap().1;
    let numbers: Vec<_> = line.split(' ').skip(1).step_by(2).map(|n| n.parse().unwrap()).collect();
    numbers.try_into().unwrap()
}

/// Begins a connection and ends it in one of many ways. What is returned is to live on for a while.
fn one_of_many(addr: &str, way: usize) -> Option<Client> {
    let ledger = || Client::ws(addr, "/ledger");
    let request = |path: &str| {
        let mut client = Client::connect(addr);
        client.send_raw(&Handshake::new(path).bytes());
        client
    };
    let with = |text: &str| {
        let mut ws = ledger();
        ws.text(text);
        while !matches!(ws.next(), Event::Close(_)) {}
    };
    match way {
        0 => {
            let mut ws = ledger();
            ws.text("hello");
            ws.close(1000, "");
            while ws.next() != Event::End {}
        }
        // Without a word, and in the middle of a frame.
        1 => drop(ledger()),
        2 => ledger().raw(&frame(0x82, &[0; 1000])[..500]),
        3 => ledger().raw(&frame(0xf2, b"x")),
        4 => with("close"),
        5 => with("thread closes"),
        6 => with("fault"),
        7 => with("panic"),
        // Deferred for ever, and gone.
        8 => ledger().text("deferred"),
        9 => {
            let mut ws = ledger();
            ws.text("deferred");
            ws.close(1000, "");
        }
        10 => drop(request("/ledger")),
        11 => drop(request("/ledger/late")),
        12 => drop(request("/ledger/late-reject")),
        13 => assert_eq!(request("/ledger/reject").response().status, 403),
        14 => assert_eq!(request("/ledger/late-reject").response().status, 403),
        15 => assert_eq!(request("/ledger/fail").response().status, 503),
        16 => return Some(request("/ledger/never")),
        17 => {
            let mut ws = Client::ws(addr, "/probe");
            ws.text("panic as one of many");
            ws.expect_close(1011);
        }
        // Both sides close at once.
        18 => {
            let mut ws = ledger();
            ws.raw(&[frame(0x81, b"close"), frame(0x88, &1000_u16.to_be_bytes())].concat());
        }
        _ => drop(request("/ledger/never")),
    }
    None
}

#[test]
fn each_open_that_was_taken_has_one_end() {
    const CONNECTIONS: usize = 500;
    const WAYS: usize = 20;
    let limits = "<limits>\nhandshake-timeout 1s\nclose-timeout 1s\n</limits>";
    let mut host = ledger_host(limits);
    let addr = host.addr("main");
    let mut asking = Client::ws(&addr, "/ledger");
    let begin = Instant::now();
    let waiting: Vec<_> =
        (0..CONNECTIONS).filter_map(|number| one_of_many(&addr, number % WAYS)).collect();
    for mut client in waiting {
        assert_eq!(client.response().status, 503);
    }
    asking.text("wait until the others have ended");
    asking.expect_text("alone");
    println!("{CONNECTIONS} ends in {:?}", begin.elapsed());
    let panicked = CONNECTIONS / WAYS;
    assert_eq!(
        ask(&mut probe(&host), &format!("await dropped {panicked}")),
        format!("opened {} closed 0 dropped {panicked}", panicked + 1)
    );

    // The rest ends with the host, which is in the middle of all sorts of things.
    let mut rest: Vec<_> = (0..20).map(|_| Client::ws(&addr, "/ledger")).collect();
    for ws in &mut rest[..5] {
        ws.text("deferred");
    }
    let mut asked: Vec<_> = (0..5).map(|_| Client::connect(&addr)).collect();
    for client in &mut asked {
        client.send_raw(&Handshake::new("/ledger/never").bytes());
    }
    // It is behind those requests on its shard only; that is enough for some of them.
    lives_in_ledger(&mut rest[7]);
    assert!(host.stop().success());
    let [taken, rejected, closed, twice] = books(&host);
    assert_eq!((twice, taken), (0, rejected + closed), "of {taken}, {rejected} were rejected");
    // Those that left at once may not have been noticed at all.
    let (least_rejected, least_taken) = (2 * CONNECTIONS / WAYS, 14 * CONNECTIONS / WAYS + 21);
    assert!(rejected >= least_rejected as u64 && taken >= least_taken as u64, "{taken} taken");
}

fn lives_in_ledger(ws: &mut Ws) {
    ws.text("hello");
    ws.expect_text("hello");
}

#[test]
fn a_client_that_leaves_while_it_is_rejected_has_no_end() {
    let mut host = ledger_host("");
    let addr = host.addr("main");
    let mut asking = Client::ws(&addr, "/ledger");
    for round in 0..1500 {
        let mut client = Client::connect(&addr);
        client.send_raw(&Handshake::new("/ledger/late-reject").bytes());
        // At various moments of the thread that rejects.
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_micros(round % 300) {
            std::hint::spin_loop();
        }
    }
    asking.text("wait until the others have ended");
    asking.expect_text("alone");
    drop(asking);
    assert!(host.stop().success());
    let [taken, rejected, closed, twice] = books(&host);
    assert_eq!((twice, taken), (0, rejected + closed), "{rejected} rejected, {closed} closed");
}

/// What the calls of `fixtures/host_functions.c` come to, in its order.
const STATUSES: &str = "\
reject with status 200: INVALID
reject with status 600: INVALID
reject with a header of the handshake: INVALID
reject with a header that is no token: INVALID
reject with a header of two lines: INVALID
reject with a body that is not UTF-8: INVALID
reject without a how: INVALID
accept with an unknown flag: UNSUPPORTED
accept with a subprotocol that is no token: INVALID
accept a stale handle: CLOSED
accept a foreign handle: DENIED
accept: OK
accept again: DENIED
reject after accept: DENIED
send to no connection: CLOSED
send to a made-up handle: CLOSED
send to a stale handle: CLOSED
send to a foreign handle: DENIED
send a message of no kind: INVALID
send a message of kind 3: INVALID
send a text that is not UTF-8: INVALID
send half a letter: INVALID
send without a host: INVALID
send the same as bytes: OK
send nothing: OK
send_buf without a buffer: INVALID
send_buf to a stale handle: CLOSED
send_buf: OK
buf_new of too much: NOMEM
an extension that nobody knows: UNSUPPORTED
subscribe to a topic without a name: INVALID
subscribe to a name of 256 bytes: INVALID
subscribe to a name that is not UTF-8: INVALID
subscribe a stale handle: CLOSED
subscribe a foreign handle: DENIED
subscribe with 4097 bytes of metadata: TOO_BIG
subscribe with a last word that is not UTF-8: INVALID
unsubscribe a foreign handle: DENIED
publish nothing: INVALID
publish without a what: INVALID
publish a text that is not UTF-8: INVALID
close with 0: INVALID
close with 999: INVALID
close with 1004: INVALID
close with 1005: INVALID
close with 1006: INVALID
close with 1015: INVALID
close with 1016: INVALID
close with 2999: INVALID
close with 5000: INVALID
close with 65535: INVALID
close with a reason of 124 bytes: INVALID
close with a reason that is not UTF-8: INVALID
close a stale handle: CLOSED
close a foreign handle: DENIED
ack a stale handle: CLOSED
ack a foreign handle: DENIED
ack what has not come yet: OK
";

/// The same when the plugin has closed.
const STATUSES_AT_THE_END: [&str; 5] = [
    "close with 123 bytes: OK",
    "close again: CLOSED",
    "send after close: CLOSED",
    "ack after close: CLOSED",
    "send in closed: CLOSED",
];

#[test]
fn what_a_plugin_may_not_do_has_its_status() {
    let home = Home::new();
    compile(&home, "host_functions");
    let section =
        |prefix: &str| format!("<websocket {prefix}>\n<plugin host_functions/>\n</websocket>\n");
    let host = Host::start_in(home, &conf(&(section("/checked") + &section("/other"))));
    let addr = host.addr("main");
    let mut other = Client::ws(&addr, "/other");
    let mut gone = Client::ws(&addr, "/checked");
    gone.close(1000, "");
    // What is sent in `closed` leaves before the Close.
    gone.expect_text("goodbye");
    gone.expect_close(1000);

    let mut ws = Client::ws(&addr, "/checked");
    ws.text("check");
    ws.expect_binary(b"\xc3\x28");
    ws.expect_text("");
    ws.expect_binary(&[0; 3]);
    ws.expect_text(STATUSES);
    assert_eq!(ws.expect_close(3000), "x".repeat(123));
    ws.close(3000, "");
    ws.expect_eof();
    for line in STATUSES_AT_THE_END {
        host.wait_for_log(line);
    }
    // The foreign one has noticed nothing.
    other.text("hello");
    other.expect_text("hello");
}
