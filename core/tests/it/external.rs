//! `<external>`: a program answers, and what it does wrong harms nobody else.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{self, Client, Event, Home, Host, PATIENCE, Ws, frame};

/// Between two looks at what tells nobody when it changes.
const PAUSE: Duration = Duration::from_millis(20);

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/programs/endpoint.py")
}

/// A section whose program behaves like `how`; `keys` stand in `<external>`, `inside` around it.
fn section(prefix: &str, how: &str, keys: &str, inside: &str) -> String {
    let script = script().display().to_string();
    format!(
        "<websocket {prefix}>\n{inside}\n<external>\nprogram python3 -B\nargument {script}\n\
         argument {how}\n{keys}\n</external>\n</websocket>\n"
    )
}

fn good_with(inside: &str) -> Host {
    let host = Host::start(&support::conf(&section("/good", "good", "", inside)));
    host.wait_for_log("/good: ready");
    host
}

fn good() -> Host {
    good_with("")
}

/// A program that behaves like `how` at `/bad`, and a good one at `/good`.
fn beside(how: &str, keys: &str, inside: &str) -> Host {
    let both = section("/bad", how, keys, inside) + &section("/good", "good", "", "");
    let host = Host::start(&support::conf(&both));
    host.wait_for_log("/good: ready");
    host
}

fn ws(host: &Host, path: &str) -> Ws {
    Client::ws(&host.addr("main"), path)
}

/// The program at `/good` answers.
fn goes_on(host: &Host) {
    ws(host, "/good").echo("still here");
}

/// Until the endpoint answers again, as its log cannot tell one "ready" from another.
fn again(host: &Host, path: &str) -> Ws {
    let end = Instant::now() + PATIENCE;
    loop {
        let mut client = Client::connect(&host.addr("main"));
        let response = client.upgrade(path, &[]);
        if response.status == 101 {
            return client.upgraded();
        }
        assert_eq!(response.status, 503, "{response:?}");
        assert!(Instant::now() < end, "it does not come back");
        std::thread::sleep(PAUSE);
    }
}

fn pid(ws: &mut Ws) -> Pid {
    ws.text("!pid");
    match ws.next() {
        Event::Text(pid) => Pid::from_raw(pid.parse().unwrap()).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// Waits until there is no such process, or only what its parent has not fetched yet.
fn wait_gone(pid: Pid) {
    let end = Instant::now() + PATIENCE;
    let stat = format!("/proc/{}/stat", pid.as_raw_nonzero());
    while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < end, "the program still runs");
        std::thread::sleep(PAUSE);
    }
}

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
fn a_program_that_does_not_start_is_named() {
    let missing = "<websocket /bad>\n<external>\nprogram /nowhere/program\n</external>\n\
                   </websocket>\n";
    let host =
        Host::start(&support::conf(&(missing.to_owned() + &section("/good", "good", "", ""))));
    host.wait_for_log("/bad: /nowhere/program: No such file");
    host.wait_for_log("/good: ready");
    goes_on(&host);
}

#[test]
fn a_program_that_exits_at_once_is_started_later_each_time() {
    let begun = Instant::now();
    let host = beside("exits", "", "");
    // The number is the fifth start of both endpoints, so the fourth of this one.
    host.wait_for_log("/bad: run 5 exits");
    let waits = Duration::from_millis(100 + 200 + 400).mul_f64(0.75);
    assert!(begun.elapsed() >= waits, "{:?}", begun.elapsed());
    host.wait_for_log("/bad: the program has ended: exit status 3");
    goes_on(&host);
}

#[test]
fn a_bad_start_is_named() {
    for (how, said) in [
        ("never-ready", "/bad: it was not ready within 1s"),
        ("future", "/bad: it broke the protocol: the program speaks versions 7 to 9"),
        ("garbage", "/bad: it broke the protocol: "),
        ("dead", "/bad: it gave no sign of life"),
    ] {
        let host = beside(how, "start-timeout 1s\nstop-timeout 1s", "");
        host.wait_for_log(said);
        goes_on(&host);
    }
}

#[test]
fn a_fault_on_the_link_ends_the_link() {
    for (how, said) in [
        ("garbage", "/bad: it broke the protocol: "),
        ("length", "/bad: it broke the protocol: "),
        ("huge", "/bad: it broke the protocol: "),
        ("unknown-stream", "/bad: it broke the protocol: "),
        ("forks", "/bad: the program has ended: exit status 0"),
    ] {
        let host = beside("good", "", "");
        host.wait_for_log("/bad: ready");
        let mut client = ws(&host, "/bad");
        client.text(&format!("!bad {how}"));
        client.expect_close(1012);
        host.wait_for_log(said);
        goes_on(&host);
        again(&host, "/bad").echo("back");
    }
}

