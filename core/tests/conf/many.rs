//! Many confs, right and wrong, and a long one.

use std::time::{Duration, Instant};

use crate::example::all_on;
use crate::support::{Instance, LISTENER};

/// The lines of `text` with some dropped, doubled, swapped, cut or joined, by the bits of `seed`.
pub(crate) fn mutated(text: &str, mut seed: u64) -> String {
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let mut lines: Vec<String> = text.lines().map(Into::into).collect();
    for _ in 0..1 + next(4) {
        let (a, b) = (next(lines.len()), next(lines.len()));
        match next(6) {
            0 => drop(lines.remove(a)),
            1 => lines.insert(b, lines[a].clone()),
            2 => lines.swap(a, b),
            3 => lines[a] = lines[a].chars().take(next(12)).collect(),
            4 => lines[a] = lines[a].replace(['a', 'e', '/'], ["", "o", "//", "x y"][next(4)]),
            _ => lines[a] = format!("{}{}", lines[a], lines[b]),
        }
    }
    lines.join("\n")
}

#[test]
fn whatever_is_wrong_has_a_line() {
    let text = all_on();
    let text: String =
        text.lines().filter(|line| !line.contains('#')).map(|l| l.to_owned() + "\n").collect();
    let instance = Instance::new(&[("examples/demo/index.html", "hi")]);
    let mut good = 0;
    for seed in 0..1_000 {
        let text = mutated(&text, seed);
        instance.write("zope.conf", &text);
        let Err(errors) = instance.load(&[], &[]) else {
            good += 1;
            continue;
        };
        for error in &errors {
            let is_whole = error.message.starts_with("there is no <listener>");
            assert!(error.line > 0 || is_whole, "{seed}: {error}\n{text}");
            assert!(error.line == 0 || error.text.is_some(), "{seed}: {error}\n{text}");
        }
    }
    assert!(good > 30, "{good}");
}

#[test]
fn ten_thousand_lines_take_no_time() {
    let endpoint = |n| {
        format!(
            "<websocket /e/{n}>\n  origin *\n  origin https://a.org\n  subprotocol a\n  <limits>\n\
             \x20   max-message-size 64KB\n  </limits>\n  <plugin echo />\n</websocket>\n"
        )
    };
    let text: String = (0..1_111).map(endpoint).collect();
    let instance = Instance::new(&[("zope.conf", &format!("{LISTENER}{text}"))]);
    let start = Instant::now();
    let settings = instance.load(&[], &[]).expect("a good conf");
    println!("10,000 lines: {:?}", start.elapsed());
    assert_eq!(settings.websockets.len(), 1_111);
    // Far above what it takes: this is against what grows with the square.
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn a_file_that_is_no_conf_has_a_hundred_errors() {
    let instance = Instance::new(&[("zope.conf", &"y\n".repeat(20_000))]);
    let errors = instance.load(&[], &[]).expect_err("no conf");
    let lines: Vec<_> = errors.iter().map(|error| error.line).collect();
    assert_eq!(lines, (1..=100).collect::<Vec<_>>());
    let last = errors.iter().last().expect("a hundred").to_string();
    assert!(last.contains("too many errors"), "{last}");
}
