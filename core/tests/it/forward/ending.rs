//! The end of either side reaches the other, behind all that was said before.

use super::{echo, forward, pair, pair_with, server, ws};
use crate::support::{Client, Event, Handshake, Ws, frame};

use server::Server;

#[test]
fn a_message_and_a_close_in_one_write_are_answered_in_order() {
    let (_behind, host) = echo("");
    for _ in 0..50 {
        let mut ws = ws(&host);
        ws.raw(&[frame(0x81, b"last"), frame(0x88, b"\x03\xe8bye")].concat());
        ws.expect_text("last");
        ws.expect_close(1000);
        ws.expect_eof();
    }
}

#[test]
fn a_message_and_a_bad_frame_in_one_write_are_answered_in_order() {
    let (_behind, host) = echo("");
    for _ in 0..50 {
        let mut ws = ws(&host);
        ws.raw(&[frame(0x81, b"last"), frame(0xc1, b"reserved bit")].concat());
        ws.expect_text("last");
        ws.expect_close(1002);
        ws.expect_eof();
    }
}

#[test]
fn the_clients_close_goes_through_and_the_answer_comes_back() {
    let (_host, mut ws, mut server) = pair();
    ws.text("before");
    ws.close(4001, "enough");
    server.expect(&Event::Text("before".to_owned()));
    assert_eq!(server.expect_close(4001), "enough");
    server.text("one more thing");
    server.text("and another");
    server.close(Some((4002, "as you like")));
    ws.expect_text("one more thing");
    ws.expect_text("and another");
    // The server's own answer, not an echo of the client's.
    assert_eq!(ws.expect_close(4002), "as you like");
    ws.expect_eof();
    drop(ws);
    drop(server);
}

#[test]
fn the_servers_close_goes_through() {
    for close in [Some((1000, "")), Some((1011, "broken")), Some((4999, "é")), None] {
        let (_host, mut ws, mut server) = pair();
        server.text("before");
        server.close(close);
        ws.expect_text("before");
        ws.expect(&Event::Close(close.map(|(code, reason)| (code, reason.to_owned()))));
        server.expect(&Event::Close(close.map(|(code, _)| (code, String::new()))));
        ws.close(1000, "");
        ws.expect_eof();
    }
}

#[test]
fn an_empty_close_of_the_client_is_one_for_the_server() {
    let (_host, mut ws, mut server) = pair();
    ws.raw(&frame(0x88, b""));
    server.expect(&Event::Close(None));
    server.close(None);
    ws.expect(&Event::Close(None));
    ws.expect_eof();
}

#[test]
fn a_client_that_leaves_without_a_word_is_1001_for_the_server() {
    let (_host, mut ws, mut server) = pair();
    ws.text("before");
    drop(ws);
    server.expect(&Event::Text("before".to_owned()));
    server.expect_close(1001);
    server.close(Some((1001, "")));
    server.finish();
    server.expect_over();
}

#[test]
fn a_client_that_breaks_a_rule_is_1001_for_the_server() {
    let (_host, mut ws, mut server) = pair();
    ws.raw(&[frame(0x81, b"good"), frame(0x83, b"bad")].concat());
    server.expect(&Event::Text("good".to_owned()));
    server.expect_close(1001);
    server.text("reply");
    server.close(Some((1001, "")));
    ws.expect_text("reply");
    ws.expect_close(1002);
}

#[test]
fn a_client_that_says_too_much_is_closed_with_1009() {
    let (_host, mut ws, mut server) = pair_with("", "<limits>\nmax-message-size 1KB\n</limits>");
    ws.binary(&[0; 1025]);
    server.expect_close(1001);
    server.close(Some((1001, "")));
    ws.expect_close(1009);
}

#[test]
fn a_server_that_does_not_answer_a_close_has_its_time() {
    let limits = "<limits>\nclose-timeout 1s\n</limits>";
    let (_host, mut ws, mut server) = pair_with("", limits);
    ws.close(1000, "");
    server.expect_close(1000);
    ws.expect_close(1000);
    ws.expect_eof();
    server.expect_over();
}

#[test]
fn a_server_that_is_gone_is_1014_for_the_client() {
    let (_host, mut ws, mut server) = pair();
    server.text("before");
    drop(server);
    ws.expect_text("before");
    assert_eq!(ws.expect_close(1014), "the server behind is gone");

    let (host, mut ws, server) = pair();
    server.reset();
    ws.expect_close(1014);
    host.wait_for_log("it ended the connection without a Close");

    // There is no half of a WebSocket.
    let (_host, mut ws, mut server) = pair();
    server.text("before");
    server.finish();
    ws.expect_text("before");
    ws.expect_close(1014);
    server.expect_over();
}

