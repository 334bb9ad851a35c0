//! The table of directives: every section and key of the conf, with type, default and a sentence.

use super::schema::Fallback::{Computed, Default, Off, Required};
use super::schema::Reload::{Generation, Restart};
use super::schema::{Child, Key, Kind, Naming, Role, SectionType};

/// What stands outside all sections.
pub static ROOT: SectionType = SectionType {
    name: "",
    naming: Naming::None,
    keys: &[
        Key::new("instancehome", Kind::Path, Computed("."))
            .doc("Relative paths start here; the default is the directory of this file."),
        Key::new("clienthome", Kind::Path, Computed("var"))
            .reload(Restart)
            .doc("Where the host keeps its own files; the default is var below instancehome."),
        Key::new("plugin-path", Kind::Path, Computed("var/plugins")).many().doc(
            "Directories searched for lib<name>.so and <name>.so, in this order; \
                  the default is plugins below clienthome.",
        ),
        Key::new("worker-threads", Kind::Whole(0, 1024), Default("0"))
            .reload(Restart)
            .doc("Threads that serve connections; 0 is one for each core."),
        Key::new("debug-mode", Kind::Boolean, Default("off"))
            .doc("Responses that refuse a request say why."),
        Key::new("stop-timeout", Kind::TimeOrZero, Default("10s"))
            .doc("How long clients have to answer a Close when the host stops."),
    ],
    sections: &[
        part(&LISTENER),
        part(&LIMITS),
        part(&TOPICS),
        part(&WEBSOCKET),
        part(&HTTP),
        Child { section: &ADMIN, role: Role::Switch },
        part(&EVENTLOG),
    ],
    free: false,
    doc: "The process.",
};

static LISTENER: SectionType = SectionType {
    name: "listener",
    naming: Naming::Name,
    keys: &[
        Key::new("address", Kind::Address, Required("127.0.0.1:8080")).doc(
            "PORT, HOST:PORT, [IPV6]:PORT, or the path of a Unix socket, with a '/' in it; \
                  port 0 is any free one, and without a host it is 127.0.0.1.",
        ),
        Key::new("socket-mode", Kind::Mode, Default("0660"))
            .doc("Who may connect to a Unix socket, octal."),
        Key::new("backlog", Kind::Whole(1, 65_535), Default("1024"))
            .doc("Connections that may wait to be accepted."),
    ],
    sections: &[Child { section: &SSL, role: Role::Switch }],
    free: false,
    doc: "An address that the host listens on; there is at least one.",
};

static SSL: SectionType = SectionType {
    name: "ssl",
    naming: Naming::None,
    keys: &[
        Key::new("certificate", Kind::Path, Required("etc/fullchain.pem"))
            .doc("A file in PEM with the certificate, and behind it those up to the authority's."),
        Key::new("key", Kind::Path, Required("etc/privkey.pem"))
            .doc("A file in PEM with the certificate's private key, which others may not read."),
    ],
    sections: &[],
    free: false,
    doc: "The listener speaks TLS 1.2 and 1.3: wss:// and https:// instead of ws:// and http://.",
};

static LIMITS: SectionType = SectionType {
    name: "limits",
    naming: Naming::None,
    keys: &[
        Key::new("max-connections", Kind::Whole(1, u32::MAX as u64), Default("100000"))
            .doc("Connections at one time."),
        Key::new("max-message-size", Kind::ByteSize, Default("1MB"))
            .doc("The largest message that a client may send."),
        Key::new("max-frame-size", Kind::ByteSize, Computed("1MB"))
            .doc("The largest frame that a client may send; the default is max-message-size."),
        Key::new("max-header-size", Kind::ByteSize, Default("16KB"))
            .top_only()
            .doc("The largest head of a request, for the whole host."),
        Key::new("soft-backlog", Kind::ByteSize, Default("256KB"))
            .doc("Bytes waiting for a client above which the endpoint is asked to slow down."),
        Key::new("max-backlog", Kind::ByteSize, Default("4MB"))
            .doc("Bytes waiting for a client at which nothing more is taken for it."),
        Key::new("max-memory", Kind::ByteSizeOrZero, Default("1GB")).doc(
            "Bytes that all clients together may hold, waiting for them or in messages that they \
                  have not finished, without what topics retain; 0 is no limit.",
        ),
        Key::new("slow-timeout", Kind::Time, Default("30s"))
            .doc("A client that stays above soft-backlog without progress for so long is closed."),
        Key::new("handshake-timeout", Kind::Time, Default("10s"))
            .doc("From accept to a complete request, and from there to the endpoint's answer."),
        Key::new("idle-timeout", Kind::TimeOrZero, Default("0"))
            .doc("A connection without a message either way for so long is closed; 0 is never."),
        Key::new("ping-interval", Kind::TimeOrZero, Default("30s"))
            .doc("A client that was silent for so long is pinged; 0 is never."),
        Key::new("ping-timeout", Kind::Time, Default("20s"))
            .doc("How long a client has to answer a ping."),
        Key::new("close-timeout", Kind::Time, Default("5s"))
            .doc("How long the close handshake may take."),
    ],
    sections: &[],
    free: false,
    doc: "What holds for every connection; an endpoint may set its own.",
};

