//! How much is logged: ZConfig's `logging-level`.

use super::number::number;
use super::{Datatype, Wrong};
use crate::conf::LogLevel;

/// The names of Python's `logging` and those that Zope adds, in any case, or a number from 0 to 50.
/// The host has fewer levels: each stands for those numbers that end with its own. `off` is ours.
impl Datatype for LogLevel {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let number = match text.to_ascii_lowercase().as_str() {
            "off" => return Ok(Self::Off),
            "critical" | "fatal" => 50,
            "error" => 40,
            "warn" | "warning" => 30,
            "info" => 20,
            "blather" => 15,
            "debug" => 10,
            "trace" => 5,
            "all" => 1,
            "notset" => 0,
            other => number(other).unwrap_or(u64::MAX),
        };
        match number {
            31..=50 => Ok(Self::Error),
            21..=30 => Ok(Self::Warn),
            16..=20 => Ok(Self::Info),
            6..=15 => Ok(Self::Debug),
            0..=5 => Ok(Self::Trace),
            _ => Err(Wrong::expected(
                "critical, error, warn, info, debug, trace, all, off, or a number from 0 to 50",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Datatype, LogLevel};

    #[test]
    fn levels() {
        let good = [
            ("critical", LogLevel::Error),
            ("ERROR", LogLevel::Error),
            ("warning", LogLevel::Warn),
            ("info", LogLevel::Info),
            ("20", LogLevel::Info),
            ("blather", LogLevel::Debug),
            ("debug", LogLevel::Debug),
            ("5", LogLevel::Trace),
            ("all", LogLevel::Trace),
            ("0", LogLevel::Trace),
            ("off", LogLevel::Off),
        ];
        for (text, level) in good {
            assert_eq!(LogLevel::parse(text), Ok(level), "{text}");
        }
        for text in ["", "51", "-1", "loud", "on"] {
            assert!(LogLevel::parse(text).is_err(), "{text}");
        }
    }
}
