//! The opening handshake (RFC 6455, section 4): who gets in, and what the others are told.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::time::Instant;

use crate::support::{
    ACCEPT, Client, Handshake, Home, Host, KEY, PATIENCE, Response, conf, echo_conf, frame,
};

/// What one client is told on a connection of its own.
fn ask(host: &Host, asked: &Handshake) -> Response {
    Client::connect(&host.addr("main")).ask(asked)
}

/// Each is refused with this status, and told this reason.
fn check_refused(host: &Host, cases: &[(Handshake, u16, &str)]) {
    for (asked, status, reason) in cases {
        let response = ask(host, asked);
        let told = (response.status, response.text());
        let shown = String::from_utf8_lossy(&asked.bytes()).into_owned();
        assert_eq!(told.0, *status, "{shown}{}", told.1);
        assert!(told.1.contains(reason), "{shown}{}", told.1);
    }
}

/// The status that a path, a Host or an Origin gets.
fn check_status(host: &Host, cases: &[(Handshake, u16)]) {
    for (asked, status) in cases {
        let response = ask(host, asked);
        let shown = String::from_utf8_lossy(&asked.bytes()).into_owned();
        assert_eq!(response.status, *status, "{shown}{}", response.text());
    }
}

fn echo() -> Handshake {
    Handshake::new("/echo")
}

#[test]
fn the_example_of_the_rfc_gets_the_answer_of_the_rfc() {
    let host = Host::start(&echo_conf(""));
    let response = ask(&host, &echo());
    assert_eq!(response.status, 101);
    assert_eq!(response.header("sec-websocket-accept"), Some(ACCEPT));
    assert_eq!(response.header("upgrade"), Some("websocket"));
    assert_eq!(response.header("connection").map(str::to_lowercase).as_deref(), Some("upgrade"));
    assert_eq!(response.header("sec-websocket-protocol"), None);
    assert_eq!(response.header("sec-websocket-extensions"), None);
}

#[test]
fn tokens_are_compared_without_their_case_and_found_in_lists() {
    let host = Host::start(&echo_conf(""));
    check_status(
        &host,
        &[
            (echo().set("Upgrade", "WebSocket"), 101),
            (echo().set("Upgrade", "h2c, websocket"), 101),
            (echo().set("Connection", "keep-alive, UPGRADE"), 101),
            (echo().set("Connection", "keep-alive").with("Connection", "upgrade"), 101),
            (echo().with("Sec-WebSocket-Extensions", "permessage-deflate"), 101),
            (echo().without("Host").with("hOsT", "switchboard.test"), 101),
            (Handshake::new("/echo?and=more"), 101),
        ],
    );
}

#[test]
fn a_handshake_that_breaks_a_rule_is_refused_with_its_reason() {
    let host = Host::start(&echo_conf(""));
    let key = "Sec-WebSocket-Key must be there once";
    check_refused(
        &host,
        &[
            (echo().line("POST /echo HTTP/1.1"), 400, "is a GET request, not POST"),
            (echo().line("GET /echo HTTP/1.0"), 400, "over HTTP/1.1, not HTTP/1.0"),
            (echo().without("Upgrade"), 426, "Upgrade: websocket"),
            (echo().set("Upgrade", "h2c"), 426, "Upgrade: websocket"),
            (echo().set("Upgrade", "websockets"), 426, "Upgrade: websocket"),
            (echo().without("Connection"), 400, "lacks the token 'upgrade'"),
            (echo().set("Connection", "keep-alive"), 400, "lacks the token 'upgrade'"),
            (echo().without("Sec-WebSocket-Key"), 400, key),
            (echo().set("Sec-WebSocket-Key", ""), 400, key),
            (echo().set("Sec-WebSocket-Key", "c2hvcnQ="), 400, key),
            (echo().set("Sec-WebSocket-Key", &KEY[..22]), 400, key),
            (echo().set("Sec-WebSocket-Key", &format!("{KEY}{KEY}")), 400, key),
            (echo().set("Sec-WebSocket-Key", &KEY.replace('d', "*")), 400, key),
            (echo().with("Sec-WebSocket-Key", KEY), 400, key),
            (echo().without("Host"), 400, "one Host header"),
            (echo().with("Host", "other.test"), 400, "one Host header"),
            (echo().set("Host", "a/b@c"), 400, "one Host header"),
            (echo().with("Content-Length", "8"), 400, "has no body"),
            (echo().with("Transfer-Encoding", "chunked"), 400, "has no body"),
            (Handshake::new("/other"), 404, "no <websocket> section takes this path"),
        ],
    );
    let response = ask(&host, &echo());
    assert_eq!(response.status, 101, "and the next one gets in");
}

