//! What passes through, both ways.

use switchboard_websocket::handshake::deflate::Offer;

use super::{echo, forward, forward_conf, pair, pair_with, server, ws};
use crate::support::{Client, Event, Home, Host, Ws, conf, echo_conf, frame};

use server::Server;

#[test]
fn messages_of_every_kind_and_size_come_back() {
    let (_behind, host) = echo("max-message-size 20MB");
    let mut ws = ws(&host);
    ws.echo("hello");
    ws.echo("");
    ws.binary(b"");
    ws.expect_binary(b"");
    for len in [1, 125, 126, 65_535, 65_536, 1 << 20, 16 << 20] {
        let payload: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
        ws.binary(&payload);
        ws.expect_binary(&payload);
        let text = "é".repeat(len / 2);
        ws.echo(&text);
    }
}

#[test]
fn sixty_four_fragments_are_one_message() {
    let (_behind, host) = echo("");
    let mut ws = ws(&host);
    let mut bytes = frame(0x01, b"0");
    (1..63).for_each(|_| bytes.extend(frame(0x00, "é".as_bytes())));
    bytes.extend(frame(0x80, b"1"));
    ws.raw(&bytes);
    ws.expect_text(&format!("0{}1", "é".repeat(62)));
}

#[test]
fn fragments_of_the_server_are_one_message() {
    let (_host, mut ws, mut server) = pair();
    server.raw(b"\x01\x01a");
    server.ping(b"between");
    ws.expect(&Event::Ping(b"between".to_vec()));
    (0..62).for_each(|_| server.raw(b"\x00\x01b"));
    server.raw(b"\x80\x01c");
    ws.expect_text(&format!("a{}c", "b".repeat(62)));
}

#[test]
fn pings_and_pongs_pass_in_their_order() {
    let (_host, mut ws, mut server) = pair();
    let mut bytes = frame(0x81, b"one");
    bytes.extend([frame(0x89, b"ping"), frame(0x81, b"two"), frame(0x8a, b"pong")].concat());
    bytes.extend(frame(0x81, b"three"));
    let expected = [
        Event::Text("one".to_owned()),
        Event::Ping(b"ping".to_vec()),
        Event::Text("two".to_owned()),
        Event::Pong(b"pong".to_vec()),
        Event::Text("three".to_owned()),
    ];
    ws.raw(&bytes);
    expected.iter().for_each(|event| server.expect(event));
    server.raw(b"\x81\x03one\x89\x04ping\x81\x03two\x8a\x04pong\x81\x05three");
    expected.iter().for_each(|event| ws.expect(event));
}

#[test]
fn only_the_server_behind_answers_a_ping() {
    let (_host, mut ws, mut server) = pair();
    ws.ping(b"are you there?");
    server.expect(&Event::Ping(b"are you there?".to_vec()));
    server.text("not yet");
    ws.expect_text("not yet");
    server.pong(b"are you there?");
    ws.expect(&Event::Pong(b"are you there?".to_vec()));
}

#[test]
fn a_client_in_the_middle_of_a_message_is_there() {
    let (_host, mut ws, mut server) = pair();
    let message = frame(0x82, &[7; 1000]);
    ws.client().send_raw(&message[..100]);
    for (payload, at) in [(&b"there?"[..], 100), (b"", 200), (b"still?", 300)] {
        server.ping(payload);
        ws.expect(&Event::Ping(payload.to_vec()));
        // Inside of a frame it can answer nothing, and yet it is not silent.
        ws.client().send_raw(&message[at..at + 100]);
        server.expect(&Event::Pong(payload.to_vec()));
    }
    ws.client().send_raw(&message[400..]);
    ws.pong(b"");
    ws.text("behind");
    server.expect(&Event::Binary(vec![7; 1000]));
    server.expect(&Event::Text("behind".to_owned()));
    server.ping(b"again");
    ws.expect(&Event::Ping(b"again".to_vec()));
    ws.text("no pong yet");
    server.expect(&Event::Text("no pong yet".to_owned()));
    ws.pong(b"again");
    server.expect(&Event::Pong(b"again".to_vec()));
}

