//! The bundled plugins, built once in a run.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The directory of libecho.so and libchat.so.
pub(crate) fn directory() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build)
}

fn build() -> PathBuf {
    // Below the target directory, and with modes of its own: the host refuses a plugin that others
    // may write, and a checkout's directories may be such.
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("it-plugins");
    fs::create_dir_all(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
    for (package, name) in
        [("switchboard-plugin-echo", "libecho.so"), ("switchboard-plugin-chat", "libchat.so")]
    {
        copy(&built(package, name), &directory);
    }
    directory
}

/// The library that cargo has made of a package, or found fresh.
pub(crate) fn built(package: &str, library: &str) -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["build", "-p", package, "--message-format=json"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{package} does not build");
    let messages = serde_json::Deserializer::from_slice(&output.stdout).into_iter();
    let files = messages.flat_map(|message| {
        let message: serde_json::Value = message.expect("cargo writes JSON");
        message["filenames"].as_array().cloned().unwrap_or_default()
    });
    let mut files = files.filter_map(|file| file.as_str().map(PathBuf::from));
    let made = files.find(|file| file.ends_with(library));
    made.unwrap_or_else(|| panic!("cargo does not say where {library} is"))
}

/// By a rename, since another run may have the old file open.
fn copy(library: &Path, directory: &Path) {
    let name = library.file_name().expect("a library has a name").to_string_lossy();
    let fresh = directory.join(format!(".{name}.{}", std::process::id()));
    fs::copy(library, &fresh).unwrap();
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&fresh, directory.join(&*name)).unwrap();
}
