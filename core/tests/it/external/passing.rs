//! What goes through a good program.

use std::process::Command;

use super::{goes_on, good, good_with, script, section, ws};
use crate::support::{self, Client, Event, Home, Host, frame};

#[test]
fn messages_come_back() {
    let host = good_with("<limits>\nmax-message-size 16MB\nmax-backlog 64MB\n</limits>");
    let mut ws = ws(&host, "/good");
    ws.echo("text");
    ws.echo("");
    ws.binary(&[]);
    ws.expect_binary(&[]);
    let long: Vec<u8> = (0..16 << 20).map(|at: u32| (at % 251) as u8).collect();
    ws.binary(&long);
    ws.expect_binary(&long);
    for part in 0..64 {
        let first = u8::from(part == 0) | if part == 63 { 0x80 } else { 0 };
        ws.raw(&frame(first, b"part "));
    }
    ws.expect_text(&"part ".repeat(64));
    ws.ping(b"there?");
    ws.expect(&Event::Pong(b"there?".to_vec()));
}

#[test]
fn close_codes_reach_the_program_and_the_client() {
    let host = good();
    let mut client = ws(&host, "/good?farewell");
    client.close(4001, "enough");
    client.expect_text("4001 1 enough");
    client.expect_close(4001);
    client.expect_eof();

    let mut client = ws(&host, "/good?farewell");
    client.raw(&frame(0x88, b""));
    client.expect_text("1005 1 ");
    client.expect(&Event::Close(None));

    let mut client = ws(&host, "/good?farewell");
    client.text("!close 4001 go away");
    client.expect_text("after my close");
    client.expect_text("4001 2 go away");
    assert_eq!(client.expect_close(4001), "go away");
}

#[test]
fn a_reply_comes_before_the_close() {
    let host = good();
    for _ in 0..50 {
        let mut client = ws(&host, "/good");
        client.raw(&[frame(0x81, b"last"), frame(0x88, b"\x03\xe8bye")].concat());
        client.expect_text("last");
        client.expect_close(1000);
        client.expect_eof();

        let mut client = ws(&host, "/good");
        client.raw(&[frame(0x81, b"last"), frame(0xc1, b"reserved bit")].concat());
        client.expect_text("last");
        client.expect_close(1002);
        client.expect_eof();
    }
}

#[test]
fn the_program_accepts_and_rejects() {
    let host = good();
    let addr = host.addr("main");
    let offered = [("Sec-WebSocket-Protocol", "first, second")];
    let response = Client::connect(&addr).upgrade("/good/a%20b?chosen", &offered);
    assert_eq!(response.status, 101, "{response:?}");
    assert_eq!(response.header("sec-websocket-protocol"), Some("second"));
    assert_eq!(response.header("x-seen"), Some("/a b"));

    let response = Client::connect(&addr).upgrade("/good?reject", &[]);
    assert_eq!((response.status, response.header("x-why")), (418, Some("full")));
    assert_eq!(response.text(), "no room");

    let mut late = Client::connect(&addr);
    late.send_raw(&support::Handshake::new("/good?late").bytes());
    let mut other = ws(&host, "/good");
    host.wait_for_log("/good: one waits");
    other.text("!admit");
    assert_eq!(late.response().status, 101);
    let mut late = late.upgraded();
    late.expect_text("welcome");
    late.echo("at last");
}

#[test]
fn topics_go_through_the_program() {
    let host = good();
    let (mut anna, mut ben) = (ws(&host, "/good"), ws(&host, "/good"));
    anna.text("!join anna");
    anna.expect_text("0 members ['anna'] kept []");
    anna.text("!publish first");
    anna.expect_text("first");
    ben.text("!join ben");
    ben.expect_text("0 members ['anna', 'ben'] kept ['first']");
    anna.expect_text("ben joined");
    ben.text("!publish second");
    anna.expect_text("second");
    ben.expect_text("second");
    ben.text("!join ben");
    drop(ben);
    anna.expect_text("ben left");
}

#[test]
fn a_membership_outlives_the_number_of_its_topic() {
    let host = good();
    let mut client = ws(&host, "/good");
    client.text("!join anna");
    client.expect_text("0 members ['anna'] kept []");
    client.text("!rename");
    client.expect_text("by another number");
}

#[test]
fn the_program_learns_its_settings() {
    let host = good_with("<limits>\nmax-message-size 2MB\n</limits>");
    let mut ws = ws(&host, "/good");
    ws.text("!settings");
    let any = u32::MAX;
    ws.expect_text(&format!(
        "(1, 1, 262144, 65536, 2097152, {any}, {any}, {any}, 0) \
         ['switchboard', 'topics/1', '/good']"
    ));
    ws.text("!environment");
    ws.expect_text("3 1-1 /good");
}

#[test]
fn what_the_program_says_is_in_the_log() {
    let host = good();
    ws(&host, "/good").text("!say");
    host.wait_for_log("/good: on stdout");
    host.wait_for_log("/good stderr: on stderr");
    host.wait_for_log("/good part: in a frame");
}