#[test]
fn a_ping_of_the_host_itself_is_not_the_servers_matter() {
    let (_host, mut ws, mut server) = pair_with("", "<limits>\nping-interval 1s\n</limits>");
    ws.expect(&Event::Ping(Vec::new()));
    ws.pong(b"");
    ws.text("behind it");
    server.expect(&Event::Text("behind it".to_owned()));
    // The server's own is answered.
    server.ping(b"");
    ws.expect(&Event::Ping(Vec::new()));
    ws.pong(b"");
    server.expect(&Event::Pong(Vec::new()));
}

#[test]
fn a_server_that_names_no_extension_has_chosen_none() {
    let listener = server::listen();
    let host = forward(&server::url(&listener), "", "compression dedicated");
    let accepting = std::thread::spawn(move || {
        let server = Server::accept(&listener);
        // What the client compresses is the host's matter.
        assert_eq!(server.header("Sec-WebSocket-Extensions"), None);
        server.agree("Sec-WebSocket-Extensions:\r\n")
    });
    let mut ws = Client::deflating(&host.addr("main"), "/app", &Offer::default());
    let mut server = accepting.join().unwrap();
    ws.text(&"compressed ".repeat(100));
    server.expect(&Event::Text("compressed ".repeat(100)));
    server.text("back");
    ws.expect_text("back");
}

#[test]
fn what_the_server_says_with_its_101_comes_first() {
    let listener = server::listen();
    let host = forward(&server::url(&listener), "", "");
    let accepting = std::thread::spawn(move || {
        let mut server = Server::accept(&listener);
        let head = server.switching("");
        server.raw(&[head.as_bytes(), b"\x81\x05early\x81\x04more"].concat());
        server
    });
    let mut ws = ws(&host);
    ws.expect_text("early");
    ws.expect_text("more");
    drop(accepting.join().unwrap());
}

#[test]
fn the_server_sees_who_asks_and_what_for() {
    let listener = server::listen();
    let keys = "forward-header Cookie\nforward-header X-Trace\nforward-header Set-Cookie";
    let conf = forward_conf(&server::url(&listener), keys, "origin *");
    let host = Host::start(&conf.replace("/app>", "/app/v1>"));
    let accepting = std::thread::spawn(move || {
        let server = Server::accept(&listener);
        server.agree("Sec-WebSocket-Protocol: v2\r\nSet-Cookie: a=b\r\nServer: behind\r\n")
    });
    let mut client = Client::connect(&host.addr("main"));
    let response = client.upgrade(
        "/app/v1/a%20b//c?d=%2Fe",
        &[
            ("Origin", "https://page.example"),
            ("Cookie", "k=v"),
            ("cookie", "second"),
            ("X-Trace", "7"),
            ("Authorization", "Basic secret"),
            ("User-Agent", "test"),
            ("Sec-WebSocket-Protocol", "v1, v2"),
            ("Sec-WebSocket-Extensions", "permessage-deflate"),
            ("X-Forwarded-For", "192.0.2.1"),
            ("X-Forwarded-Proto", "https"),
        ],
    );
    assert_eq!(response.status, 101);
    assert_eq!(response.header("sec-websocket-protocol"), Some("v2"));
    assert_eq!(response.header("set-cookie"), Some("a=b"));
    assert_eq!(response.header("server"), None);
    let server = accepting.join().unwrap();
    assert!(server.request.starts_with("GET /behind/a%20b//c?d=%2Fe HTTP/1.1\r\n"));
    for (name, value) in [
        ("Origin", Some("https://page.example")),
        ("Cookie", Some("k=v")),
        ("X-Trace", Some("7")),
        ("Authorization", None),
        ("User-Agent", None),
        ("Sec-WebSocket-Protocol", Some("v1, v2")),
        ("Sec-WebSocket-Version", Some("13")),
        ("Sec-WebSocket-Extensions", None),
        ("X-Forwarded-For", Some("192.0.2.1, 127.0.0.1")),
        ("X-Forwarded-Proto", Some("http")),
        ("X-Forwarded-Host", Some("switchboard.test")),
        ("X-Forwarded-Prefix", Some("/app/v1")),
    ] {
        assert_eq!(server.header(name), value, "{name} in {}", server.request);
    }
    assert!(server.header("Host").is_some_and(|host| host.starts_with("127.0.0.1:")));
    assert!(server.request.contains("\r\nCookie: second\r\n"), "{}", server.request);
}

