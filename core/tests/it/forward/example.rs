//! `examples/forward` does what its README says.

use std::fs;
use std::path::Path;

use crate::support::{Client, Host};

fn example(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/forward");
    fs::read_to_string(root.join(name)).unwrap()
}

/// The text with `old` replaced, which must be there.
fn with(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "{old} is not in {text}");
    text.replace(old, new)
}

#[test]
fn the_example_forwards() {
    let conf = with(&example("behind.conf"), "../../var/plugins", "@PLUGINS@");
    let behind = Host::start(&with(&conf, "127.0.0.1:9000", "127.0.0.1:0"));
    let conf = with(&example("front.conf"), "127.0.0.1:8080", "127.0.0.1:0");
    let mut front = Host::start(&with(&conf, "127.0.0.1:9000", &behind.addr("behind")));
    let mut ws = Client::ws(&front.addr("front"), "/app");
    ws.echo("hello");
    drop(behind);
    ws.expect_close(1014);
    let response = Client::connect(&front.addr("front")).upgrade("/app", &[]);
    assert_eq!(response.status, 502);
    ws.close(1000, "");
    ws.expect_eof();
    drop(ws);
    assert_eq!(front.stop().code(), Some(0));
    for line in ["front.conf", "behind.conf", "ws://127.0.0.1:8080/app"] {
        assert!(example("README.md").contains(line), "{line}");
    }
}
