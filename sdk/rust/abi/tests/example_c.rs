//! The plugin in C of the examples: it compiles as its README says, and stays short.

mod common;

#[test]
fn the_example_in_c_compiles_without_a_warning() {
    let source = common::include_dir().join("../../../examples/plugin-c/upper.c");
    let source = std::fs::read_to_string(source).expect("the example");
    assert!(source.lines().count() <= 60, "an example of at most 60 lines");
    for standard in ["-std=c99", "-std=c11", "-std=c17"] {
        let file = format!("upper{standard}.c");
        if let Some(text) = common::complaints("cc", &[standard], &file, &source) {
            panic!("upper.c as {standard}:\n{text}");
        }
    }
}

#[test]
fn the_example_in_c_links_by_one_command() {
    let root = common::include_dir().join("../../..");
    let library = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("libupper.so");
    let output = std::process::Command::new("cc")
        .current_dir(root)
        .args(["-Wall", "-Wextra", "-Wpedantic", "-Werror"])
        .args(["-shared", "-fPIC", "-I", "sdk/c/include", "-o"])
        .arg(&library)
        .arg("examples/plugin-c/upper.c")
        .output()
        .expect("cc is needed by this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let bytes = std::fs::read(library).expect("cc wrote it");
    for word in ["switchboard_entry_v1", ".note.switchboard", "SWBD", "org.switchboard.upper"] {
        let found = bytes.windows(word.len()).any(|window| window == word.as_bytes());
        assert!(found, "{word} is not in the library");
    }
}
