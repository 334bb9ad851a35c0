//! Programs that are wrong: the host names them and goes on.

use std::time::{Duration, Instant};

use super::{again, beside, goes_on, section, ws};
use crate::support::{self, Host};

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
        // Only who is never ready is to be out of time, also on a busy machine.
        let start = if how == "never-ready" { "1s" } else { "60s" };
        let host = beside(how, &format!("start-timeout {start}\nstop-timeout 1s"), "");
        host.wait_for_log(said);
        goes_on(&host);
        // Each run breaks it once, whatever comes behind.
        let log = host.log();
        let (faults, runs) = (log.matches("broke the protocol"), log.matches("/bad: started"));
        assert!(faults.count() <= runs.count(), "{log}");
    }
}

#[test]
fn a_fault_on_the_link_ends_the_link() {
    for (how, said) in [
        ("garbage", "/bad: it broke the protocol: frame type 0x7f is unknown"),
        ("length", "/bad: it broke the protocol: CREDIT with a body of the wrong length"),
        ("huge", "/bad: it broke the protocol: a frame of 4294967280 bytes"),
        ("unknown-stream", "/bad: it broke the protocol: stream 1001 was never opened"),
        ("never-opened-mcast", "/bad: it broke the protocol: stream 1001 was never opened"),
        ("unfinished-publish", "/bad: it broke the protocol: a fragment does not fit"),
        ("two-numbers", "/bad: it broke the protocol: topic 2 has a name already"),
        ("pings", "/bad: it broke the protocol: too many PING"),
        (
            "unagreed",
            "/bad: it broke the protocol: STATE belongs to resume/1, which was not agreed",
        ),
        ("forks", "/bad: the program has ended: exit status 0"),
    ] {
        let host = beside("good", "", "");
        host.wait_for_log("/bad: ready");
        let mut client = ws(&host, "/bad");
        client.text(&format!("!bad {how}"));
        client.expect_close(1012);
        host.wait_for_log(said);
        goes_on(&host);
        again(&host, "/bad", 2).echo("back");
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
    goes_on(&host);
}

#[test]
fn a_program_that_never_says_closed_has_its_time() {
    let host = beside("never-closed", "", "<limits>\nclose-timeout 1s\n</limits>");
    host.wait_for_log("/bad: ready");
    let mut client = ws(&host, "/bad");
    client.close(1000, "");
    client.expect_close(1000);
    client.expect_eof();
    host.wait_for_log("/bad: stream 1 is reset: no CLOSED in time");
    ws(&host, "/bad").echo("no harm");
    goes_on(&host);
}

#[test]
fn pings_that_waited_for_the_host_are_taken() {
    let host = beside("good", "", "");
    host.wait_for_log("/bad: ready");
    let mut client = ws(&host, "/bad");
    client.text("!pings 10");
    client.expect_text("asked");
    client.echo("and on");
}
