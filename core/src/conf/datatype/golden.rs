//! What the real ZConfig makes of thousands of words, against what is made of them here.
//!
//! `core/tests/zconfig/datatypes.jsonl` has the words, and `datatypes.py` beside it sees to it that
//! ZConfig still says so. This reads it, or the file that the variable `DATATYPES` names.

use std::fmt::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::{
    Boolean, ByteSize, Datatype, FilePath, HostPattern, ListenAddress, Port, TimeInterval, Whole,
    Wrong,
};
use crate::conf::LogLevel;

/// Every datatype that is in the table, and that has to be.
const DATATYPES: [&str; 9] =
    ["boolean", "integer", "byte-size", "time", "port", "address", "host", "path", "level"];
/// With fewer words of each, something would be missing.
const WORDS_MIN: usize = 500;

/// A line of the table.
struct Row {
    datatype: String,
    word: String,
    /// The value that it has for ZConfig; none for a word that it refuses.
    zconfig: Option<String>,
    /// The same for what it should be here.
    here: Option<String>,
}

impl Row {
    /// `[datatype, word, zconfig]`, and `[.., here, deviation]` where something else is meant here.
    fn read(line: &str) -> Self {
        let parts: Vec<Option<String>> = serde_json::from_str(line).expect(line);
        match &parts[..] {
            [Some(datatype), Some(word), zconfig, more @ ..] => Self {
                datatype: datatype.clone(),
                word: word.clone(),
                zconfig: zconfig.clone(),
                here: more.first().unwrap_or(zconfig).clone(),
            },
            _ => panic!("no line of the table: {line}"),
        }
    }
}

#[test]
fn each_word_means_what_it_means_to_zconfig_but_for_what_is_documented() {
    let rows = table();
    let mut wrong = String::new();
    for row in &rows {
        let found = value(&row.datatype, &row.word).ok();
        if !is_same(&row.datatype, row.here.as_deref(), found.as_deref()) {
            let Row { datatype, word, here, .. } = row;
            _ = writeln!(wrong, "{datatype} {word:?} is {found:?}, and should be {here:?}");
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{wrong}", wrong.lines().count(), rows.len());
    for datatype in DATATYPES {
        let words = rows.iter().filter(|row| row.datatype == datatype);
        let (good, bad): (Vec<_>, Vec<_>) = words.partition(|row| row.zconfig.is_some());
        assert!(good.len() + bad.len() >= WORDS_MIN, "{datatype}");
        assert!(good.len() > 50 && !bad.is_empty(), "{datatype}");
    }
}

fn table() -> Vec<Row> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/zconfig/datatypes.jsonl");
    let path = std::env::var_os("DATATYPES").map_or(own, PathBuf::from);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines().map(Row::read).collect()
}

/// The value in the words of the table.
fn value(datatype: &str, word: &str) -> Result<String, Wrong> {
    Ok(match datatype {
        "boolean" => if Boolean::parse(word)?.0 { "on" } else { "off" }.into(),
        "integer" => Whole::parse(word)?.0.to_string(),
        "byte-size" => ByteSize::parse(word)?.0.to_string(),
        "time" => TimeInterval::parse(word)?.0.as_micros().to_string(),
        "port" => Port::parse(word)?.0.to_string(),
        "address" => match ListenAddress::parse(word)? {
            ListenAddress::Ip(ip, port) => format!("{} {port}", groups(ip)),
            ListenAddress::Named(name, port) => format!("{name} {port}"),
            ListenAddress::Unix(path) => format!("unix {}", path.0),
        },
        "host" => {
            let HostPattern(host) = HostPattern::parse(word)?;
            let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            address.map_or(host.clone(), |address| groups(address.parse().expect("an address")))
        }
        "path" => {
            let path = FilePath::parse(word)?;
            let whole = Path::new("/srv/zope").join(path.expanded(Some("/home/zope".as_ref())));
            whole.components().collect::<PathBuf>().display().to_string()
        }
        "level" => format!("{:?}", LogLevel::parse(word)?).to_lowercase(),
        other => panic!("no datatype {other}"),
    })
}

/// An IPv6 address without any of the ways to shorten it.
fn groups(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => ip.segments().map(|group| format!("{group:x}")).join(":"),
    }
}

/// Python keeps times in whole microseconds, and rounds in its own way.
fn is_same(datatype: &str, expected: Option<&str>, found: Option<&str>) -> bool {
    match (datatype, expected, found) {
        ("time", Some(expected), Some(found)) => {
            let micros = |text: &str| text.parse::<u64>().expect("microseconds");
            micros(expected).abs_diff(micros(found)) <= 1
        }
        _ => expected == found,
    }
}
