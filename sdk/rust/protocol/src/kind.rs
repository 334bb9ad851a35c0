//! The types of frames, and what each may carry: the table of the specification's section 5.

/// Who wrote a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The host, which has the clients.
    Host,
    /// The program that answers.
    Endpoint,
}

impl Side {
    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::Host => Self::Endpoint,
            Self::Endpoint => Self::Host,
        }
    }
}

macro_rules! frame_types {
    ($($(#[$doc:meta])* $name:ident = $number:literal $word:literal,)*) => {
        /// What a frame is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum FrameType { $($(#[$doc])* $name = $number,)* }

        impl FrameType {
            /// Every type that this version knows.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The type with this number.
            pub const fn new(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// Its name in the specification.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }
    };
}

frame_types! {
    /// The endpoint's first frame.
    Hello = 0x01 "HELLO",
    /// The host's answer.
    HelloOk = 0x02 "HELLO_OK",
    /// The endpoint takes new streams, or does not.
    Ready = 0x03 "READY",
    /// Is somebody there?
    Ping = 0x04 "PING",
    /// Yes.
    Pong = 0x05 "PONG",
    /// No new streams; let go of those there are.
    Drain = 0x06 "DRAIN",
    /// The sender's last frame.
    GoAway = 0x07 "GOAWAY",
    /// A line for the host's log.
    Log = 0x08 "LOG",
    /// A further link; feature `lanes/1`.
    Lane = 0x09 "LANE",
    /// A client wants in.
    Open = 0x10 "OPEN",
    /// It may come in.
    Accept = 0x11 "ACCEPT",
    /// It may not.
    Reject = 0x12 "REJECT",
    /// A message, or a fragment of one.
    Data = 0x13 "DATA",
    /// More may be sent.
    Credit = 0x14 "CREDIT",
    /// Messages are done with.
    Ack = 0x15 "ACK",
    /// From the host: the end. From the endpoint: end it, please.
    Close = 0x16 "CLOSE",
    /// The endpoint's last word on a stream.
    Closed = 0x17 "CLOSED",
    /// The end at once.
    Reset = 0x18 "RESET",
    /// What a successor needs to know; feature `resume/1`.
    State = 0x19 "STATE",
    /// Give your state and stop; feature `export/1`.
    Export = 0x1a "EXPORT",
    /// Go on after all; feature `export/1`.
    Unexport = 0x1b "UNEXPORT",
    /// One message for many streams; feature `mcast/1`.
    Multicast = 0x1c "MCAST",
    /// The client's socket itself; feature `handoff/1`.
    Handoff = 0x1d "HANDOFF",
    /// A number for a topic's name; feature `topics/1`.
    Topic = 0x20 "TOPIC",
    /// Makes a stream a member of a topic.
    Subscribe = 0x21 "SUBSCRIBE",
    /// Ends that.
    Unsubscribe = 0x22 "UNSUBSCRIBE",
    /// A message for all members.
    Publish = 0x23 "PUBLISH",
    /// What a subscription came to.
    Subscribed = 0x24 "SUBSCRIBED",
    /// The snapshot is answered; deliveries may begin.
    Deliver = 0x25 "DELIVER",
}

/// On which streams a type may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On stream 0 only.
    Link,
    /// Not on stream 0.
    Stream,
    /// On both.
    Both,
}

/// Bits of `flags`, by type.
pub mod flags {
    /// HELLO: the endpoint does not count what it sends; it is given no windows.
    pub const UNCOUNTED: u8 = 1;
    /// OPEN: continues a connection of another instance.
    pub const RESUMED: u8 = 1;
    /// OPEN: the client came over TLS.
    pub const TLS: u8 = 2;
    /// DATA, MCAST, PUBLISH: the message is text.
    pub const TEXT: u8 = 1;
    /// DATA, MCAST, PUBLISH, SUBSCRIBED: more of the same follows.
    pub const MORE: u8 = 2;
    /// DATA from the host: was delivered before, to an instance that ended.
    pub const REPLAY: u8 = 4;
    /// PUBLISH: keep it in the topic's history.
    pub const RETAIN: u8 = 8;
    /// STATE: answers EXPORT; the stream rests.
    pub const FINAL: u8 = 1;
    /// SUBSCRIBE: SUBSCRIBED is wanted with members and history, and deliveries wait for DELIVER.
    pub const SNAPSHOT: u8 = 1;
}

impl FrameType {
    /// True if this side may send it.
    pub const fn is_from(self, side: Side) -> bool {
        match self {
            Self::Ping | Self::Pong | Self::Drain | Self::GoAway => true,
            Self::Data | Self::Credit | Self::Ack | Self::Close | Self::Reset => true,
            Self::HelloOk | Self::Lane | Self::Open | Self::Export => matches!(side, Side::Host),
            Self::Unexport | Self::Handoff | Self::Subscribed => matches!(side, Side::Host),
            _ => matches!(side, Side::Endpoint),
        }
    }

    /// Where it may stand.
    pub const fn place(self) -> Place {
        match self {
            Self::Credit => Place::Both,
            Self::Multicast | Self::Topic | Self::Publish => Place::Link,
            _ if (self as u8) < 0x10 => Place::Link,
            _ => Place::Stream,
        }
    }

    /// The flags that this side may set.
    pub const fn flags(self, from: Side) -> u8 {
        match self {
            Self::Hello => flags::UNCOUNTED,
            Self::Open => flags::RESUMED | flags::TLS,
            Self::Data => match from {
                Side::Host => flags::TEXT | flags::MORE | flags::REPLAY,
                Side::Endpoint => flags::TEXT | flags::MORE,
            },
            Self::Multicast => flags::TEXT | flags::MORE,
            Self::Publish => flags::TEXT | flags::MORE | flags::RETAIN,
            Self::Subscribed => flags::MORE,
            Self::State => flags::FINAL,
            Self::Subscribe => flags::SNAPSHOT,
            _ => 0,
        }
    }

    /// True if `aux` means something; else it is 0.
    pub const fn has_aux(self) -> bool {
        matches!(
            self,
            Self::Ready
                | Self::Drain
                | Self::GoAway
                | Self::Log
                | Self::Lane
                | Self::Reject
                | Self::Close
                | Self::Reset
                | Self::Subscribed
        )
    }

    /// True if `seq` means something; else it is 0.
    pub const fn has_seq(self) -> bool {
        matches!(self, Self::Data)
    }

    /// The feature that both sides must have named before this side sends it.
    pub const fn feature(self, from: Side) -> Option<&'static str> {
        match self {
            Self::Lane => Some("lanes/1"),
            Self::State => Some("resume/1"),
            Self::Ack if matches!(from, Side::Host) => Some("sent/1"),
            Self::Export | Self::Unexport => Some("export/1"),
            Self::Multicast => Some("mcast/1"),
            Self::Handoff => Some("handoff/1"),
            _ if (self as u8) >= 0x20 => Some("topics/1"),
            _ => None,
        }
    }

    /// True if it costs of the link's window.
    pub const fn costs_credit(self) -> bool {
        matches!(self, Self::Data | Self::Multicast | Self::Publish)
    }
}
