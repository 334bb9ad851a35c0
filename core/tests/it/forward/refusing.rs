//! Servers that do not become one: the client learns why, and the log names the culprit.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::{forward, server, ws};
use crate::support::{Client, Host, Response, echo_conf};

use server::Server;

/// What a client gets while `server` does what it does.
fn refused(keys: &str, server: impl FnOnce(TcpListener) + Send + 'static) -> (Response, Host) {
    let listener = server::listen();
    let host = forward(&server::url(&listener), keys, "");
    let running = std::thread::spawn(move || server(listener));
    let response = Client::connect(&host.addr("main")).upgrade("/app", &[]);
    running.join().unwrap();
    (response, host)
}

fn check(status: u16, reason: &str, keys: &str, server: impl FnOnce(TcpListener) + Send + 'static) {
    let (response, host) = refused(keys, server);
    let text = response.text();
    assert_eq!(response.status, status, "{text}");
    assert!(text.contains(reason), "{text:?} does not say {reason:?}");
    host.wait_for_log(reason);
    assert!(host.log().contains("the server ws://127.0.0.1:"), "the culprit is named");
}

/// A server that answers each request with `answer`.
fn answers(answer: &'static str) -> impl FnOnce(TcpListener) + Send {
    move |listener| {
        let mut server = Server::accept(&listener);
        server.raw(answer.as_bytes());
        server.expect_over();
    }
}

#[test]
fn a_server_that_is_not_there_is_502() {
    // Bound and not listening: nobody else gets the port while the test runs.
    let bound = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    bound.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let port = bound.local_addr().unwrap().as_socket().unwrap().port();
    let host = forward(&format!("ws://127.0.0.1:{port}/"), "", "");
    let response = Client::connect(&host.addr("main")).upgrade("/app", &[]);
    assert_eq!(response.status, 502, "{}", response.text());
    assert!(response.text().contains("Connection refused"), "{}", response.text());
    host.wait_for_log("Connection refused");
    assert!(host.log().contains("the server ws://127.0.0.1:"), "the culprit is named");
}

#[test]
fn a_server_that_hangs_up_is_502() {
    let accept = |listener: TcpListener| drop(Server::accept(&listener));
    check(502, "it ended the connection before it answered", "", accept);
}

#[test]
fn a_web_server_is_502() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<html>hi</html>";
    check(502, "answered 200 instead of 101", "", answers(answer));
    let answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
    check(502, "answered 403 instead of 101", "", answers(answer));
    check(502, "does not speak HTTP/1", "", answers("SSH-2.0-OpenSSH_9.2\r\n"));
}

#[test]
fn a_wrong_accept_key_is_502() {
    let answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    check(502, "Sec-WebSocket-Accept does not answer the key", "", answers(answer));
}

#[test]
fn a_choice_that_was_not_offered_is_502() {
    let agrees = |more: &'static str| {
        move |listener: TcpListener| Server::accept(&listener).agree(more).expect_over()
    };
    check(502, "which was not offered", "", agrees("Sec-WebSocket-Protocol: chat\r\n"));
    // A forward offers no compression, so there is no right way to agree to some.
    for extension in [
        "Sec-WebSocket-Extensions: permessage-deflate\r\n",
        "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n",
        "Sec-WebSocket-Extensions:\r\nSec-WebSocket-Extensions: x-other\r\n",
        "Sec-WebSocket-Extensions: no list;\r\n",
    ] {
        check(502, "which was not asked for", "", agrees(extension));
    }
}

#[test]
fn a_head_without_end_is_502() {
    check(502, "is longer than 16384 bytes", "", |listener| {
        let mut server = Server::accept(&listener);
        server.raw(b"HTTP/1.1 101 Switching Protocols\r\n");
        server.raw(&b"X-Filler: 0123456789012345678901234567890123456789\r\n".repeat(400));
        server.expect_over();
    });
}

#[test]
fn a_server_that_says_nothing_is_504() {
    let begun = Instant::now();
    check(504, "it did not answer the handshake within 1s", "connect-timeout 1s", |listener| {
        Server::accept(&listener).expect_over();
    });
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[test]
fn half_an_answer_is_504() {
    check(504, "it did not answer the handshake within 1s", "connect-timeout 1s", |listener| {
        let mut server = Server::accept(&listener);
        let head = server.switching("");
        server.raw(&head.as_bytes()[..head.len() - 1]);
        server.expect_over();
    });
}

#[test]
fn the_hosts_own_patience_comes_last() {
    let listener = server::listen();
    let limits = "<limits>\nhandshake-timeout 1s\n</limits>";
    let host = forward(&server::url(&listener), "connect-timeout 1h", limits);
    let response = Client::connect(&host.addr("main")).upgrade("/app", &[]);
    assert_eq!(response.status, 504, "{}", response.text());
}

#[test]
fn a_server_whose_queue_is_full_is_504() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("full.sock");
    let listener = UnixListener::bind(&path).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let _waiting = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let url = format!("ws+unix:{}:/", path.display());
    let host = forward(&url, "connect-timeout 1s", "");
    let response = Client::connect(&host.addr("main")).upgrade("/app", &[]);
    assert_eq!(response.status, 504);
    assert!(response.text().contains("it did not take the connection within 1s"));
}

#[test]
fn a_name_that_nobody_knows_is_502() {
    let host = forward("ws://name.invalid:9000/", "", "");
    let response = Client::connect(&host.addr("main")).upgrade("/app", &[]);
    let text = response.text();
    assert_eq!(response.status, 502, "{text}");
    assert!(text.contains("the name \"name.invalid\" cannot be resolved"), "{text}");
}

#[test]
fn a_socket_that_is_not_there_is_502() {
    let host = forward("ws+unix:./none.sock", "", "");
    let response = Client::connect(&host.addr("main")).upgrade("/app", &[]);
    assert_eq!(response.status, 502);
    assert!(response.text().contains("No such file"), "{}", response.text());
}

#[test]
fn without_debug_mode_only_the_log_says_why() {
    let listener = server::listen();
    let url = server::url(&listener);
    drop(listener);
    let conf = super::forward_conf(&url, "", "").replace("debug-mode on", "debug-mode off");
    let host = Host::start(&conf);
    let response = Client::connect(&host.addr("main")).upgrade("/app", &[]);
    assert_eq!((response.status, response.text().as_str()), (502, "502 Bad Gateway\n"));
    host.wait_for_log("Connection refused");
}

#[test]
fn a_client_that_leaves_meanwhile_takes_the_server_with_it() {
    let listener = server::listen();
    let host = forward(&server::url(&listener), "", "");
    let mut client = Client::connect(&host.addr("main"));
    client.send_raw(&crate::support::Handshake::new("/app").bytes());
    let mut server = Server::accept(&listener);
    drop(client);
    server.expect_over();
}

#[test]
fn a_server_that_comes_back_is_used_at_once() {
    // An address of this test's own, so that nobody else takes the port in between.
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let listener = TcpListener::bind((format!("127.84.{high}.{low}"), 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let host = forward(&format!("ws://{addr}/echo"), "", "");
    assert_eq!(Client::connect(&host.addr("main")).upgrade("/app", &[]).status, 502);
    let _behind = Host::start(&echo_conf("").replace("127.0.0.1:0", &addr.to_string()));
    ws(&host).echo("there you are");
}
