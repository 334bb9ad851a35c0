//! The beginning of a link: HELLO and its answer.

use switchboard_protocol::{
    ErrorCode, Grant, Hello, HelloOk, Pair, UNCOUNTED, VERSION, Window, common_version,
};

use super::incoming::Fault;
use super::link::{Inner, Link};
use super::said::{TEXT_BYTES_MAX, printable};

/// What the program may send before it gets credit back.
const STREAM_BYTES: u32 = 256 << 10;
const STREAM_MESSAGES: u32 = 256;
const LINK_BYTES: u32 = 16 << 20;
const STREAMS_MAX: u32 = 65_536;
/// Features that this host has.
const FEATURES: [&str; 2] = ["mcast/1", "topics/1"];

impl Link {
    pub(super) fn hello(&self, hello: &Hello<'_>, inner: &mut Inner) -> Result<(), Fault> {
        let theirs = (hello.version_min, hello.version_max);
        let Some(version) = common_version((VERSION, VERSION), theirs) else {
            let text = format!(
                "the program speaks versions {} to {} of the endpoint protocol, this host {VERSION}",
                theirs.0, theirs.1
            );
            return Err(Fault { code: ErrorCode::VERSION, text });
        };
        let marks = u32::try_from(self.about.owner.marks.soft).unwrap_or(STREAM_BYTES);
        let (stream_bytes, stream_messages, link_bytes) = if hello.uncounted {
            (UNCOUNTED, UNCOUNTED, UNCOUNTED)
        } else {
            (STREAM_BYTES.min(marks).max(1), STREAM_MESSAGES, LINK_BYTES)
        };
        inner.window = Window::link(hello.link_bytes);
        inner.grant = Grant::link(link_bytes);
        inner.stream_window = (hello.stream_bytes, hello.stream_messages);
        inner.stream_grant = (stream_bytes, stream_messages);
        inner.streams_max = hello.streams_max.min(STREAMS_MAX);
        inner.frame_bytes_max = hello.frame_bytes_max;
        inner.heartbeat_ms = hello.heartbeat_ms;
        let wanted = |name: &&str| hello.features.iter().any(|feature| feature == *name);
        inner.agreed = FEATURES.into_iter().filter(wanted).collect();
        let config = &self.about.settings.config;
        let pairs = config.iter().map(|(name, value)| Pair { name, value: value.as_bytes() });
        let settings: Vec<_> = pairs.collect();
        HelloOk {
            version,
            streams_max: inner.streams_max,
            message_bytes_max: u32::try_from(self.about.message_bytes_max).unwrap_or(u32::MAX),
            stream_bytes,
            stream_messages,
            link_bytes,
            heartbeat_ms: inner.heartbeat_ms,
            features: inner.agreed.as_slice().into(),
            endpoint: &self.about.prefix,
            generation: self.number.into(),
            name: "switchboard",
            host_version: env!("CARGO_PKG_VERSION"),
            settings: settings.as_slice().into(),
            ..HelloOk::simple()
        }
        .encode(&mut inner.out);
        tracing::info!("{}: connected{}", self.about.prefix, who(hello.name, hello.version));
        Ok(())
    }
}

/// ` with "feed" 1.2`, as far as it has said.
fn who(name: &str, version: &str) -> String {
    let version = printable(version, TEXT_BYTES_MAX);
    match (name, version.as_str()) {
        ("", "") => String::new(),
        ("", version) => format!(" with version {version}"),
        (name, "") => format!(" with {:?}", printable(name, TEXT_BYTES_MAX)),
        (name, version) => format!(" with {:?} {version}", printable(name, TEXT_BYTES_MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_connected_is_told_as_far_as_it_says() {
        for (name, version, expected) in [
            ("feed", "1.2", " with \"feed\" 1.2"),
            ("feed", "", " with \"feed\""),
            ("", "1.2", " with version 1.2"),
            ("", "", ""),
        ] {
            assert_eq!(who(name, version), expected);
        }
    }
}
