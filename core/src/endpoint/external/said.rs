//! What the program says to the log.

use std::time::{Duration, Instant};

use switchboard_protocol::{Log, LogLevel};

/// What of the program's text is shown, besides its lines.
pub(super) const TEXT_BYTES_MAX: usize = 1 << 10;
/// What of a line is shown.
pub(super) const LINE_BYTES_MAX: usize = 8 << 10;
/// Lines of LOG in a period, and lines of each output; more are dropped and counted.
const LINES_MAX: u32 = 200;
const PERIOD: Duration = Duration::from_secs(1);

/// The lines of one link, or of one output of a program.
pub(super) struct Said {
    since: Instant,
    lines: u32,
    dropped: u64,
}

impl Said {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, lines: 0, dropped: 0 }
    }

    /// A LOG frame, unless there were too many.
    pub(super) fn say(&mut self, prefix: &str, line: &Log<'_>, now: Instant) {
        if self.admits(prefix, now) {
            write(line.level, &shown(prefix, line));
        }
    }

    /// Counts a line; false if there were too many.
    pub(super) fn admits(&mut self, prefix: &str, now: Instant) -> bool {
        if now.duration_since(self.since) >= PERIOD {
            self.tell_dropped(prefix);
            (self.since, self.lines) = (now, 0);
        }
        if self.lines == LINES_MAX {
            self.dropped += 1;
            return false;
        }
        self.lines += 1;
        true
    }

    /// Says how many lines were dropped, if any were.
    pub(super) fn tell_dropped(&mut self, prefix: &str) {
        match std::mem::take(&mut self.dropped) {
            0 => {}
            dropped => tracing::warn!("{prefix}: {dropped} of its lines were dropped"),
        }
    }
}

/// `/feed poller: no /proc errno=2`
fn shown(prefix: &str, line: &Log<'_>) -> String {
    let mut shown = prefix.to_owned();
    if !line.part.is_empty() {
        shown.push(' ');
        shown.push_str(&printable(line.part, TEXT_BYTES_MAX));
    }
    shown.push_str(": ");
    shown.push_str(&printable(line.text, LINE_BYTES_MAX));
    for field in line.fields.iter() {
        let value = printable(&String::from_utf8_lossy(field.value), TEXT_BYTES_MAX);
        let name = printable(field.name, TEXT_BYTES_MAX);
        shown.push_str(&format!(" {name}="));
        let plain = |c: char| !c.is_whitespace() && c != '"' && c != '=';
        if !value.is_empty() && value.chars().all(plain) {
            shown.push_str(&value);
        } else {
            shown.push_str(&format!("\"{}\"", value.replace('"', "\\\"")));
        }
        if shown.len() > 2 * LINE_BYTES_MAX {
            shown.push_str(" ...");
            break;
        }
    }
    shown
}

/// Text of a program as part of one line: control characters, which could end the line or move a
/// terminal's cursor, are spelled out, and what is too long is cut.
pub(super) fn printable(text: &str, bytes_max: usize) -> String {
    let cut = text.floor_char_boundary(bytes_max);
    let is_unfit = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let mut shown = String::with_capacity(cut);
    for c in text[..cut].chars() {
        if is_unfit(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    if cut < text.len() {
        shown.push_str("...");
    }
    shown
}

/// What a program says about something, behind the host's words for it: `: full`, or nothing.
pub(super) fn because(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {}", printable(text, TEXT_BYTES_MAX)) }
}

fn write(level: LogLevel, line: &str) {
    match level {
        LogLevel::ERROR => tracing::error!(target: "program", "{line}"),
        LogLevel::WARN => tracing::warn!(target: "program", "{line}"),
        LogLevel::DEBUG => tracing::debug!(target: "program", "{line}"),
        LogLevel::TRACE => tracing::trace!(target: "program", "{line}"),
        _ => tracing::info!(target: "program", "{line}"),
    }
}

#[cfg(test)]
mod tests {
    use switchboard_protocol::Pair;

    use super::*;

    #[test]
    fn a_line_stays_a_line() {
        for (text, expected) in [
            ("plain, also pl\u{e4}in", "plain, also pl\u{e4}in"),
            ("one\ntwo\r\n", "one\\ntwo\\r\\n"),
            ("\u{1b}[2Jgone\0", "\\u{1b}[2Jgone\\u{0}"),
            ("\u{9b}31m\u{2028}", "\\u{9b}31m\\u{2028}"),
        ] {
            assert_eq!(printable(text, 100), expected);
        }
        assert_eq!(printable("\u{e4}\u{e4}", 3), "\u{e4}...");
    }

    #[test]
    fn who_gives_no_reason_gets_no_colon() {
        assert_eq!(because(""), "");
        assert_eq!(because("full\n"), ": full\\n");
    }

    #[test]
    fn fields_stand_behind_the_text() {
        let pair = |name, value: &'static str| Pair { name, value: value.as_bytes() };
        let fields = [pair("errno", "2"), pair("why", "no \"such\"\nfile"), pair("none", "")];
        let (text, level) = ("no /proc", LogLevel::WARN);
        let line = Log { level, text, part: "poller", fields: (&fields).into() };
        let expected = "/feed poller: no /proc errno=2 why=\"no \\\"such\\\"\\nfile\" none=\"\"";
        assert_eq!(shown("/feed", &line), expected);
        let bare = Log { part: "", fields: Default::default(), ..line };
        assert_eq!(shown("/feed", &bare), "/feed: no /proc");
    }

    #[test]
    fn too_many_lines_are_counted_instead() {
        let begin = Instant::now();
        let mut said = Said::new(begin);
        let (level, fields) = (LogLevel::INFO, Default::default());
        let line = Log { level, part: "", text: "x", fields };
        for _ in 0..LINES_MAX + 5 {
            said.say("/feed", &line, begin);
        }
        assert_eq!(said.dropped, 5);
        said.say("/feed", &line, begin + PERIOD);
        assert_eq!((said.dropped, said.lines), (0, 1));
    }
}
