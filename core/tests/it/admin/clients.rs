//! Clients of the control socket that do not behave.

use super::{client, get, socket, start};
use crate::support::{Client, Host};

/// All is as if nothing had been.
fn check(host: &Host) {
    assert_eq!(get(host, "/v1/status")["stopping"], false);
    Client::ws(&host.addr("main"), "/echo").echo("hello");
}

#[test]
fn silent_clients_do_not_keep_others_from_asking() {
    let host = start();
    // More than the host takes at one time, and than may wait to be accepted.
    let silent: Vec<Client> = (0..300)
        .map(|index| {
            let mut silent = client(&host);
            // The host has accepted the one before when this can be sent, or throws it out.
            if index % 2 == 0 {
                let _ = silent.try_send(b"GET /v1/status HTTP/1.1\r\nHost: ");
            }
            silent
        })
        .collect();
    check(&host);
    drop(silent);
    check(&host);
}

#[test]
fn clients_that_read_nothing_do_not_keep_others_from_asking() {
    let host = start();
    let deaf: Vec<Client> = (0..100)
        .map(|_| {
            let mut deaf = client(&host);
            deaf.send_raw(b"GET /v1/connections?limit=10000 HTTP/1.1\r\nHost: x\r\n\r\n");
            deaf
        })
        .collect();
    check(&host);
    drop(deaf);
    check(&host);
}

#[test]
fn what_is_no_request_is_refused_and_harms_nobody() {
    let host = start();
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(10_000));
    let cases: [&[u8]; 8] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\r\n\r\n\0\0\0\0",
        b"stop\n",
        b"GET /v1/status\r\n\r\n",
        b"POST /v1/stop HTTP/9.9\r\n\r\n",
        b"GET /v1/status HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        long.as_bytes(),
        many.as_bytes(),
    ];
    for bytes in cases {
        let mut client = client(&host);
        // The host may have refused it before it is all sent.
        let _ = client.try_send(bytes);
        client.finish();
        let (answer, _) = client.read_to_end();
        let shown = String::from_utf8_lossy(&answer).into_owned();
        assert!(shown.is_empty() || shown.starts_with("HTTP/1.1 4"), "{bytes:?}: {shown}");
        check(&host);
    }
    assert!(!host.log().contains("panicked"), "{}", host.log());
}

#[test]
fn one_that_leaves_at_once_is_no_news() {
    let host = start();
    for _ in 0..200 {
        drop(client(&host));
    }
    check(&host);
    assert!(!host.log().contains("WARN switchboard::admin"), "{}", host.log());
    assert!(socket(&host).exists());
}