#[test]
fn a_fault_on_a_stream_ends_the_stream() {
    for (how, said) in [("text", "no UTF-8"), ("stream-credit", "credit")] {
        let host = beside("counts", "", "<limits>\nsoft-backlog 64KB\n</limits>");
        host.wait_for_log("/bad: ready");
        let mut other = ws(&host, "/bad");
        other.echo("before");
        let mut client = ws(&host, "/bad");
        client.text(&format!("!bad {how}"));
        host.wait_for_log("/bad: it broke the protocol on stream ");
        assert!(host.log().contains(said), "{said}");
        while matches!(client.next_unless_close(1011), Event::Binary(_)) {}
        other.echo("after");
    }
}

#[test]
fn data_after_the_end_is_dropped() {
    let host = beside("data-after-closed", "", "");
    host.wait_for_log("/bad: ready");
    let mut other = ws(&host, "/bad");
    let mut client = ws(&host, "/bad");
    client.close(1000, "");
    client.expect_close(1000);
    client.expect_eof();
    host.wait_for_log("/bad: sent after CLOSED");
    other.echo("no harm");
}

#[test]
fn a_program_that_never_says_closed_has_its_time() {
    let host = beside("never-closed", "", "<limits>\nclose-timeout 1s\n</limits>");
    host.wait_for_log("/bad: ready");
    let mut client = ws(&host, "/bad");
    client.close(1000, "");
    client.expect_close(1000);
    client.expect_eof();
    ws(&host, "/bad").echo("no harm");
}

#[test]
fn a_program_that_stops_reading_stalls_only_its_clients() {
    let host = beside("good", "stop-timeout 1s", "");
    host.wait_for_log("/bad: ready");
    let mut client = ws(&host, "/bad");
    client.text("!bad stops-reading");
    host.wait_for_log("/bad: reads no more");
    let sent = client.client().send_until_stalled(&frame(0x82, &[0; 1 << 20]).repeat(64));
    assert!(sent < 64 << 20, "the host takes {sent} bytes");
    goes_on(&host);
}

#[test]
fn a_program_that_writes_for_ever_harms_its_client_only() {
    let host = beside("good", "stop-timeout 1s", "");
    host.wait_for_log("/bad: ready");
    let mut client = ws(&host, "/bad");
    client.text("!bad writes-for-ever");
    for _ in 0..20 {
        goes_on(&host);
    }
    assert!(host.resident_bytes() < 200 << 20, "{}", host.resident_bytes());
}

#[test]
fn a_killed_program_comes_back() {
    let host = beside("good", "", "");
    host.wait_for_log("/bad: ready");
    let mut beside = ws(&host, "/good");
    let mut client = ws(&host, "/bad");
    kill_process(pid(&mut client), Signal::KILL).unwrap();
    client.expect_close(1012);
    beside.echo("did not notice");
    again(&host, "/bad").echo("back");
    host.wait_for_log("/bad: the program has ended: killed by signal 9");
}

#[test]
fn what_a_program_wrote_before_its_end_is_taken() {
    let host = good();
    for _ in 0..5 {
        let mut client = again(&host, "/good");
        client.text("!die");
        client.expect_text("last words");
        client.expect_close(1012);
    }
}

#[test]
fn no_program_outlives_a_killed_host() {
    let mut host = beside("ignores-the-end", "", "");
    let good = pid(&mut ws(&host, "/good"));
    host.wait_for_log("/bad: deaf");
    let log = host.log();
    let bad = log.lines().find(|line| line.contains("/bad: started")).unwrap();
    let bad = bad.rsplit_once('(').unwrap().1.trim_end_matches(')');
    let bad = Pid::from_raw(bad.parse().unwrap()).unwrap();
    host.signal(Signal::KILL);
    host.wait();
    wait_gone(good);
    wait_gone(bad);
}

#[test]
fn a_program_that_does_not_end_is_killed_and_the_host_ends_well() {
    let mut host = beside("ignores-the-end", "stop-timeout 0.5s", "");
    host.wait_for_log("/bad: deaf");
    let status = host.stop();
    assert!(status.success(), "{status:?}");
    host.wait_for_log("/bad: the program still runs: SIGTERM");
    host.wait_for_log("/bad: the program still runs: SIGKILL");
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
fn a_host_that_stops_does_not_wait_longer_than_its_own_timeout() {
    // Both outlast their stop-timeout; one of them was being ended already.
    let sections = section("/one", "ignores-the-end", "stop-timeout 1h", "")
        + &section("/two", "ignores-garbage", "stop-timeout 1h", "");
    let mut host = Host::start(&format!("stop-timeout 3s\n{}", support::conf(&sections)));
    host.wait_for_log("/one: deaf");
    host.wait_for_log("/two: deaf");
    host.wait_for_log("/two: it was told to go away");
    let status = host.stop();
    assert!(status.success(), "{status:?}");
}
