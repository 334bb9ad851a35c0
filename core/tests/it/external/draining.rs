//! DRAIN: a program lets its clients go, or the host has it let them go.

use rustix::process::Signal;

use super::{again, beside, goes_on, good, section, ws};
use crate::support::{self, Client, Host};

#[test]
fn last_words_leave_before_the_deadline() {
    let conf = support::conf(&section("/good", "drains", "drain-timeout 20s", ""));
    let mut host = Host::start(&format!("stop-timeout 80s\n{conf}"));
    host.wait_for_log("/good: ready");
    let mut clients = [ws(&host, "/good"), ws(&host, "/good")];
    for client in &mut clients {
        client.echo("here");
    }
    host.signal(Signal::TERM);
    for client in &mut clients {
        client.expect_text("last words");
        assert_eq!(client.expect_close(4000), "bye");
    }
    assert!(host.wait().success());
    let log = host.log();
    assert!(log.contains("/good: drain 1 within 20000 ms"), "{log}");
    assert!(!log.contains("drain-timeout is over"), "{log}");
}

#[test]
fn who_ignores_drain_is_served_until_the_deadline() {
    let mut host = beside("good", "drain-timeout 2s", "");
    host.wait_for_log("/bad: ready");
    let mut client = ws(&host, "/bad");
    host.signal(Signal::TERM);
    host.wait_for_log("/bad: drain 1 within 2000 ms");
    client.echo("still served");
    client.expect_close(1001);
    client.expect_eof();
    assert!(host.wait().success());
    host.wait_for_log("/bad: drain-timeout is over");
    host.wait_for_log("/bad: the program has ended: exit status 0");
}

#[test]
fn a_program_without_clients_is_not_waited_for() {
    let mut host = beside("good", "drain-timeout 60s\nstop-timeout 60s", "");
    host.wait_for_log("/bad: ready");
    assert!(host.stop().success());
    assert!(!host.log().contains("/bad: drain"), "{}", host.log());
}

#[test]
fn a_program_that_wants_to_end_gets_no_new_clients_and_then_ends() {
    let host = good();
    let mut client = ws(&host, "/good");
    client.text("!drain 0");
    client.expect_text("draining");
    host.wait_for_log("/good: it lets its clients go: enough");
    assert_eq!(Client::connect(&host.addr("main")).upgrade("/good", &[]).status, 503);
    client.echo("still served");
    client.close(1000, "");
    client.expect_close(1000);
    host.wait_for_log("/good: the program has ended: exit status 0");
    again(&host, "/good", 2).echo("another run");
}

#[test]
fn clients_of_a_program_that_wants_to_end_have_its_time() {
    let host = beside("good", "", "");
    host.wait_for_log("/bad: ready");
    let mut client = ws(&host, "/bad");
    client.text("!drain 500");
    client.expect_text("draining");
    client.expect_close(1012);
    again(&host, "/bad", 2).echo("another run");
    goes_on(&host);
}
