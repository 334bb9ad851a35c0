//! `switchboard bench` against the host. What it finds in bad servers is tested in its own package.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Host, conf, echo_conf};

/// Status and report.
fn bench(url: &str, options: &[&str]) -> (Option<i32>, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_switchboard"))
        .args(["bench", "--json", url])
        .args(options)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| json!(said));
    (output.status.code(), report)
}

#[test]
fn the_host_loses_nothing_of_200_connections() {
    let host = Host::start(&echo_conf(""));
    let url = format!("ws://{}/echo", host.addr("main"));
    let options = ["-n", "200", "--messages", "200", "--depth", "4", "--threads", "2"];
    let more = ["--size", "16..8192", "--fragments", "20"];
    let (status, report) = bench(&url, &[&options[..], &more].concat());
    assert_eq!(status, Some(0), "{report:#}");
    assert_eq!(report["messages"]["sent"], 40_000);
    assert_eq!(report["messages"]["received"], 40_000);
    assert_eq!(report["latency_ms"]["count"], 40_000);
    assert_eq!(report["connections"]["opened"], 200);
    let none = json!({"lost": 0, "doubled": 0, "reordered": 0, "corrupt": 0, "mixed": 0});
    assert_eq!(report["findings"], none);
}

#[test]
fn the_host_bears_clients_that_misbehave() {
    let host = Host::start(&echo_conf(""));
    let url = format!("ws://{}/echo", host.addr("main"));
    let faults = ["--abort", "10", "--vanish", "10", "--slow", "10", "--churn", "20"];
    let options = ["-n", "100", "--messages", "100", "--depth", "16", "--threads", "2"];
    let (status, report) = bench(&url, &[&options[..], &faults].concat());
    assert_eq!(status, Some(0), "{report:#}");
    assert!(report["connections"]["opened"].as_u64() > Some(150), "{report:#}");
}

#[test]
fn everybody_in_a_chat_hears_everybody_in_order() {
    let host = Host::start(&conf("<websocket /chat>\n<plugin chat/>\n</websocket>"));
    let url = format!("ws://{}/chat/load", host.addr("main"));
    let options = ["--mode", "chat", "-n", "20", "--messages", "20", "--rate", "200"];
    let (status, report) = bench(&url, &[&options[..], &["--threads", "2"]].concat());
    assert_eq!(status, Some(0), "{report:#}");
    assert_eq!(report["messages"]["sent"], 400);
    assert_eq!(report["messages"]["received"], 8000);
}

#[test]
fn idle_connections_stay_open_and_a_unix_socket_will_do() {
    let host = Host::start(&echo_conf("").replace("127.0.0.1:0", "./test.sock"));
    let url = format!("ws+unix:{}:/echo", host.dir().join("test.sock").display());
    let (status, report) = bench(&url, &["--mode", "idle", "-n", "50", "--duration", "0.3"]);
    assert_eq!(status, Some(0), "{report:#}");
    assert_eq!(report["connections"]["open_max"], 50);
    assert_eq!(report["messages"]["sent"], 0);
    let (status, report) = bench(&url, &["-n", "50", "--messages", "10"]);
    assert_eq!(status, Some(0), "{report:#}");
}

#[test]
fn what_goes_wrong_is_the_exit_status() {
    let host = Host::start(&echo_conf(""));
    let url = format!("ws://{}/none", host.addr("main"));
    let (status, report) = bench(&url, &["-n", "2", "--messages", "1"]);
    assert_eq!(status, Some(69), "{report:#}");
    let failed = json!({"the server answered 404 instead of 101": 2});
    assert_eq!(report["connections"]["failed"], failed);
    for options in
        [["-n", "0"], ["--abort", "101"], ["--size", "15"], ["--rate", "0"], ["--mode", "dance"]]
    {
        assert_eq!(bench(&url, &options).0, Some(64), "{options:?}");
    }
    let (status, _) = bench(&url, &["--abort", "60", "--slow", "60"]);
    assert_eq!(status, Some(64));
}
