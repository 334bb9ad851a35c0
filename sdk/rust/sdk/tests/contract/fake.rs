//! A host in memory. Each call to it becomes a line of text.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ffi::{CStr, c_char, c_void};
use std::fmt::Write;
use std::ptr::{null, null_mut};
use std::sync::Mutex;

use switchboard_abi::*;
use switchboard_sdk::__private::entry;
use switchboard_sdk::Endpoint;

pub(crate) struct Fake {
    table: sb_host,
    topics: sb_topics,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: Vec<String>,
    /// What the next calls of a function come to; SB_OK if nothing is here.
    statuses: HashMap<&'static str, VecDeque<sb_status>>,
    /// Handshakes that are answered.
    answered: HashSet<sb_conn>,
}

// SAFETY: the pointers in the tables lead to the value itself, which is leaked and locks its state.
unsafe impl Send for Fake {}
// SAFETY: as above.
unsafe impl Sync for Fake {}

impl Fake {
    pub(crate) fn new() -> &'static Self {
        Self::of_size(size_of::<sb_host>())
    }

    /// A host that knows only the first `size` bytes of its table.
    pub(crate) fn of_size(size: usize) -> &'static Self {
        let fake = Box::leak(Box::new(Self {
            table: sb_host {
                size: u32::try_from(size).expect("a table is small"),
                abi_major: SB_ABI_MAJOR,
                abi_minor: SB_ABI_MINOR,
                ctx: null_mut(),
                name: c"fake".as_ptr(),
                version: c"0".as_ptr(),
                accept: Some(accept),
                reject: Some(reject),
                send: Some(send),
                send_buf: Some(send_buf),
                close: Some(close),
                ack: Some(ack),
                retain: None,
                buf_new: Some(buf_new),
                buf_data: Some(buf_data),
                buf_ref: None,
                buf_unref: None,
                log: Some(log),
                extension: Some(extension),
            },
            topics: sb_topics {
                size: u32::try_from(size_of::<sb_topics>()).expect("a table is small"),
                reserved: 0,
                subscribe: Some(subscribe),
                unsubscribe: Some(unsubscribe),
                publish: Some(publish),
            },
            state: Mutex::default(),
        }));
        fake.table.ctx = (&raw mut *fake).cast();
        fake
    }

    /// The calls since the last time.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().calls)
    }

    /// What the next call of `function` comes to.
    pub(crate) fn next(&self, function: &'static str, status: sb_status) {
        self.state.lock().unwrap().statuses.entry(function).or_default().push_back(status);
    }

    fn called(&self, function: &str, line: &str) -> sb_status {
        let mut state = self.state.lock().unwrap();
        state.calls.push(format!("{function} {line}"));
        state.statuses.get_mut(function).and_then(VecDeque::pop_front).unwrap_or(SB_OK)
    }

    /// The same of accept and reject, of which only one succeeds.
    fn answer(&self, function: &str, conn: sb_conn, line: &str) -> sb_status {
        let status = self.called(function, line);
        if status >= 0 && !self.state.lock().unwrap().answered.insert(conn) {
            return SB_E_DENIED;
        }
        status
    }
}

unsafe fn fake<'a>(host: *const sb_host) -> &'a Fake {
    // SAFETY: `of_size` has put it there.
    unsafe { &*(*host).ctx.cast::<Fake>() }
}

unsafe fn text(bytes: sb_bytes) -> String {
    // SAFETY: the SDK's bytes, during its call.
    String::from_utf8_lossy(unsafe { bytes.as_slice() }).into_owned()
}

unsafe fn headers(pairs: *const sb_pair, len: usize) -> String {
    let mut line = String::new();
    for at in 0..len {
        // SAFETY: the SDK's pairs, during its call.
        let (name, value) = unsafe { (text((*pairs.add(at)).name), text((*pairs.add(at)).value)) };
        write!(line, " {name}: {value}").unwrap();
    }
    line
}

