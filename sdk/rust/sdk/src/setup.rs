//! The host, and what the conf says to an instance.

use std::fmt;
use std::str::FromStr;

use switchboard_abi::*;

use crate::error::{Error, SendError};
use crate::ffi::Link;
use crate::topics::Publication;

/// The host, as one instance sees it: copy it, keep it, use it from any thread.
#[derive(Clone, Copy)]
pub struct Host(pub(crate) &'static Link);

/// How much a line in the log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Somebody has to do something.
    Error,
    /// Somebody may have to do something.
    Warn,
    /// Good to know.
    Info,
    /// For those who look for a fault.
    Debug,
    /// All of it.
    Trace,
}

impl Level {
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::Error => SB_LOG_ERROR,
            Self::Warn => SB_LOG_WARN,
            Self::Info => SB_LOG_INFO,
            Self::Debug => SB_LOG_DEBUG,
            Self::Trace => SB_LOG_TRACE,
        }
    }
}

impl Host {
    /// Publishes to every member of a topic.
    pub fn publish(self, topic: &str, what: Publication<'_>) -> Result<(), SendError> {
        SendError::check(self.0.publish(topic, what)).map(drop)
    }

    /// A line in the host's log, under the section's prefix and the plugin's id.
    pub fn log(self, level: Level, text: &str) {
        self.0.log(level.number(), "", text);
    }

    /// A line of the level `Error`.
    pub fn error(self, text: &str) {
        self.log(Level::Error, text);
    }

    /// A line of the level `Warn`.
    pub fn warn(self, text: &str) {
        self.log(Level::Warn, text);
    }

    /// A line of the level `Info`.
    pub fn info(self, text: &str) {
        self.log(Level::Info, text);
    }

    /// A line of the level `Debug`.
    pub fn debug(self, text: &str) {
        self.log(Level::Debug, text);
    }

    /// A line of the level `Trace`.
    pub fn trace(self, text: &str) {
        self.log(Level::Trace, text);
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Host")
    }
}

/// What an instance is made from: the host, and its section of the conf.
#[derive(Debug, Clone)]
pub struct Setup {
    pub(crate) host: Host,
    pub(crate) route: String,
    pub(crate) name: String,
    pub(crate) settings: Vec<(String, String)>,
}

impl Setup {
    /// The host.
    #[must_use]
    pub fn host(&self) -> Host {
        self.host
    }

    /// The prefix of the section, such as `/chat`.
    #[must_use]
    pub fn route(&self) -> &str {
        &self.route
    }

    /// The name in `<plugin NAME>`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Every line of `<config>`, in order.
    pub fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.settings.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The value of a key; of the first line if it stands there more than once.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.settings().find(|(known, _)| *known == key).map(|(_, value)| value)
    }

    /// The value of a key that may stand there once, or `default`. An error names the key.
    pub fn parse_or<T>(&self, key: &str, default: T) -> Result<T, Error>
    where
        T: FromStr<Err: fmt::Display>,
    {
        let mut values = self.settings().filter(|(known, _)| *known == key);
        let Some((_, value)) = values.next() else { return Ok(default) };
        if values.next().is_some() {
            return Err(Error::new(format!("{key} stands in <config> more than once")));
        }
        value.parse().map_err(|error| Error::new(format!("{key} {value}: {error}")))
    }

    /// An error if `<config>` has a key that is not among `known`; it names the key.
    pub fn only(&self, known: &[&str]) -> Result<(), Error> {
        match self.settings().find(|(key, _)| !known.contains(key)) {
            Some((key, _)) => Err(Error::new(format!("unknown key {key} in <config>"))),
            None => Ok(()),
        }
    }
}
