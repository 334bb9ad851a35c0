//! What the program says to the log.

use switchboard_protocol::LogLevel;

pub(super) fn log(level: LogLevel, line: &str) {
    match level {
        LogLevel::ERROR => tracing::error!(target: "program", "{line}"),
        LogLevel::WARN => tracing::warn!(target: "program", "{line}"),
        LogLevel::DEBUG => tracing::debug!(target: "program", "{line}"),
        LogLevel::TRACE => tracing::trace!(target: "program", "{line}"),
        _ => tracing::info!(target: "program", "{line}"),
    }
}