unsafe extern "C" fn accept(
    host: *const sb_host,
    conn: sb_conn,
    how: *const sb_accept,
) -> sb_status {
    // SAFETY: what the SDK hands over.
    unsafe {
        if how.is_null() {
            return fake(host).answer("accept", conn, &format!("{conn} []"));
        }
        let subprotocol = text((*how).subprotocol);
        let headers = headers((*how).headers, (*how).n_headers);
        fake(host).answer("accept", conn, &format!("{conn} [{subprotocol}]{headers}"))
    }
}

unsafe extern "C" fn reject(
    host: *const sb_host,
    conn: sb_conn,
    how: *const sb_reject,
) -> sb_status {
    // SAFETY: what the SDK hands over.
    unsafe {
        let headers = headers((*how).headers, (*how).n_headers);
        let line = format!("{conn} {}{headers} {}", (*how).status, text((*how).body));
        fake(host).answer("reject", conn, &line)
    }
}

unsafe extern "C" fn send(
    host: *const sb_host,
    conn: sb_conn,
    kind: u32,
    data: sb_bytes,
) -> sb_status {
    // SAFETY: what the SDK hands over.
    unsafe { fake(host).called("send", &format!("{conn} {kind} {}", text(data))) }
}

unsafe extern "C" fn buf_new(_host: *const sb_host, len: usize) -> *mut sb_buf {
    Box::into_raw(Box::new(vec![0_u8; len])).cast()
}

unsafe extern "C" fn buf_data(buf: *mut sb_buf, len: *mut usize) -> *mut u8 {
    // SAFETY: `buf_new` has made it, and the plugin has not given it back.
    unsafe {
        let bytes = &mut *buf.cast::<Vec<u8>>();
        *len = bytes.len();
        bytes.as_mut_ptr()
    }
}

unsafe extern "C" fn send_buf(
    host: *const sb_host,
    conn: sb_conn,
    kind: u32,
    buf: *mut sb_buf,
) -> sb_status {
    // SAFETY: `buf_new` has made it; the only reference comes back here.
    unsafe {
        let bytes = Box::from_raw(buf.cast::<Vec<u8>>());
        fake(host).called("send_buf", &format!("{conn} {kind} {}", String::from_utf8_lossy(&bytes)))
    }
}

unsafe extern "C" fn close(
    host: *const sb_host,
    conn: sb_conn,
    code: u16,
    reason: sb_bytes,
) -> sb_status {
    // SAFETY: what the SDK hands over.
    unsafe { fake(host).called("close", &format!("{conn} {code} {}", text(reason))) }
}

unsafe extern "C" fn ack(host: *const sb_host, conn: sb_conn, seq: u64) -> sb_status {
    // SAFETY: what the SDK hands over.
    unsafe { fake(host).called("ack", &format!("{conn} {seq}")) }
}

unsafe extern "C" fn log(host: *const sb_host, level: u32, _target: sb_bytes, line: sb_bytes) {
    // SAFETY: what the SDK hands over.
    unsafe { fake(host).called("log", &format!("{level} {}", text(line))) };
}

unsafe extern "C" fn extension(host: *const sb_host, id: *const c_char) -> *const c_void {
    // SAFETY: what the SDK hands over.
    unsafe {
        if CStr::from_ptr(id) == SB_TOPICS_ID {
            return (&raw const fake(host).topics).cast();
        }
    }
    null()
}

unsafe extern "C" fn subscribe(
    host: *const sb_host,
    conn: sb_conn,
    topic: sb_bytes,
    how: *const sb_subscribe,
) -> sb_status {
    // SAFETY: what the SDK hands over.
    unsafe {
        let how = &*how;
        let line = format!(
            "{conn} {} key={} metadata={} joined={}:{} left={}:{} history={} flags={}",
            text(topic),
            text(how.key),
            text(how.metadata),
            how.joined.kind,
            text(how.joined.data),
            how.left.kind,
            text(how.left.data),
            how.history_messages,
            how.flags,
        );
        fake(host).called("subscribe", &line)
    }
}