#[test]
fn a_program_that_is_not_ready_is_503() {
    let host = good();
    let mut client = ws(&host, "/good");
    client.text("!ready 1");
    client.expect_text("done");
    let response = Client::connect(&host.addr("main")).upgrade("/good", &[]);
    assert_eq!(response.status, 503);
    assert!(response.header("retry-after").is_some(), "{response:?}");
    client.echo("still served");
    client.text("!ready 0");
    client.expect_text("done");
    goes_on(&host);
}

#[test]
fn a_program_may_listen() {
    let home = Home::new();
    let socket = home.join("program.sock");
    let mut program = Command::new("python3")
        .arg("-B")
        .arg(script())
        .arg(format!("listens={}", socket.display()))
        .spawn()
        .unwrap();
    let external = format!("<external>\nsocket {}\n</external>", socket.display());
    let section = format!("<websocket /good>\n{external}\n</websocket>");
    let mut host = Host::start_in(home, &support::conf(&section));
    host.wait_for_log("/good: ready");
    goes_on(&host);
    assert!(host.stop().success());
    assert!(program.wait().unwrap().success());
}

#[test]
fn lines_of_the_conf_reach_the_program() {
    let config = "<config>\nTitle The feed\nevery 250\nevery 1000\n</config>";
    let host = Host::start(&support::conf(&section("/good", "good", config, "")));
    host.wait_for_log("/good: ready");
    let mut ws = ws(&host, "/good");
    ws.text("!config");
    ws.expect_text("[('Title', 'The feed'), ('every', '250'), ('every', '1000')]");
}

#[test]
fn what_a_program_says_cannot_forge_the_log() {
    let host = good();
    ws(&host, "/good").text("!log");
    host.wait_for_log("/good: two\\nlines \\u{1b}[2J errno=2 why=\"no such\\nfile\"");
    host.wait_for_log("/good: bell \\u{7} and \\u{1b}[31m");
    let log = host.log();
    assert!(!log.contains('\x1b') && !log.contains('\x07'), "{log}");
    assert!(log.lines().any(|line| line.contains("ERROR") && line.contains("/good: two")), "{log}");
}

#[test]
fn too_many_lines_are_dropped_and_counted() {
    let host = good();
    let mut ws = ws(&host, "/good");
    ws.text("!log-flood");
    ws.echo("all the same");
    host.wait_for_log("/good: line 199");
    // The number is told with the end of the link, or with the next line.
    ws.text("!die");
    ws.expect_text("last words");
    host.wait_for_log("/good: 800 of its lines were dropped");
}

#[test]
fn too_many_lines_of_output_are_dropped_and_counted() {
    let host = good();
    let mut ws = ws(&host, "/good");
    ws.text("!print-flood");
    ws.echo("all the same");
    ws.text("!die");
    ws.expect_text("last words");
    host.wait_for_log("/good: printed 199");
    host.wait_for_log(" of its lines were dropped");
    let printed = host.log().matches("/good: printed ").count();
    assert!(printed < 50_000, "{printed} lines");
}

#[test]
fn one_message_reaches_many_streams() {
    let host = good();
    let mut clients = [ws(&host, "/good"), ws(&host, "/good"), ws(&host, "/good")];
    for client in &mut clients {
        client.echo("here");
    }
    drop(ws(&host, "/good"));
    // Stream 4 was open once: it is left out.
    clients[0].text("!mcast 4");
    for client in &mut clients {
        client.expect_text("one for all");
        client.echo("and on");
    }
}

#[test]
fn a_multicast_into_an_unfinished_message_costs_that_stream_only() {
    let host = good();
    let (mut other, mut client) = (ws(&host, "/good"), ws(&host, "/good"));
    client.text("!mcast-inside");
    client.expect_close(1011);
    host.wait_for_log("/good: it broke the protocol on stream 2: a fragment does not fit");
    other.echo("no harm");
}

#[test]
fn a_client_that_leaves_while_it_waits_has_its_end() {
    let host = good();
    let mut late = Client::connect(&host.addr("main"));
    late.send_raw(&support::Handshake::new("/good?late").bytes());
    host.wait_for_log("/good: one waits");
    drop(late);
    host.wait_for_log("/good: the late one has gone with 1006");
    let mut other = ws(&host, "/good");
    // The answer to a stream that has ended is nobody's fault.
    other.text("!admit");
    other.echo("no harm");
    assert!(!host.log().contains("broke the protocol"), "{}", host.log());
}

#[test]
fn an_unfinished_message_is_dropped_with_its_stream() {
    let host = good();
    let mut client = ws(&host, "/good");
    client.text("!half");
    client.close(4002, "");
    client.expect_close(4002);
    client.expect_eof();
    goes_on(&host);
    assert!(!host.log().contains("broke the protocol"), "{}", host.log());
}
