//! Who may send how much, and who waits.

use rustix::process::{Signal, kill_process};

use super::{beside, example, goes_on, pid, ws};
use crate::support::{Event, frame};

#[test]
fn a_fault_on_a_stream_ends_the_stream() {
    for (how, said) in [
        ("unagreed-malformed", "STATE with flags 0x80"),
        ("text", "a text message is not UTF-8"),
        ("stream-credit", "a message without credit"),
    ] {
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
        goes_on(&host);
    }
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
    host.wait_for_log("/bad: it does not read: ");
    goes_on(&host);
}

#[test]
fn a_program_that_writes_for_ever_harms_its_client_only() {
    let host = beside("good", "stop-timeout 1s", "");
    host.wait_for_log("/bad: ready");
    let mut client = ws(&host, "/bad");
    client.text("!bad writes-for-ever");
    host.wait_for_log("/bad: it sends more than the client of stream 1 reads");
    for _ in 0..20 {
        goes_on(&host);
    }
    assert!(host.resident_bytes() < 200 << 20, "{}", host.resident_bytes());
}

#[test]
fn a_program_that_writes_to_the_dead_for_ever_is_ended() {
    let host = beside("good", "stop-timeout 1s", "");
    host.wait_for_log("/bad: ready");
    ws(&host, "/bad").text("!bad late-for-ever");
    host.wait_for_log("/bad: it broke the protocol: it goes on sending to streams that have ended");
    goes_on(&host);
}

#[test]
fn unfinished_messages_of_a_program_count() {
    let host = beside("good", "", "<limits>\nmax-memory 1MB\n</limits>");
    host.wait_for_log("/bad: ready");
    let mut first = ws(&host, "/bad");
    first.echo("before");
    let mut beginners = [ws(&host, "/bad"), ws(&host, "/bad")];
    beginners[0].text("!halves 10");
    first.expect_text("begun");
    beginners[1].text("!halves 10");
    beginners[1].expect_close(1013);
    host.wait_for_log("/bad: stream 3 is reset: no room for an unfinished message: max-memory");
    // Those of another stream stay, and go with it.
    first.expect_text("begun");
    beginners[0].close(1000, "");
    beginners[0].expect_close(1000);
    let mut third = ws(&host, "/bad");
    third.text("!halves 10");
    first.expect_text("begun");
    goes_on(&host);
}

#[test]
fn small_frames_stay_in_their_order() {
    let host = beside("good", "", "");
    host.wait_for_log("/bad: ready");
    for rest in ["", " die"] {
        let mut client = ws(&host, "/bad");
        client.text(&format!("!many{rest}"));
        for at in 0..10_000 {
            client.expect_text(&at.to_string());
        }
    }
}

#[test]
fn a_program_that_publishes_for_ever_harms_nobody() {
    // What the link's window lets in is given back as it is read, so this breaks no rule.
    let host = beside("good", "stop-timeout 1s", "");
    host.wait_for_log("/bad: ready");
    ws(&host, "/bad").text("!bad publishes-for-ever");
    for _ in 0..20 {
        goes_on(&host);
    }
}

#[test]
fn a_client_waits_for_the_credit_of_its_stream_alone() {
    let host = beside("no-stream-credit", "", "");
    host.wait_for_log("/bad: ready");
    let mut starved = ws(&host, "/bad");
    for number in 0..100 {
        starved.text(&number.to_string());
    }
    // What the window of 64 messages lets through.
    for number in 0..64 {
        starved.expect_text(&number.to_string());
    }
    ws(&host, "/bad").echo("a window of its own");
    goes_on(&host);
}

#[test]
fn a_program_that_gives_no_credit_for_the_link_stalls_only_itself() {
    let host = beside("no-link-credit", "", "");
    host.wait_for_log("/bad: ready");
    let mut client = ws(&host, "/bad");
    let program = pid(&mut client);
    let message = vec![7; 60_000];
    for _ in 0..4 {
        client.binary(&message);
    }
    client.expect_binary(&message);
    client.expect_binary(&message);
    host.wait_for_log("/bad: it gives no credit for the link: ");
    goes_on(&host);
    // Nothing was lost.
    kill_process(program, Signal::USR1).unwrap();
    client.expect_binary(&message);
    client.expect_binary(&message);
    client.echo("goes on");
}

#[test]
fn answers_that_wait_for_credit_leave_before_the_close() {
    let host = example("<limits>\nsoft-backlog 16KB\n</limits>");
    let mut client = ws(&host, "/example");
    let message = vec![7; 60_000];
    client.raw(&[frame(0x82, &message), frame(0x88, b"\x03\xe8")].concat());
    client.expect_binary(&message);
    // It was written on credit that came back when the client's Close was there already.
    client.expect_text("message 1");
    client.expect_close(1000);
    client.expect_eof();
}

#[test]
fn a_program_that_counts_may_send_what_is_longer_than_the_backlog() {
    let limits = "<limits>\nmax-message-size 1MB\nsoft-backlog 16KB\nmax-backlog 64KB\n</limits>";
    let host = example(limits);
    let mut client = ws(&host, "/example");
    let message = vec![7; 1 << 20];
    for number in 1..=4 {
        client.binary(&message);
        client.expect_binary(&message);
        client.expect_text(&format!("message {number}"));
    }
}

#[test]
fn long_messages_take_turns() {
    let host = beside("good", "", "<limits>\nmax-message-size 64MB\nmax-backlog 64MB\n</limits>");
    host.wait_for_log("/bad: ready");
    let mut clients = [ws(&host, "/bad"), ws(&host, "/bad")];
    let message = vec![7; 8 << 20];
    for client in &mut clients {
        client.binary(&message);
    }
    for client in &mut clients {
        assert_eq!(client.next(), Event::Binary(message.clone()));
    }
}