unsafe extern "C" fn unsubscribe(
    host: *const sb_host,
    conn: sb_conn,
    topic: sb_bytes,
) -> sb_status {
    // SAFETY: what the SDK hands over.
    unsafe { fake(host).called("unsubscribe", &format!("{conn} {}", text(topic))) }
}

unsafe extern "C" fn publish(
    host: *const sb_host,
    topic: sb_bytes,
    what: *const sb_publish,
) -> sb_status {
    // SAFETY: what the SDK hands over.
    unsafe {
        let what = &*what;
        let (kind, data) = (what.message.kind, text(what.message.data));
        let line =
            format!("{} {kind}:{data} flags={} except={}", text(topic), what.flags, what.except);
        fake(host).called("publish", &line)
    }
}

/// One instance of a plugin, with the calls that a host makes.
pub(crate) struct Plugin {
    pub(crate) host: &'static Fake,
    table: *mut sb_plugin,
}

/// What `open` came to.
pub(crate) struct Client {
    pub(crate) status: sb_status,
    pub(crate) conn: sb_conn,
    session: Opaque,
}

impl Client {
    pub(crate) fn has_session(&self) -> bool {
        !self.session.is_null()
    }
}

pub(crate) fn bytes(text: &str) -> sb_bytes {
    sb_bytes::new(text.as_bytes())
}

impl Plugin {
    pub(crate) fn create<E: Endpoint>(settings: &[(&str, &str)]) -> Result<Self, (i32, String)> {
        Self::create_on::<E>(Fake::new(), settings)
    }

    pub(crate) fn create_on<E: Endpoint>(
        host: &'static Fake,
        settings: &[(&str, &str)],
    ) -> Result<Self, (i32, String)> {
        Self::of(&entry::<E>(0, b"org.example.probe\0", b"1\0", b"\0"), host, settings)
    }

    /// An error has the status and the sentence for the administrator.
    pub(crate) fn of(
        entry: &sb_entry,
        host: &'static Fake,
        settings: &[(&str, &str)],
    ) -> Result<Self, (i32, String)> {
        let settings: Vec<_> = settings
            .iter()
            .map(|(name, value)| sb_pair { name: bytes(name), value: bytes(value) })
            .collect();
        let config = sb_config {
            size: u32::try_from(size_of::<sb_config>()).unwrap(),
            reserved: 0,
            route: bytes("/probe"),
            name: bytes("probe"),
            settings: settings.as_ptr(),
            n_settings: settings.len(),
        };
        let mut said = String::new();
        let mut sink = sb_sink {
            size: u32::try_from(size_of::<sb_sink>()).unwrap(),
            reserved: 0,
            ctx: (&raw mut said).cast(),
            write: Some(write_to_string),
        };
        let mut table = null_mut();
        // SAFETY: what a host hands over, and it lives long enough.
        let status = unsafe {
            entry.create.unwrap()(
                &raw const host.table,
                &raw const config,
                &raw mut table,
                &raw mut sink,
            )
        };
        if status < 0 { Err((status, said)) } else { Ok(Self { host, table }) }
    }

    pub(crate) fn start(&self) -> sb_status {
        // SAFETY: the instance lives.
        unsafe { (*self.table).start.unwrap()(self.table) }
    }