static TOPICS: SectionType = SectionType {
    name: "topics",
    naming: Naming::None,
    keys: &[
        Key::new("max-topics", Kind::Whole(1, u32::MAX as u64), Default("100000"))
            .doc("Topics at one time."),
        Key::new("max-history", Kind::ByteSizeOrZero, Default("1MB")).doc(
            "Bytes of retained messages of one topic, not counted in max-memory; 0 keeps none.",
        ),
        Key::new("keep-empty", Kind::TimeOrZero, Default("1h"))
            .doc("How long a topic without members keeps its history."),
    ],
    sections: &[],
    free: false,
    doc: "What the rooms that endpoints share may hold.",
};

static WEBSOCKET: SectionType = SectionType {
    name: "websocket",
    naming: Naming::UrlPrefix,
    keys: &[
        HOST,
        ON_LISTENER,
        Key::new("origin", Kind::Origin, Default("same")).many().doc(
            "Pages that may connect: same is the host asked for, * is any, \
                  https://*.example.org is any host below.",
        ),
        Key::new("origin-required", Kind::Boolean, Default("off"))
            .doc("A request without an Origin header, which no browser sends, is refused."),
        Key::new("subprotocol", Kind::Subprotocol, Off("chat.v1"))
            .many()
            .doc("Subprotocols that are spoken here, the preferred one first."),
        Key::new("compression", Kind::Compression, Default("off")).doc(
            "permessage-deflate: shared compresses each message alone, and takes no memory of a \
                  connection; dedicated refers to the messages before, and takes two windows.",
        ),
        Key::new("compression-threshold", Kind::ByteSizeOrZero, Default("64"))
            .doc("Messages of fewer bytes are sent as they are."),
        Key::new("compression-window", Kind::Window, Default("4KB"))
            .doc("How far back dedicated refers, each way: 256, 512, 1KB, ... 32KB."),
    ],
    sections: &[
        Child { section: &PLUGIN, role: Role::Endpoint },
        Child { section: &EXTERNAL, role: Role::Endpoint },
        Child { section: &FORWARD, role: Role::Endpoint },
        Child { section: &LIMITS, role: Role::Override },
    ],
    free: false,
    doc: "Takes the WebSocket handshakes for a URL prefix and all below it.",
};

static HTTP: SectionType = SectionType {
    name: "http",
    naming: Naming::UrlPrefix,
    keys: &[HOST, ON_LISTENER],
    sections: &[Child { section: &STATIC, role: Role::Endpoint }],
    free: false,
    doc: "Takes the other requests for a URL prefix and all below it.",
};

static PLUGIN: SectionType = SectionType {
    name: "plugin",
    naming: Naming::CasedName,
    keys: &[],
    sections: &[part(&CONFIG)],
    free: false,
    doc: "Code loaded into the host: NAME is looked up in plugin-path, or is a path with a '/'.",
};

static CONFIG: SectionType = SectionType {
    name: "config",
    naming: Naming::None,
    keys: &[],
    sections: &[],
    free: true,
    doc: "Settings that the plugin or the program gets as they are.",
};

