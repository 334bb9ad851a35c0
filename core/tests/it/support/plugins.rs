//! The bundled plugins, built once in a run.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The directory of libecho.so and libchat.so.
pub(super) fn directory() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build)
}

fn build() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["build", "-p", "switchboard-plugin-echo", "-p", "switchboard-plugin-chat"])
        .arg("--message-format=json")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "the plugins do not build");
    // Below the target directory, and with modes of its own: the host refuses a plugin that others
    // may write, and a checkout's directories may be such.
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("it-plugins");
    fs::create_dir_all(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
    let libraries: Vec<PathBuf> = libraries(&output.stdout).collect();
    assert_eq!(libraries.len(), 2, "libecho.so and libchat.so");
    for library in libraries {
        copy(&library, &directory);
    }
    directory
}

/// Files ending in .so that cargo says it has made or found fresh.
fn libraries(messages: &[u8]) -> impl Iterator<Item = PathBuf> {
    let messages = serde_json::Deserializer::from_slice(messages).into_iter();
    let files = messages.flat_map(|message| {
        let message: serde_json::Value = message.expect("cargo writes JSON");
        let files = message["filenames"].as_array().cloned().unwrap_or_default();
        files.into_iter().filter_map(|file| file.as_str().map(PathBuf::from))
    });
    let files = files.filter(|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name == "libecho.so" || name == "libchat.so"
    });
    files.collect::<Vec<_>>().into_iter()
}

/// By a rename, since another run may have the old file open.
fn copy(library: &Path, directory: &Path) {
    let name = library.file_name().expect("a library has a name").to_string_lossy();
    let fresh = directory.join(format!(".{name}.{}", std::process::id()));
    fs::copy(library, &fresh).unwrap();
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&fresh, directory.join(&*name)).unwrap();
}
