//! Numbers that have a meaning. New ones may come, so each is a number with names, not a closed
//! list.

use std::fmt;

macro_rules! codes {
    ($(#[$type_doc:meta])* $type:ident($raw:ty) {
        $($(#[$doc:meta])* $name:ident = $number:literal $word:literal,)*
    }) => {
        $(#[$type_doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $type(pub $raw);

        impl $type {
            $($(#[$doc])* pub const $name: Self = Self($number);)*

            /// Its name in the specification, or "unknown".
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                    _ => "unknown",
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{} ({})", self.name(), self.0)
            }
        }
    };
}

codes! {
    /// Why a stream or a link ends: `aux` of RESET and GOAWAY.
    ErrorCode(u16) {
        /// Nothing is wrong.
        NONE = 0 "NONE",
        /// A rule of the protocol was broken.
        PROTOCOL = 1 "PROTOCOL",
        /// No version in common.
        VERSION = 2 "VERSION",
        /// A feature or a critical tag that this side does not know, or that was not agreed.
        UNSUPPORTED = 3 "UNSUPPORTED",
        /// More was sent than there was credit for.
        FLOW = 4 "FLOW",
        /// A frame or a message over its limit.
        TOO_BIG = 5 "TOO_BIG",
        /// Too many of something.
        LIMIT = 6 "LIMIT",
        /// No answer in time.
        TIMEOUT = 7 "TIMEOUT",
        /// The sender itself failed.
        FAULT = 8 "FAULT",
        /// Not allowed: a wrong token, a stranger.
        DENIED = 9 "DENIED",
        /// Text that is not UTF-8.
        BAD_TEXT = 10 "BAD_TEXT",
    }
}

codes! {
    /// Whose doing the end of a connection is: `SB_WHY_*` of plugin.h. Treat an unknown one as
    /// [`Why::ERROR`].
    Why(u32) {
        /// In a CLOSE of the endpoint.
        NONE = 0 "NONE",
        /// The client closed, or left without a word.
        CLIENT = 1 "CLIENT",
        /// The endpoint asked for it.
        LOCAL = 2 "LOCAL",
        /// Idle or ping limit.
        IDLE = 3 "IDLE",
        /// The client read too slowly.
        SLOW = 4 "SLOW",
        /// The host stops.
        SHUTDOWN = 5 "SHUTDOWN",
        /// Another instance has taken it over; the client knows nothing.
        MIGRATED = 6 "MIGRATED",
        /// The endpoint failed.
        FAULT = 7 "FAULT",
        /// The client broke the WebSocket protocol or a limit, or was not answered in time.
        ERROR = 8 "ERROR",
    }
}

codes! {
    /// Why no new streams come: `aux` of DRAIN.
    DrainReason(u16) {
        /// Not said.
        NONE = 0 "NONE",
        /// The sender ends.
        SHUTDOWN = 1 "SHUTDOWN",
        /// Another instance takes over.
        UPGRADE = 2 "UPGRADE",
        /// The sender has more than it can do.
        OVERLOAD = 3 "OVERLOAD",
    }
}

codes! {
    /// Levels of log lines: `SB_LOG_*` of plugin.h. Treat an unknown one as [`LogLevel::INFO`].
    LogLevel(u16) {
        /// Something failed.
        ERROR = 1 "ERROR",
        /// Something is odd.
        WARN = 2 "WARN",
        /// Something happened.
        INFO = 3 "INFO",
        /// For the author.
        DEBUG = 4 "DEBUG",
        /// For the author, in great number.
        TRACE = 5 "TRACE",
    }
}

codes! {
    /// What a subscription came to: an `sb_status` of plugin.h without its sign.
    SubscribeStatus(u16) {
        /// It is a member.
        OK = 0 "OK",
        /// The topic's name or the metadata is not valid.
        INVALID = 4 "INVALID",
        /// Not for this endpoint.
        DENIED = 5 "DENIED",
        /// Too many topics.
        NO_ROOM = 6 "NO_ROOM",
        /// Another member has the key.
        BUSY = 8 "BUSY",
    }
}

/// True if an endpoint may close with this code: 1000, 1001, 1003, 1007 to 1014, 3000 to 4999.
pub const fn is_close_code(code: u16) -> bool {
    matches!(code, 1000 | 1001 | 1003 | 1007..=1014 | 3000..=4999)
}

/// True if an endpoint may refuse a client with this HTTP status.
pub const fn is_reject_status(status: u16) -> bool {
    matches!(status, 400..=599)
}
