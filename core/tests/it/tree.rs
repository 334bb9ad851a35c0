//! `switchboard conf tree`. That it agrees with the real ZConfig is tested in `core/tests/zconfig`.

use std::process::{Command, Output};

use crate::support::Home;

fn switchboard(home: &Home) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.current_dir(home.path()).env("WHO", "you");
    command
}

fn tree(home: &Home, files: &[&str]) -> (Option<i32>, Vec<String>) {
    let output = switchboard(home).args(["conf", "tree", "--json"]).args(files).output().unwrap();
    (output.status.code(), lines(&output))
}

fn lines(output: &Output) -> Vec<String> {
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(Into::into).collect()
}

#[test]
fn a_tree_has_keys_as_written_sections_in_lower_case_and_their_places() {
    let home = Home::new();
    home.write("part.conf", b"%import a.b\n K $(WHO)\n");
    let text = "%define x 1\n<A /Chat>\n%include part.conf\n  k  a \"$X\" $$\n  <b/>\n</a>\nÉ\n";
    home.write("z.conf", text.as_bytes());
    let inner =
        r#"{"type":"b","name":null,"pos":["z.conf",5],"items":[],"item_pos":[],"sections":[]}"#;
    let section = format!(
        r#"{{"type":"a","name":"/chat","pos":["z.conf",2],"items":[["K","you"],["k","a \"1\" $"]],"item_pos":[["part.conf",2],["z.conf",4]],"sections":[{inner}]}}"#
    );
    let root = format!(
        r#"{{"type":null,"name":null,"pos":null,"items":[["É",""]],"item_pos":[["z.conf",7]],"sections":[{section}],"imports":["a.b"]}}"#
    );
    assert_eq!(tree(&home, &["z.conf"]), (Some(0), vec![root]));
}

#[test]
fn the_first_error_of_a_file_is_its_line() {
    let home = Home::new();
    home.write("good.conf", b"");
    home.write("bad.conf", b"\n%include part.conf\n$nope $nope\n");
    home.write("part.conf", b"ok 1\nk $\n(x\n");
    let good = r#"{"type":null,"name":null,"pos":null,"items":[],"item_pos":[],"sections":[],"imports":[]}"#;
    let bad = r#"{"error":{"file":"part.conf","line":2,"message":"illegal lone '$' at end of source; write '$$' for a plain '$'"}}"#;
    let none = r#"{"error":{"file":"none.conf","line":0,"message":"cannot read none.conf: there is no such file"}}"#;
    let expected = [bad, good, none].map(String::from).to_vec();
    assert_eq!(tree(&home, &["bad.conf", "good.conf", "none.conf"]), (Some(78), expected));
}

#[test]
fn sections_nest_deeper_than_a_stack() {
    let home = Home::new();
    let depth = 200_000;
    home.write("z.conf", ["<a>\n".repeat(depth), "</a>\n".repeat(depth)].concat().as_bytes());
    let (status, lines) = tree(&home, &["z.conf"]);
    assert_eq!((status, lines.len()), (Some(0), 1));
    assert_eq!(lines[0].matches(r#"{"type":"a""#).count(), depth);
}

#[test]
fn without_a_form_or_a_file_it_is_wrong_usage() {
    let home = Home::new();
    home.write("z.conf", b"");
    for arguments in [["tree", "z.conf"], ["tree", "--json"]] {
        let output = switchboard(&home).arg("conf").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
    }
}