#[test]
fn another_version_is_told_which_one_is_spoken() {
    let host = Host::start(&echo_conf(""));
    let version = "Sec-WebSocket-Version";
    for asked in [
        echo().set(version, "8"),
        echo().set(version, "0"),
        echo().set(version, "13, 8"),
        echo().with(version, "13"),
        echo().without(version),
    ] {
        let response = ask(&host, &asked);
        assert_eq!(response.status, 426);
        assert_eq!(response.header("sec-websocket-version"), Some("13"));
        assert_eq!(response.text(), "426 Sec-WebSocket-Version must be 13\n");
    }
}

#[test]
fn without_debug_mode_the_reason_is_in_the_log_alone() {
    let host = Host::start(&echo_conf("").replace("debug-mode on", "debug-mode off"));
    let response = ask(&host, &echo().set("Origin", "http://evil.test"));
    assert_eq!((response.status, response.text().as_str()), (403, "403 Forbidden\n"));
    host.wait_for_log(r#"/echo: 403: the Origin "http://evil.test" is not allowed here"#);
}

#[test]
fn a_page_of_another_host_does_not_get_in() {
    let host = Host::start(&echo_conf(""));
    let asked = |at: &str, origin: &str| echo().set("Host", at).with("Origin", origin);
    check_status(
        &host,
        &[
            (asked("www.test", "http://www.test"), 101),
            (asked("www.test", "https://www.test"), 101),
            (asked("WWW.test", "http://www.TEST"), 101),
            (asked("www.test:8080", "http://www.test:8080"), 101),
            (asked("[::1]:8080", "http://[::1]:8080"), 101),
            (asked("www.test:80", "http://www.test"), 101),
            (asked("www.test:443", "https://www.test"), 101),
            (asked("www.test:8080", "http://www.test"), 403),
            (asked("www.test:8080", "http://www.test:8081"), 403),
            (asked("www.test", "http://www.test:8080"), 403),
            (asked("www.test", "http://evil.test"), 403),
            (asked("www.test", "http://www.test.evil.test"), 403),
            (asked("www.test", "http://www.test@evil.test"), 403),
            (asked("www.test", "http://www.test/"), 403),
            (asked("www.test", "www.test"), 403),
            (asked("www.test", "null"), 403),
            (asked("www.test", ""), 403),
            (asked("www.test", "http://www.test").with("Origin", "http://www.test"), 403),
            (echo().set("Host", "www.test"), 101),
        ],
    );
}

#[test]
fn the_conf_says_which_other_pages_get_in() {
    let host = Host::start(&conf(
        "
        <websocket /any>
          origin *
          <plugin echo/>
        </websocket>
        <websocket /listed>
          origin https://www.example.org
          origin http://*.example.org:8080
          <plugin echo/>
        </websocket>",
    ));
    let any = |origin: &str| Handshake::new("/any").with("Origin", origin);
    let listed = |origin: &str| Handshake::new("/listed").with("Origin", origin);
    check_status(
        &host,
        &[
            (any("http://evil.test"), 101),
            (any("null"), 101),
            (Handshake::new("/any"), 101),
            (listed("https://www.example.org"), 101),
            (listed("https://www.example.org:443"), 101),
            (listed("HTTPS://WWW.EXAMPLE.ORG"), 101),
            (listed("http://a.example.org:8080"), 101),
            (listed("http://a.b.example.org:8080"), 101),
            (Handshake::new("/listed"), 101),
            (listed("http://www.example.org"), 403),
            (listed("https://www.example.org:8443"), 403),
            (listed("https://a.www.example.org"), 403),
            (listed("http://example.org:8080"), 403),
            (listed("http://evilexample.org:8080"), 403),
            (listed("http://.example.org:8080"), 403),
            // `same` is the default, and not said here.
            (listed("http://switchboard.test"), 403),
            (listed("null"), 403),
        ],
    );
}

#[test]
fn an_origin_may_be_required() {
    let host = Host::start(&echo_conf("origin-required on"));
    check_refused(&host, &[(echo(), 403, "a request without an Origin is not allowed here")]);
    check_status(&host, &[(echo().with("Origin", "http://switchboard.test"), 101)]);
}

#[test]
fn the_conf_prefers_among_the_subprotocols_that_are_offered() {
    let host = Host::start(&echo_conf("subprotocol v2\nsubprotocol v1"));
    let chosen = |offered: &[&str]| {
        let header = "Sec-WebSocket-Protocol";
        let asked = offered.iter().fold(echo(), |asked, offer| asked.with(header, offer));
        let response = ask(&host, &asked);
        assert_eq!(response.status, 101, "{offered:?}");
        response.header("sec-websocket-protocol").map(str::to_owned)
    };
    assert_eq!(chosen(&["v1, v2"]).as_deref(), Some("v2"));
    assert_eq!(chosen(&["v1", "v2"]).as_deref(), Some("v2"));
    assert_eq!(chosen(&["v0,v1"]).as_deref(), Some("v1"));
    assert_eq!(chosen(&["v3, V2"]), None, "names are compared with their case");
    assert_eq!(chosen(&[]), None);
}

#[test]
fn what_is_no_list_of_subprotocols_is_refused() {
    let host = Host::start(&echo_conf("subprotocol v1"));
    let reason = "Sec-WebSocket-Protocol must be a list of different tokens";
    for offered in ["v1 v2", "v1, v1", "v1;q=1", "\"v1\"", "v1/2", "v\u{e4}"] {
        let asked = echo().with("Sec-WebSocket-Protocol", offered);
        check_refused(&host, &[(asked, 400, reason)]);
    }
}

#[test]
fn a_plain_request_for_a_websocket_is_told_to_upgrade() {
    let host = Host::start(&echo_conf(""));
    let response = Client::connect(&host.addr("main")).get("/echo");
    assert_eq!(response.status, 426);
    assert_eq!(response.header("upgrade"), Some("websocket"));
    assert_eq!(response.header("sec-websocket-version"), Some("13"));
    assert_eq!(Client::connect(&host.addr("main")).get("/other").status, 404);
}

#[test]
fn a_path_that_readers_could_understand_differently_is_refused() {
    let host = Host::start(&echo_conf(""));
    for (path, reason) in [
        ("/echo%2fmore", "an encoded slash"),
        ("/echo/a%2Fb", "an encoded slash"),
        ("/echo/..", "a dot segment"),
        ("/other/../echo", "a dot segment"),
        ("/echo/./x", "a dot segment"),
        ("/echo/%2e%2e/x", "a dot segment"),
        ("/echo/.%2E", "a dot segment"),
        ("/echo/%00", "an encoded NUL"),
        ("/echo/%", "a '%' without two hexadecimal digits"),
        ("/echo/%4", "a '%' without two hexadecimal digits"),
        ("/echo/%zz", "a '%' without two hexadecimal digits"),
        ("/echo/%ff", "not UTF-8"),
    ] {
        check_refused(&host, &[(Handshake::new(path), 400, reason)]);
    }
}

#[test]
fn a_prefix_ends_at_the_border_of_a_segment_and_keeps_its_case() {
    let host = Host::start(&conf(
        "
        <websocket /Chat/Room>
          <plugin echo/>
        </websocket>",
    ));
    for (path, status) in [
        ("/Chat/Room", 101),
        ("/Chat/Room/", 101),
        ("/Chat/Room/more/and/more", 101),
        ("/Chat/%52oom", 101),
        ("/Chat/Room?x=/", 101),
        ("/Chat/Rooms", 404),
        ("/chat/room", 404),
        ("/Chat", 404),
        ("/", 404),
        ("//Chat/Room", 404),
    ] {
        check_status(&host, &[(Handshake::new(path), status)]);
    }
}

#[test]
fn a_head_over_the_limit_is_refused() {
    let host = Host::start(
        &echo_conf("").replace("<listener", "<limits>\nmax-header-size 9KB\n</limits>\n<listener"),
    );
    check_status(&host, &[(echo().with("X-Much", &"x".repeat(8000)), 101)]);
    check_status(&host, &[(echo().with("X-Much", &"x".repeat(20_000)), 431)]);
    let many = (0..200).fold(echo(), |asked, number| asked.with(&format!("X-{number}"), ""));
    check_status(&host, &[(many, 431)]);
    check_status(&host, &[(Handshake::new(&format!("/echo/{}", "x".repeat(20_000))), 431)]);
}

#[test]
fn what_is_no_http_is_told_so_and_cut() {
    let host = Host::start(&echo_conf(""));
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..],
        b"hello\r\n\r\n",
        b"GET /echo\r\n\r\n",
        b"GET /echo HTTP/9.9\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nno colon\r\n\r\n",
        b"\x00\x00\x00\x00\r\n\r\n",
    ] {
        let mut client = Client::connect(&host.addr("main"));
        client.send_raw(garbage);
        let response = client.response();
        assert_eq!(response.status, 400, "{garbage:?}");
        client.read_to_end();
    }
    check_status(&host, &[(echo(), 101)]);
}