static EXTERNAL: SectionType = SectionType {
    name: "external",
    naming: Naming::None,
    keys: &[
        Key::new("program", Kind::Words, Off("bin/feed --quiet")).reload(Generation).doc(
            "What the host starts and looks after, and its arguments between blanks; it is found \
                  below instancehome if it has a '/', else in the PATH.",
        ),
        Key::new("argument", Kind::Words, Off("--title=The feed"))
            .reload(Generation)
            .secret()
            .many()
            .doc("One more argument of the program, taken as it is: it may have blanks."),
        Key::new("socket", Kind::Path, Off("var/feed.sock")).reload(Generation).doc(
            "A Unix socket on which a program listens that the host does not start; it stands \
                  in place of program.",
        ),
        Key::new("start-timeout", Kind::Time, Default("10s"))
            .reload(Generation)
            .doc("How long the program has until it says that it is ready."),
        Key::new("stop-timeout", Kind::Time, Default("5s"))
            .reload(Generation)
            .doc("How long it has to end by itself, and then how long after a SIGTERM."),
        Key::new("drain-timeout", Kind::Time, Default("1s"))
            .reload(Generation)
            .doc("How long it has for last words to its clients when the host stops."),
    ],
    sections: &[part(&CONFIG)],
    free: false,
    doc: "A program in any language that answers all clients over one socket.",
};

static FORWARD: SectionType = SectionType {
    name: "forward",
    naming: Naming::None,
    keys: &[
        Key::new("url", Kind::Url, Required("ws://127.0.0.1:9000/app")).reload(Generation).doc(
            "The server that answers: ws://HOST:PORT/PATH, the same with wss:// for TLS, or \
                  ws+unix:/PATH/OF/SOCKET:/PATH for one on a Unix socket, below instancehome if \
                  its path does not begin with a '/'.",
        ),
        Key::new("ca", Kind::Path, Off("etc/ca.pem")).reload(Generation).doc(
            "A file in PEM with the certificates that may sign that of a wss:// server; without \
                  it those that the system trusts.",
        ),
        Key::new("append-path", Kind::Boolean, Default("on"))
            .reload(Generation)
            .doc("What is left of the path below the prefix, and the query, go behind the url."),
        Key::new("connect-timeout", Kind::Time, Default("5s"))
            .reload(Generation)
            .doc("How long the server has to take the connection and to answer the handshake."),
        Key::new("forward-header", Kind::PassedHeader, Default("User-Agent"))
            .reload(Generation)
            .many()
            .doc(
                "Headers that are passed on as they came, those of the request and those of the \
                  server's answer; Origin, and X-Forwarded-For, -Proto, -Host and -Prefix are \
                  always sent.",
            ),
    ],
    sections: &[],
    free: false,
    doc: "Another WebSocket server, which each client gets a connection to; the log says why one did \
          not.",
};

static STATIC: SectionType = SectionType {
    name: "static",
    naming: Naming::None,
    keys: &[
        Key::new("path", Kind::Path, Required("examples/demo")).doc("The directory to serve."),
        Key::new("index", Kind::FileName, Default("index.html"))
            .doc("The file that is served for a directory."),
        Key::new("cache-control", Kind::HeaderValue, Off("public, max-age=3600"))
            .doc("The Cache-Control header of every response; without it there is none."),
    ],
    sections: &[],
    free: false,
    doc: "Files from a directory.",
};

static ADMIN: SectionType = SectionType {
    name: "admin",
    naming: Naming::None,
    keys: &[Key::new("socket-name", Kind::Path, Computed("var/admin.sock")).reload(Restart).doc(
        "The path of the Unix socket, which only the host's user and root may use; the default is \
                  admin.sock below clienthome.",
    )],
    sections: &[],
    free: false,
    doc: "The control socket: switchboard status, connections, plugins and stop ask there.",
};

static EVENTLOG: SectionType = SectionType {
    name: "eventlog",
    naming: Naming::None,
    keys: &[Key::new("level", Kind::Level, Default("info"))
        .doc("critical, error, warn, info, debug, trace, all, off, or a number from 0 to 50.")],
    sections: &[],
    free: false,
    doc: "What the host reports.",
};

const HOST: Key = Key::new("host", Kind::Host, Off("www.example.org"))
    .many()
    .doc("Host names for which this section answers, also *.example.org; without it, all.");

const ON_LISTENER: Key = Key::new("listener", Kind::Name, Off("main"))
    .many()
    .doc("Names of the listeners on which this section answers; without it, all.");

const fn part(section: &'static SectionType) -> Child {
    Child { section, role: Role::Part }
}
