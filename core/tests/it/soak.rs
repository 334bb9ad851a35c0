//! A short `make soak`: clients of all manners at endpoints of all kinds, every byte checked.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use switchboard_load::soak::{Fate, Goal, Progress, Soak, run};

use crate::support::{Home, Host};

#[path = "../../benches/soak/places.rs"]
mod places;

/// Hasty endpoints wait so long for who does not read.
const HASTY: Duration = Duration::from_secs(1);
const IDLE_MAX: Duration = Duration::from_millis(500);
/// Each slot has so many connections, one after the other.
const LIVES: u32 = 6;
const CONNECTIONS: usize = 72;

/// The echo in C++.
fn program() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("soak-echo");
    let status = Command::new("c++")
        .args(["-std=c++17", "-O1", "-pthread", "-I"])
        .arg(root.join("sdk/cpp/include"))
        .arg("-o")
        .arg(&program)
        .arg(root.join("examples/echo-cpp/echo.cpp"))
        .status()
        .expect("a C++ compiler is installed");
    assert!(status.success(), "echo.cpp does not compile");
    program
}

#[test]
fn clients_of_all_manners_get_what_they_are_owed_and_leave_nothing() {
    let places = places::Places::new(HASTY, IDLE_MAX).unwrap();
    let home = Home::new();
    let conf = places.write(home.path(), "plugin-path @PLUGINS@", &program()).unwrap();
    let host = Host::start_in(home, &conf);
    // The host itself says "ready: ", and each program ": ready".
    host.wait_for_log_times(": ready", 1 + places::PROGRAMS);
    let files = host.settled_files(usize::MAX);
    let targets = places.targets(&host.addr("main"), &host.addr("tls")).unwrap();
    let mut soak = Soak::new(targets);
    soak.connections = CONNECTIONS;
    soak.goal = Goal::Lives(LIVES);
    soak.message_bytes_max = 1 << 20;
    let report = run(&soak, &Progress::default()).unwrap();
    assert!(report.is_well(), "{report}");
    for fate in Fate::ALL {
        assert!(report.fates.contains_key(&fate), "nobody was to: {}\n{report}", fate.name());
    }
    assert_eq!(report.fates.values().sum::<u64>(), CONNECTIONS as u64 * u64::from(LIVES));
    assert!(report.secured > 0 && report.compressed > 0, "{report}");
    assert!(report.pongs > 0 && report.fragmented > 0, "{report}");
    assert!(host.settled_files(files) <= files, "the host keeps sockets of clients that have gone");
}