/// hyper keeps no clock over its connections: one request, and they would stay for ever.
#[test]
fn http_2_is_not_spoken() {
    let host = Host::start(&echo_conf(""));
    let mut client = Client::connect(&host.addr("main"));
    client.send_raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    let (said, _) = client.read_to_end();
    assert_eq!(said, b"");
    check_status(&host, &[(echo(), 101)]);
}

#[test]
fn frames_in_the_packet_of_the_handshake_are_answered() {
    let host = Host::start(&echo_conf(""));
    let mut client = Client::connect(&host.addr("main"));
    let early = [frame(0x81, b"early"), frame(0x82, &[7; 70_000]), frame(0x01, b"be")].concat();
    client.send_raw(&[echo().bytes(), early].concat());
    let response = client.response();
    assert_eq!(response.status, 101);
    let mut ws = client.upgraded();
    ws.raw(&frame(0x80, b"gun"));
    ws.expect_text("early");
    ws.expect_binary(&[7; 70_000]);
    ws.expect_text("begun");
}

#[test]
fn a_handshake_may_come_byte_by_byte_and_after_other_requests() {
    let host = Host::start(&echo_conf(""));
    let mut client = Client::connect(&host.addr("main"));
    assert_eq!(client.get("/other").status, 404);
    assert_eq!(client.get("/echo").status, 426);
    for byte in echo().bytes() {
        client.send_raw(&[byte]);
    }
    assert_eq!(client.response().status, 101);
    client.upgraded().echo("hello");
}

