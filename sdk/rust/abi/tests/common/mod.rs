//! The C compiler, for the tests of this crate. Not a build system.

use std::path::PathBuf;
use std::process::Command;

/// Where the headers are.
pub(crate) fn include_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../c/include")
}

/// Runs `compiler` on `source`, or on what stands in it, and returns what it complained about.
pub(crate) fn complaints(
    compiler: &str,
    arguments: &[&str],
    name: &str,
    source: &str,
) -> Option<String> {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&file, source).expect("the target directory is writable");
    let output = Command::new(compiler)
        .args(arguments)
        .args(["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-I"])
        .arg(include_dir())
        .arg(&file)
        .output()
        .unwrap_or_else(|error| panic!("{compiler} is needed by this test: {error}"));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (!output.status.success()).then_some(text)
}
