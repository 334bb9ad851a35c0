//! The end by signals: clients are told, and nobody holds the host for long.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{Client, Home, Host, Ws, echo_conf};

/// No limit ends the wait: only what the client does.
const PATIENT: &str = "close-timeout 1h";

fn start(stop_timeout: &str, limits: &str) -> Host {
    let echo = echo_conf(&format!("<limits>\n{limits}\n</limits>"));
    Host::start(&format!("stop-timeout {stop_timeout}\n{echo}"))
}

fn ws(host: &Host) -> Ws {
    let mut ws = Client::ws(&host.addr("main"), "/echo");
    ws.echo("hello");
    ws
}

fn expect_goodbye(ws: &mut Ws) {
    assert_eq!(ws.expect_close(1001), "the host stops");
}

fn check_clients_that_answer(signal: Signal, name: &str) {
    let mut host = start("1h", PATIENT);
    let mut clients: Vec<Ws> = (0..50).map(|_| ws(&host)).collect();
    host.signal(signal);
    for ws in &mut clients {
        expect_goodbye(ws);
        ws.close(1001, "");
        ws.expect_eof();
    }
    drop(clients);
    assert_eq!(host.wait().code(), Some(0));
    let log = host.log();
    assert!(log.contains(&format!("{name}: stopping")) && log.contains("stopped"), "{log}");
}

#[test]
fn clients_that_answer_let_the_host_end() {
    check_clients_that_answer(Signal::TERM, "SIGTERM");
}

#[test]
fn sigint_is_the_same() {
    check_clients_that_answer(Signal::INT, "SIGINT");
}

#[test]
fn a_host_without_clients_ends_at_once() {
    let mut host = start("1h", PATIENT);
    assert_eq!(host.stop().code(), Some(0));
}

#[test]
fn a_client_that_has_left_does_not_hold_the_host() {
    let mut host = start("1h", PATIENT);
    drop(ws(&host));
    let mut abrupt = ws(&host);
    abrupt.raw(b"\x81");
    drop(abrupt);
    assert_eq!(host.stop().code(), Some(0));
}

#[test]
fn a_client_that_never_answers_is_cut_after_its_close_timeout() {
    let mut host = start("1h", "close-timeout 1s");
    let (mut silent, mut polite) = (ws(&host), ws(&host));
    let begun = Instant::now();
    host.signal(Signal::TERM);
    expect_goodbye(&mut polite);
    polite.close(1001, "");
    polite.expect_eof();
    expect_goodbye(&mut silent);
    silent.expect_over();
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(host.wait().code(), Some(0));
}

#[test]
fn a_client_that_only_sends_does_not_hold_the_host() {
    let mut host = start("1h", "close-timeout 1s");
    let mut flood = ws(&host);
    flood.client().send_until_stalled(&crate::support::frame(0x82, &[1; 16 << 10]).repeat(3200));
    assert_eq!(host.stop().code(), Some(0));
}

#[test]
fn stop_timeout_ends_it_whatever_clients_do() {
    let mut host = start("1s", PATIENT);
    let mut silent = ws(&host);
    let begun = Instant::now();
    host.signal(Signal::TERM);
    expect_goodbye(&mut silent);
    silent.expect_over();
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(host.wait().code(), Some(0));
    assert!(host.log().contains("stop-timeout is over: 1 connections are cut"));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut host = start("1h", PATIENT);
    let mut silent = ws(&host);
    host.signal(Signal::TERM);
    expect_goodbye(&mut silent);
    host.signal(Signal::INT);
    assert_eq!(host.wait().code(), Some(1));
    silent.expect_over();
    assert!(host.log().contains("SIGINT again: 1 connections are cut"));
}

#[test]
fn nobody_gets_in_while_the_host_stops() {
    let mut host = start("1h", PATIENT);
    let addr = host.addr("main");
    let mut holds_it = ws(&host);
    let mut keeps_alive = Client::connect(&addr);
    assert_eq!(keeps_alive.get("/echo").status, 426);
    let mut silent = Client::connect(&addr);
    // It was accepted, since one behind it has been answered.
    assert_eq!(Client::connect(&addr).get("/echo").status, 426);
    host.signal(Signal::TERM);
    expect_goodbye(&mut holds_it);
    assert!(Client::try_connect(&addr).is_err());
    keeps_alive.expect_eof();
    silent.expect_eof();
    holds_it.close(1001, "");
    holds_it.expect_eof();
    drop(holds_it);
    assert_eq!(host.wait().code(), Some(0));
}

#[test]
fn half_a_request_does_not_hold_the_host() {
    let conf = format!("<limits>\nhandshake-timeout 1s\n</limits>\n{}", echo_conf(""));
    let mut host = Host::start(&format!("stop-timeout 1h\n{conf}"));
    let addr = host.addr("main");
    let mut half = Client::connect(&addr);
    half.send_raw(b"GET /echo HTTP/1.1\r\nHost: ");
    let mut again = Client::connect(&addr);
    assert_eq!(again.get("/echo").status, 426);
    again.send_raw(b"GET /echo HTTP/1.1\r\nHost: ");
    assert_eq!(host.stop().code(), Some(0));
    half.read_to_end();
    again.read_to_end();
}

#[test]
fn the_next_host_takes_the_same_port_at_once() {
    // An address of this test's own, so that nobody else takes the port in between.
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let first = format!("127.83.{high}.{low}:0");
    let mut host = Host::start(&echo_conf("").replace("127.0.0.1:0", &first));
    let addr = host.addr("main");
    let conf = echo_conf("").replace("127.0.0.1:0", &addr);
    for _ in 0..3 {
        let mut left_behind = ws(&host);
        host.signal(Signal::TERM);
        expect_goodbye(&mut left_behind);
        // The host ends the stream first, so the port stays in TIME_WAIT.
        left_behind.close(1001, "");
        left_behind.expect_eof();
        drop(left_behind);
        assert_eq!(host.wait().code(), Some(0));
        host = Host::start_in(host.into_home(), &conf);
        assert_eq!(host.addr("main"), addr);
    }
    ws(&host);
}

#[test]
fn a_host_that_was_killed_leaves_nothing_in_the_way() {
    let home = Home::new();
    fs::create_dir(home.join("run")).unwrap();
    let conf = echo_conf("").replace("127.0.0.1:0", "run/main.sock");
    let mut host = Host::start_in(home, &conf);
    for _ in 0..3 {
        let mut ws = ws(&host);
        host.signal(Signal::KILL);
        ws.expect_over();
        assert_eq!(host.wait().code(), None);
        host = Host::start_in(host.into_home(), &conf);
    }
    ws(&host);
    assert_eq!(host.stop().code(), Some(0));
}

#[test]
fn half_a_request_does_not_put_off_the_end() {
    let limits = "stop-timeout 1h\n<limits>\nhandshake-timeout 1h\n</limits>";
    let mut host = Host::start(&format!("{limits}\n{}", echo_conf("")));
    let mut ws = Client::ws(&host.addr("main"), "/echo");
    let mut client = Client::connect(&host.addr("main"));
    client.send_raw(b"GET /echo HTTP/1.1\r\nHost: ");
    // The host has it when it has answered a later client.
    ws.echo("later");
    host.signal(Signal::TERM);
    ws.expect_close(1001);
    ws.close(1001, "");
    assert!(host.wait().success());
}