#[test]
fn the_host_that_is_asked_for_decides_between_sections() {
    let section = |name: &str, host: &str| {
        format!("<websocket /echo>\n{host}\nsubprotocol {name}\n<plugin echo/>\n</websocket>\n")
    };
    let host = Host::start(&conf(
        &[
            section("any", ""),
            section("www", "host www.example.org"),
            section("below", "host *.example.org"),
        ]
        .concat(),
    ));
    let offered = "any, www, below";
    for (name, expected) in [
        ("www.example.org", "www"),
        ("WWW.Example.ORG:8080", "www"),
        ("a.example.org", "below"),
        ("a.b.example.org:1", "below"),
        ("example.org", "any"),
        ("other.test", "any"),
    ] {
        let response =
            ask(&host, &echo().set("Host", name).with("Sec-WebSocket-Protocol", offered));
        assert_eq!(response.header("sec-websocket-protocol"), Some(expected), "{name}");
    }
    let absolute =
        echo().line("GET http://www.example.org/echo HTTP/1.1").set("Host", "other.test");
    let response = ask(&host, &absolute.with("Sec-WebSocket-Protocol", offered));
    assert_eq!(response.header("sec-websocket-protocol"), Some("www"), "the target's host counts");
}

#[test]
fn a_section_answers_on_its_own_listener_only() {
    let host = Host::start(&conf(
        "
        <listener inner>
          address 127.0.0.1:0
        </listener>
        <websocket /inner>
          listener inner
          <plugin echo/>
        </websocket>
        <websocket /both>
          <plugin echo/>
        </websocket>",
    ));
    for (listener, path, status) in [
        ("main", "/inner", 404),
        ("main", "/both", 101),
        ("inner", "/inner", 101),
        ("inner", "/both", 101),
    ] {
        let response = Client::connect(&host.addr(listener)).upgrade(path, &[]);
        assert_eq!(response.status, status, "{path} on {listener}");
    }
}

