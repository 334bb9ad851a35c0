//! Files of cases, each with a conf, a command, and what a person sees.
//!
//! A case begins with `== ` and what it is. Below stand its `zope.conf`, other files behind lines of
//! `-- ` and their names, and behind `$ ` what a shell is told in the directory of these files. What
//! follows is all that is printed then, and the exit status. A file that begins with `#!` is
//! executable; `etc` has certificates and keys; a conf without a listener has a good one in `conf.d`.

use std::fmt::Write as _;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::pem;
use crate::support::{Instance, LISTENER};

/// One way to be wrong.
struct Case {
    title: String,
    /// Name and text; the first is `zope.conf`.
    files: Vec<(String, String)>,
    /// What a person types.
    command: String,
    /// What that prints, and its exit status.
    says: String,
}

/// Where the good listener is, in a case that has none.
const GOOD_LISTENER: &str = "conf.d/listener.conf";
/// Has the files written anew instead of compared.
const WRITE: &str = "TRANSCRIPTS";

/// The cases of a file, and what stands before the first.
fn parse(text: &str) -> (String, Vec<Case>) {
    let mut parts = text.split("\n== ");
    let preface = parts.next().unwrap_or_default().trim_end().to_owned();
    (preface, parts.map(Case::parse).collect())
}

impl Case {
    fn parse(text: &str) -> Self {
        let mut lines = text.lines();
        let title = lines.next().unwrap_or_default().to_owned();
        let mut files = vec![("zope.conf".to_owned(), String::new())];
        let command = loop {
            let line = lines.next().unwrap_or_else(|| panic!("no command: {title}"));
            let (_, file) = files.last_mut().expect("there is zope.conf");
            match (line.strip_prefix("$ "), line.strip_prefix("-- ")) {
                (Some(command), _) => break command.to_owned(),
                (_, Some(name)) => files.push((name.to_owned(), String::new())),
                _ => _ = writeln!(file, "{line}"),
            }
        };
        let says = lines.collect::<Vec<_>>().join("\n").trim_end().to_owned();
        Self { title, files, command, says }
    }

    /// What a shell prints in a directory with these files.
    fn run(&self) -> String {
        let instance = Instance::new(&[]);
        pem::write(&instance);
        if !self.files[0].1.contains("<listener") {
            instance.write(GOOD_LISTENER, LISTENER);
        }
        for (name, text) in &self.files {
            instance.write(name, text);
            let mode = if text.starts_with("#!") { 0o755 } else { 0o644 };
            let mode = Permissions::from_mode(mode);
            std::fs::set_permissions(instance.path(name), mode).expect("it is there");
        }
        let program = Path::new(env!("CARGO_BIN_EXE_switchboard"));
        let programs = program.parent().expect("its directory").display();
        let output = Command::new("sh")
            .args(["-c", &format!("umask 022; exec 2>&1; {}", self.command)])
            .current_dir(instance.path(""))
            .env_clear()
            .env("PATH", format!("{programs}:/usr/bin:/bin"))
            .env("HOME", instance.path("home"))
            .output()
            .expect("there is a shell");
        let text = String::from_utf8(output.stdout).expect("it speaks UTF-8");
        let lines: Vec<_> = text.lines().map(str::trim_end).collect();
        let status = output.status.code().expect("no signal");
        format!("{}\n[exit status {status}]", instance.cut(&lines.join("\n")))
    }

    fn shown(&self, says: &str) -> String {
        let mut text = format!("\n== {}\n{}", self.title, self.files[0].1);
        for (name, content) in &self.files[1..] {
            _ = write!(text, "-- {name}\n{content}");
        }
        _ = write!(text, "$ {}\n{says}\n", self.command);
        text
    }
}

/// Runs the cases of all files in `directory`, below this one. Says how many there are.
///
/// `TRANSCRIPTS=write` before `cargo test` writes down what is said now: read the difference as the
/// one who wrote the conf.
pub(crate) fn check(directory: &str) -> usize {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conf").join(directory);
    let entries = all.read_dir().expect("files").map(|entry| entry.expect("a file").path());
    let mut files: Vec<_> = entries.collect();
    files.sort();
    let (mut cases, mut changed) = (0, Vec::new());
    for file in files {
        let (count, different) = check_file(&file);
        cases += count;
        changed.extend(different);
    }
    assert!(changed.is_empty(), "{}", changed.join("\n"));
    cases
}

/// How many cases a file has, and which of them say something else now.
fn check_file(file: &Path) -> (usize, Vec<String>) {
    let text = std::fs::read_to_string(file).expect("a file of the table");
    let (preface, cases) = parse(&text);
    let says: Vec<_> = cases.iter().map(Case::run).collect();
    if std::env::var_os(WRITE).is_some_and(|how| how == "write") {
        let cases = cases.iter().zip(&says).map(|(case, says)| case.shown(says));
        let text = [preface + "\n"].into_iter().chain(cases).collect::<String>();
        std::fs::write(file, text).expect("written");
        return (says.len(), Vec::new());
    }
    let changed = cases.iter().zip(&says).filter(|(case, says)| case.says != **says);
    let changed = changed.map(|(case, says)| {
        let Case { title, says: expected, .. } = case;
        format!("{}: {title}\n--- expected\n{expected}\n--- said\n{says}\n", file.display())
    });
    (says.len(), changed.collect())
}
