//! What a client promises costs nothing until it comes: long frames of which there is only the head,
//! and gigabytes that stand in a few bytes.

use std::iter::repeat_with;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use switchboard_websocket::deflate::{Agreed, Deflater, Engine};
use switchboard_websocket::handshake::deflate::Offer;
use switchboard_websocket::{Kind, Role};

use crate::support::{self, Client, Host, Ws, frame};

/// FIN and an opcode: RFC 6455, section 5.2.
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const MIB: usize = 1 << 20;

/// What a connection may cost more than before: measured is 0, and a page of the heap is no fault.
const SLACK_BYTES: usize = 64;
/// What a bomb may cost above the limit: measured are at most 0.13 MB, the input and the engine.
const BOMB_SLACK_BYTES: usize = MIB;

/// The ways to be connected: to an endpoint with this `compression`, compressing or not.
const WAYS: [(&str, bool); 4] =
    [("off", false), ("dedicated", false), ("shared", true), ("dedicated", true)];

fn start(compression: &str, limits: &str) -> (Host, String) {
    let conf = format!(
        "worker-threads 1\n<limits>\nping-interval 0\n{limits}\n</limits>\n{}",
        support::echo_conf(&format!("compression {compression}"))
    );
    let host = Host::start(&conf);
    let addr = host.addr("main");
    (host, addr)
}

fn connect(addr: &str, deflates: bool) -> Ws {
    match deflates {
        true => Client::deflating(addr, "/echo", &Offer::default()),
        false => Client::ws(addr, "/echo"),
    }
}

// ---- frames

/// The head of a masked frame of 1 GiB: RFC 6455, section 5.2.
fn head_of_a_gibibyte(first: u8) -> Vec<u8> {
    [&[first, 0x80 | 127][..], &(1_u64 << 30).to_be_bytes(), &[1, 2, 3, 4]].concat()
}

/// Connections that have sent and received one message.
fn idle(addr: &str, deflates: bool, count: usize) -> Vec<Ws> {
    let connect = || {
        let mut ws = connect(addr, deflates);
        ws.echo("a message before");
        ws
    };
    repeat_with(connect).take(count).collect()
}

/// 1,000, or as many as the environment says: `make idle` asks for 10,000.
fn connections() -> usize {
    let count = std::env::var("DECLARED_CONNECTIONS");
    count.map_or(1000, |count| count.parse().expect("DECLARED_CONNECTIONS is a number"))
}

/// Each connection has a file in this process, whose limit is often just as many.
fn allow_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
}

/// So many connections, and the same after each has declared a gibibyte; `deflates` says whether
/// that is a compressed one.
fn check_declared(compression: &str, deflates: bool) {
    let (mut host, addr) = start(compression, "max-message-size 2GB\nclose-timeout 1s");
    // What the first ones allocate once is not theirs.
    let _first = idle(&addr, deflates, 100);
    let count = connections();
    let mut connections = idle(&addr, deflates, count);
    let with_idle = host.resident_bytes();
    let declared = head_of_a_gibibyte(BINARY | if deflates { RSV1 } else { 0 });
    for ws in &mut connections {
        // In one write: who hears the answer to the first knows that the second was read.
        ws.raw(&[frame(TEXT, b"here"), declared.clone()].concat());
        ws.expect_text("here");
    }
    let grown = host.resident_bytes().saturating_sub(with_idle);
    println!("compression {compression}, deflates: {deflates}: {grown} bytes more for {count}");
    assert!(
        grown < count * SLACK_BYTES,
        "{compression}, deflates: {deflates}: {grown} bytes more for {count} connections"
    );
    // None of them was refused meanwhile.
    host.signal(Signal::TERM);
    for ws in &mut connections {
        ws.expect_close(1001);
    }
    drop(connections);
    assert!(host.wait().success());
}

#[test]
fn a_declared_gibibyte_costs_no_more_than_an_idle_connection() {
    allow_files();
    for (compression, deflates) in WAYS {
        check_declared(compression, deflates);
    }
}

// ---- bombs

/// A MiB of zeros that refers to nothing before it, again and again in one deflate stream
/// (RFC 7692, section 7.2.1). 4096 of them, 4 GiB, take 4 MiB.
fn mebibytes_of_zeros(count: usize) -> Vec<u8> {
    let (mut engine, mut out) = (Engine::default(), Vec::new());
    let mut deflater = Deflater::new(Role::Server, &Agreed::default(), 0);
    deflater.write_message(&mut engine, &mut out, Kind::Binary, &vec![0; MIB], None);
    assert_eq!(out[..2], [BINARY | RSV1, 126], "its length takes 16 bits");
    vec![&out[4..]; count].join(&[0, 0, 0xff, 0xff][..])
}

/// The bomb in so many frames, none of which is too long in itself, against a limit in MiB.
fn check_bomb(compression: &str, limit: usize, frames: usize) {
    let limits = format!("max-message-size {limit}MB\nmax-frame-size {limit}MB");
    let (host, addr) = start(compression, &limits);
    let bomb = mebibytes_of_zeros(4096);
    let mut bystander = connect(&addr, true);
    bystander.echo("before");
    for _ in 0..3 {
        let mut ws = connect(&addr, true);
        host.reset_peak();
        let before = host.resident_bytes();
        let mut first = BINARY & !FIN | RSV1;
        for part in bomb.chunks(bomb.len().div_ceil(frames)) {
            // It may be closed long before the last.
            if ws.client().try_send(&frame(first, part)).is_err() {
                break;
            }
            first = 0;
        }
        ws.expect_close(1009);
        let grown = host.peak_bytes().saturating_sub(before);
        println!("{compression}, limit {limit} MiB, {frames} frames: {grown} bytes more");
        assert!(
            grown < limit * MIB + BOMB_SLACK_BYTES,
            "{compression}, {frames} frames: {grown} bytes for a message of at most {limit} MiB"
        );
        bystander.echo("still served");
    }
    let reason = format!("a message is longer than {} bytes", limit * MIB);
    host.wait_for_log_times(&reason, 3);
}

#[test]
fn four_gibibytes_of_zeros_cost_no_more_than_the_limit() {
    for compression in ["shared", "dedicated"] {
        for (limit, frames) in [(1, 1000), (16, 1), (16, 1000)] {
            check_bomb(compression, limit, frames);
        }
    }
}

#[test]
fn as_many_of_these_zeros_as_the_limit_come_back() {
    for compression in ["shared", "dedicated"] {
        let (_host, addr) = start(compression, "max-message-size 16MB");
        let mut ws = connect(&addr, true);
        ws.raw(&frame(BINARY | RSV1, &mebibytes_of_zeros(16)));
        ws.expect_binary(&vec![0; 16 * MIB]);
        ws.raw(&frame(BINARY | RSV1, &mebibytes_of_zeros(17)));
        ws.expect_close(1009);
    }
}