#[test]
fn a_full_endpoint_asks_to_come_again() {
    let host = Host::start(&echo_conf("<limits>\nmax-connections 1\n</limits>"));
    let mut first = Client::ws(&host.addr("main"), "/echo");
    let response = ask(&host, &echo());
    assert_eq!(response.status, 503);
    assert_eq!(response.header("retry-after"), Some("1"));
    assert!(response.text().contains("/echo has as many connections as its conf allows"));
    first.echo("still here");
    drop(first);
    // When the host has noticed that the first has left.
    let end = Instant::now() + PATIENCE;
    while ask(&host, &echo()).status != 101 {
        assert!(Instant::now() < end, "the place is not given back");
    }
}

// Unix listeners

const UNIX: &str = "
    <listener main>
      address run/main.sock
      socket-mode 0600
    </listener>
    <websocket /echo>
      <plugin echo/>
    </websocket>
    plugin-path @PLUGINS@";

fn home_for_unix() -> Home {
    let home = Home::new();
    fs::create_dir(home.join("run")).unwrap();
    home
}

#[test]
fn a_unix_socket_has_its_mode_and_goes_with_the_host() {
    let mut host = Host::start_in(home_for_unix(), UNIX);
    let socket = host.dir().join("run/main.sock");
    assert_eq!(host.addr("main"), socket.to_str().unwrap());
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let mut ws = Client::ws(&host.addr("main"), "/echo");
    ws.echo("over a Unix socket");
    ws.binary(&vec![3; 300_000]);
    ws.expect_binary(&vec![3; 300_000]);
    drop(ws);
    assert!(host.stop().success());
    assert!(!socket.exists());
}

#[test]
fn the_socket_of_a_host_that_was_killed_is_swept() {
    let home = home_for_unix();
    drop(UnixListener::bind(home.join("run/main.sock")).unwrap());
    let host = Host::start_in(home, UNIX);
    Client::ws(&host.addr("main"), "/echo").echo("hello");
}

#[test]
fn a_socket_on_which_another_listens_is_left_alone() {
    let home = home_for_unix();
    let _other = UnixListener::bind(home.join("run/main.sock")).unwrap();
    let (status, log) = Host::fails_in(home, UNIX);
    assert_eq!(status.code(), Some(1));
    assert!(log.contains("<listener main> address"), "{log}");
    assert!(log.contains("run/main.sock"), "{log}");
    assert!(log.contains("another process listens there"), "{log}");
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let home = home_for_unix();
    home.write("run/main.sock", b"dear diary");
    let (_, log) = Host::fails_in(home, UNIX);
    assert!(log.contains("there is a file that is no socket"), "{log}");
}

#[test]
fn a_port_that_is_taken_is_named() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let (status, log) = Host::fails(&echo_conf("").replace("127.0.0.1:0", &address));
    assert_eq!(status.code(), Some(1));
    assert!(log.contains(&format!("<listener main> address {address}")), "{log}");
    assert!(log.contains("another process listens there"), "{log}");
}