    /// A client for `path` below the prefix; its uid is its handle plus 100.
    pub(crate) fn open(&self, conn: sb_conn, path: &[u8]) -> Client {
        let offered = [bytes("v2"), bytes("v1")];
        let headers = [
            sb_pair { name: bytes("cookie"), value: bytes("a=b") },
            sb_pair { name: bytes("x-raw"), value: sb_bytes::new(&[0xff]) },
        ];
        let request = sb_open {
            size: u32::try_from(size_of::<sb_open>()).unwrap(),
            flags: SB_OPEN_TLS,
            conn_uid: conn + 100,
            method: bytes("GET"),
            scheme: bytes("wss"),
            authority: bytes("example.org"),
            target: bytes("/probe/x?q=1"),
            route: bytes("/probe"),
            path: sb_bytes::new(path),
            query: bytes("q=1"),
            peer: bytes("192.0.2.1:40000"),
            local: bytes("192.0.2.2:443"),
            subprotocol: bytes("v1"),
            subprotocols: offered.as_ptr(),
            n_subprotocols: offered.len(),
            headers: headers.as_ptr(),
            n_headers: headers.len(),
            state: sb_bytes::EMPTY,
            state_format: sb_bytes::EMPTY,
            acked: 0,
        };
        let mut session = null_mut();
        // SAFETY: what a host hands over, and it lives long enough.
        let status = unsafe {
            (*self.table).open.unwrap()(self.table, conn, &raw const request, &raw mut session)
        };
        Client { status, conn, session }
    }

    pub(crate) fn text(&self, client: &Client, seq: u64, text: &str) -> sb_status {
        self.message(client, SB_TEXT, seq, text.as_bytes())
    }

    pub(crate) fn message(&self, client: &Client, kind: u32, seq: u64, data: &[u8]) -> sb_status {
        let message = sb_message {
            size: u32::try_from(size_of::<sb_message>()).unwrap(),
            kind,
            seq,
            data: sb_bytes::new(data),
            buf: null_mut(),
            flags: 0,
            reserved: 0,
        };
        // SAFETY: what a host hands over.
        unsafe {
            let function = (*self.table).message.unwrap();
            function(self.table, client.conn, client.session, &raw const message)
        }
    }

    pub(crate) fn writable(&self, client: &Client) {
        // SAFETY: what a host hands over.
        unsafe { (*self.table).writable.unwrap()(self.table, client.conn, client.session) };
    }

    pub(crate) fn subscribed(&self, client: &Client, topic: &sb_topic_snapshot) {
        // SAFETY: what a host hands over.
        unsafe {
            let events = (*self.table).extension.unwrap()(self.table, SB_TOPICS_ID.as_ptr());
            let events = events.cast::<sb_topic_events>();
            (*events).subscribed.unwrap()(self.table, client.conn, client.session, topic);
        }
    }

    pub(crate) fn has_extension(&self, id: &CStr) -> bool {
        // SAFETY: what a host hands over.
        unsafe { !(*self.table).extension.unwrap()(self.table, id.as_ptr()).is_null() }
    }

    #[allow(clippy::needless_pass_by_value)]
    pub(crate) fn closed(&self, client: Client) {
        let end = sb_closed {
            size: u32::try_from(size_of::<sb_closed>()).unwrap(),
            why: SB_WHY_CLIENT,
            code: 1001,
            reserved: 0,
            reserved2: 0,
            reason: bytes("away"),
        };
        // SAFETY: what a host hands over; the client is used up.
        unsafe {
            let function = (*self.table).closed.unwrap();
            function(self.table, client.conn, client.session, &raw const end);
        }
    }

    pub(crate) fn drain(&self, why: u32, deadline_ms: u64) {
        // SAFETY: the instance lives.
        unsafe { (*self.table).drain.unwrap()(self.table, why, deadline_ms) };
    }

    pub(crate) fn stop(&self) -> sb_status {
        // SAFETY: the instance lives.
        unsafe { (*self.table).stop.unwrap()(self.table) }
    }

    pub(crate) fn destroy(self) {
        // SAFETY: the last call.
        unsafe { (*self.table).destroy.unwrap()(self.table) };
    }
}

unsafe extern "C" fn write_to_string(sink: *mut sb_sink, piece: sb_bytes) -> sb_status {
    // SAFETY: `create` has put a String there.
    unsafe { (*(*sink).ctx.cast::<String>()).push_str(&text(piece)) };
    SB_OK
}