#[test]
fn by_default_the_browsers_name_is_passed_on_and_no_secret() {
    let listener = server::listen();
    let host = forward(&server::url(&listener), "append-path off", "");
    let accepting = std::thread::spawn(move || Server::accept(&listener).agree(""));
    let headers = [("User-Agent", "test"), ("Cookie", "k=v"), ("Authorization", "Basic x")];
    Client::connect(&host.addr("main")).into_ws("/app/more?x=y", &headers);
    let server = accepting.join().unwrap();
    assert!(server.request.starts_with("GET /behind HTTP/1.1\r\n"), "{}", server.request);
    assert_eq!(server.header("User-Agent"), Some("test"));
    assert_eq!((server.header("Cookie"), server.header("Authorization")), (None, None));
    assert_eq!(server.header("X-Forwarded-For"), Some("127.0.0.1"));
}

#[test]
fn the_server_chooses_among_the_subprotocols_of_the_conf() {
    for (choice, expected) in [("Sec-WebSocket-Protocol: b\r\n", Some("b")), ("", None)] {
        let listener = server::listen();
        let host = forward(&server::url(&listener), "", "subprotocol b\nsubprotocol c");
        let accepting = std::thread::spawn(move || Server::accept(&listener).agree(choice));
        let mut client = Client::connect(&host.addr("main"));
        let response = client.upgrade("/app", &[("Sec-WebSocket-Protocol", "a, b, c")]);
        assert_eq!(response.status, 101, "{}", response.text());
        assert_eq!(response.header("sec-websocket-protocol"), expected);
        let server = accepting.join().unwrap();
        assert_eq!(server.header("Sec-WebSocket-Protocol"), Some("b, c"));
    }
}

#[test]
fn a_server_on_a_unix_socket_is_reached() {
    let behind = Host::start(&echo_conf("").replace("127.0.0.1:0", "./echo.sock"));
    let path = behind.addr("main");
    let host = forward(&format!("ws+unix:{path}:/echo"), "", "");
    ws(&host).echo("through a file");

    // A relative path begins at instancehome.
    let home = Home::new();
    std::os::unix::fs::symlink(&path, home.join("here.sock")).unwrap();
    let host = Host::start_in(home, &forward_conf("ws+unix:here.sock:/echo", "", ""));
    ws(&host).echo("through a link");
}

#[test]
fn a_name_is_looked_up() {
    let behind = Host::start(&echo_conf(""));
    let port = behind.addr("main").replace("127.0.0.1:", "");
    let host = forward(&format!("ws://localhost:{port}/echo"), "", "");
    ws(&host).echo("by name");
}

#[test]
fn a_chat_behind_a_forward_is_one_chat() {
    let chat = conf("<websocket /chat>\n<plugin chat/>\n</websocket>");
    let behind = Host::start(&chat);
    let host = forward(&format!("ws://{}/chat", behind.addr("main")), "", "");
    let addr = host.addr("main");
    let said = |ws: &mut Ws, what: &str| loop {
        match ws.next() {
            Event::Text(text) if text.contains(what) => return,
            Event::Text(_) => {}
            other => panic!("{other:?}"),
        }
    };
    // Whoever speaks before the welcome is refused.
    let joined = |name: &str| {
        let mut ws = Client::ws(&addr, "/app/lobby");
        ws.text(&format!(r#"{{"type":"join","name":"{name}"}}"#));
        said(&mut ws, "welcome");
        ws
    };
    let (mut one, mut two) = (joined("one"), joined("two"));
    one.text(r#"{"type":"say","text":"to all of you"}"#);
    said(&mut two, "to all of you");
    said(&mut one, "to all of you");
}