#[test]
fn a_server_that_breaks_a_rule_is_1014_for_the_client() {
    for (bytes, rule, code) in [
        (&b"\x81\x82\x01\x02\x03\x04hi"[..], "a frame from the server is masked", 1002),
        (b"\xc1\x02hi", "a reserved bit is set", 1002),
        (b"\x83\x02hi", "opcode 0x3 is reserved", 1002),
        (b"\x81\x02\xc3\x28", "a text message is not UTF-8", 1007),
        (b"\x88\x01\x03", "a close frame with half a code", 1002),
        (b"\x80\x02hi", "a continuation frame without", 1002),
    ] {
        let (host, mut ws, mut server) = pair();
        server.text("good");
        server.raw(bytes);
        ws.expect_text("good");
        answer_the_last_ping(&mut ws);
        assert_eq!(ws.expect_close(1014), "the server behind broke a rule", "{rule}");
        host.wait_for_log(rule);
        assert!(host.log().contains(&format!("behind it: it broke a rule: {rule}")));
        server.expect_close(code);
    }
}

/// A client is asked whether it has something to say, before the server is left.
fn last_ping(ws: &mut Ws) -> Vec<u8> {
    match ws.next() {
        Event::Ping(payload) => payload,
        other => panic!("{other:?} instead of a ping"),
    }
}

fn answer_the_last_ping(ws: &mut Ws) {
    let payload = last_ping(ws);
    ws.pong(&payload);
}

#[test]
fn what_came_before_a_broken_rule_is_answered() {
    let (_host, mut ws, mut server) = pair();
    // In one write, as whoever sees them together could be tempted to forget the first.
    server.raw(b"\x81\x04good\x83\x00\x89\x00\x81\x04late");
    ws.expect_text("good");
    let payload = last_ping(&mut ws);
    ws.text("answer");
    ws.pong(b"not this one");
    ws.text("another");
    ws.pong(&payload);
    // What is said now is too late.
    ws.text("late");
    server.expect(&Event::Text("answer".to_owned()));
    server.expect(&Event::Pong(b"not this one".to_vec()));
    server.expect(&Event::Text("another".to_owned()));
    server.expect_close(1002);
    assert_eq!(ws.expect_close(1014), "the server behind broke a rule");
}

#[test]
fn a_client_that_says_nothing_to_a_broken_rule_has_its_time() {
    let (_host, mut ws, mut server) = pair();
    server.raw(b"\x83\x00");
    last_ping(&mut ws);
    ws.expect_close(1014);
    server.expect_close(1002);
}

#[test]
fn who_leaves_meanwhile_does_not_change_what_the_other_is_told() {
    // The client.
    let (_host, mut ws, mut server) = pair();
    server.raw(b"\x83\x00");
    last_ping(&mut ws);
    ws.close(1000, "");
    ws.expect_close(1000);
    server.expect_close(1002);

    // The server.
    let (_host, mut ws, mut server) = pair();
    server.raw(b"\x83\x00");
    server.finish();
    last_ping(&mut ws);
    assert_eq!(ws.expect_close(1014), "the server behind broke a rule");
}

#[test]
fn a_server_that_says_too_much_is_1009_for_the_client() {
    let limits = "<limits>\nmax-message-size 1KB\n</limits>";
    let (_host, mut ws, mut server) = pair_with("", limits);
    server.raw(&[b"\x82\x7e\x04\x00".as_slice(), &[7; 1024]].concat());
    ws.expect_binary(&[7; 1024]);
    server.raw(b"\x82\x7e\x04\x01");
    answer_the_last_ping(&mut ws);
    ws.expect_close(1009);
    server.expect_close(1009);
}

#[test]
fn the_end_of_the_host_passes_through() {
    let (mut host, mut ws, mut server) = pair();
    host.signal(rustix::process::Signal::TERM);
    assert_eq!(server.expect_close(1001), "the host stops");
    server.text("a last word");
    server.close(Some((1001, "")));
    ws.expect_text("a last word");
    ws.expect_close(1001);
    ws.close(1001, "");
    ws.expect_eof();
    drop(ws);
    assert_eq!(host.wait().code(), Some(0));
}

#[test]
fn a_host_that_stops_does_not_wait_for_who_dials() {
    let listener = server::listen();
    let mut host = forward(&server::url(&listener), "connect-timeout 1h", "");
    let mut client = Client::connect(&host.addr("main"));
    client.send_raw(&Handshake::new("/app").bytes());
    let mut server = Server::accept(&listener);
    assert_eq!(host.stop().code(), Some(0));
    server.expect_over();
}
