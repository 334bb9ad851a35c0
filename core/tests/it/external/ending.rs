//! How programs and the host end.

use rustix::process::{Pid, Signal, kill_process};

use super::{again, beside, good, pid, section, wait_gone, watch, ws};
use crate::support::{self, Host};

#[test]
fn a_killed_program_comes_back() {
    let host = beside("good", "", "");
    host.wait_for_log("/bad: ready");
    let mut beside = ws(&host, "/good");
    let mut client = ws(&host, "/bad");
    kill_process(pid(&mut client), Signal::KILL).unwrap();
    client.expect_close(1012);
    beside.echo("did not notice");
    again(&host, "/bad", 2).echo("back");
    host.wait_for_log("/bad: the program has ended: killed by signal 9");
}

#[test]
fn what_a_program_wrote_before_its_end_is_taken() {
    let host = good();
    for run in 1..=5 {
        let mut client = again(&host, "/good", run);
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
    let (good, bad) = (watch(good), watch(bad));
    host.signal(Signal::KILL);
    host.wait();
    wait_gone(&good);
    wait_gone(&bad);
}

#[test]
fn a_program_that_was_stopped_is_killed_and_comes_back() {
    let host = beside("beats", "stop-timeout 1h", "");
    host.wait_for_log("/bad: ready");
    let mut client = ws(&host, "/bad");
    kill_process(pid(&mut client), Signal::STOP).unwrap();
    client.expect_close(1012);
    host.wait_for_log("/bad: it gave no sign of life");
    host.wait_for_log("/bad: the program still runs: SIGKILL");
    again(&host, "/bad", 2).echo("back");
    assert!(!host.log().contains("SIGTERM"), "{}", host.log());
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
