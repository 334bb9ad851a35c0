//! An endpoint in this process, over the C ABI of `sdk/c/include/switchboard/plugin.h`.
//!
//! `library` is the code, mapped once for each content; here is the instance, made by its entry any
//! number of times. `host` is what an instance may call, `buffer` the bytes that it may keep,
//! `rehearsal` makes one in a child process, to see whether it can be made.

#![allow(unsafe_code)]

mod buffer;
mod host;
mod rehearsal;
mod topics;

use std::ffi::c_void;
use std::sync::Arc;

use switchboard_abi as abi;
use switchboard_abi::{sb_bytes, sb_closed, sb_entry, sb_message, sb_open, sb_pair, sb_plugin};
use switchboard_websocket::Kind;

use super::{Binding, Closed, Deliveries, Failed, Farewell, Request, Session, Verdict, Why};
use crate::conf::{PluginSettings, WebSocketSettings};
use crate::library::Library;
use crate::shard::{ConnId, Joined, Owner, Shards};

use host::{Context, Told};

pub use rehearsal::{rehearse, rehearse_main};

/// A running instance of a plugin.
pub struct PluginEndpoint {
    plugin: *mut sb_plugin,
    topic_events: *const abi::sb_topic_events,
    /// Never freed: threads of the plugin that outlive it may still look.
    context: &'static Context,
}

// SAFETY: by the ABI, the functions of `sb_plugin` may be called from any thread; that calls for one
// connection do not overlap, and that exclusive ones overlap with nothing, is `Binding`'s contract.
unsafe impl Send for PluginEndpoint {}
// SAFETY: as above.
unsafe impl Sync for PluginEndpoint {}

/// Bytes of an error text that are kept.
const ERROR_BYTES_MAX: usize = 4096;

impl PluginEndpoint {
    /// Makes and starts an instance of `library` for the section `settings`. `number` is the
    /// endpoint's. May block as long as the plugin does.
    ///
    /// # Errors
    /// What the plugin said.
    pub fn start(
        library: &Arc<Library>,
        owner: &Arc<Owner>,
        settings: &WebSocketSettings,
        plugin: &PluginSettings,
        shards: &Arc<Shards>,
    ) -> Result<Self, Failed> {
        let told =
            Told { route: &settings.mount.prefix, name: &plugin.name, config: &plugin.config };
        let context = Context::leak(&library.id, owner, &told, shards);
        let instance = Self::create(library.entry(), context)?;
        if let Some(start) = instance.table().start {
            // SAFETY: the instance was just made, and nothing else calls it yet.
            let status = unsafe { start(instance.plugin) };
            if status < 0 {
                instance.destroy();
                return Err(Failed(format!("start() failed: {}", status_name(status))));
            }
        }
        Ok(instance)
    }

    /// Makes an instance. It serves nobody before its `start`.
    fn create(entry: &'static sb_entry, context: &'static Context) -> Result<Self, Failed> {
        let mut made: *mut sb_plugin = std::ptr::null_mut();
        let mut error = ErrorText::default();
        let create = entry.create.ok_or_else(|| Failed("it has no create()".into()))?;
        // SAFETY: an entry that was loaded is valid for ever; host and config are never freed; the
        // sink lives until the call returns.
        let status = unsafe {
            create(&raw const context.host, &raw const context.config, &mut made, error.sink())
        };
        if status < 0 || made.is_null() {
            return Err(Failed(format!("create() failed: {}", error.text(status))));
        }
        let mut instance = Self { plugin: made, topic_events: std::ptr::null(), context };
        instance.check()?;
        instance.topic_events = instance.extension();
        Ok(instance)
    }

    fn table(&self) -> &sb_plugin {
        // SAFETY: valid from create() until destroy(), which is the last call of this object.
        unsafe { &*self.plugin }
    }

    /// The table must reach as far as ABI 1.0 did, and have what cannot be done without.
    fn check(&self) -> Result<(), Failed> {
        let table = self.table();
        if (table.size as usize) < size_of::<sb_plugin>() {
            return Err(Failed(format!("its sb_plugin has {} bytes, too few", table.size)));
        }
        for (name, there) in [
            ("open", table.open.is_some()),
            ("message", table.message.is_some()),
            ("closed", table.closed.is_some()),
            ("destroy", table.destroy.is_some()),
        ] {
            if !there {
                return Err(Failed(format!("its sb_plugin has no {name}()")));
            }
        }
        Ok(())
    }

    fn extension(&self) -> *const abi::sb_topic_events {
        let Some(extension) = self.table().extension else { return std::ptr::null() };
        // SAFETY: [any-thread], and the id is a C string.
        let found = unsafe { extension(self.plugin, abi::SB_TOPICS_ID.as_ptr()) };
        let events: *const abi::sb_topic_events = found.cast();
        // SAFETY: what the plugin returns for this id is this table or NULL, and lives as long as it.
        let usable = !events.is_null()
            && unsafe { (*events).size as usize >= size_of::<abi::sb_topic_events>() };
        if usable { events } else { std::ptr::null() }
    }

    #[cold]
    fn failed(&self, status: abi::sb_status) -> Verdict {
        let (id, status) = (&self.context.id, status_name(status));
        Verdict::Failed(Failed(format!("{id}: message() says {status}")))
    }

    fn destroy(&self) {
        if let Some(destroy) = self.table().destroy {
            // SAFETY: no other call is running, and none follows.
            unsafe { destroy(self.plugin) };
        }
    }
}

impl Binding for PluginEndpoint {
    fn open(&self, conn: ConnId, request: &Request<'_>) -> Result<Session, Failed> {
        let Some(open) = self.table().open else { return Err(Failed("no open()".into())) };
        let subprotocols: Vec<_> =
            request.subprotocols.iter().map(|name| bytes(name.as_bytes())).collect();
        let pair = |(name, value): &(&str, &[u8])| sb_pair {
            name: bytes(name.as_bytes()),
            value: bytes(value),
        };
        let headers: Vec<_> = request.headers.iter().map(pair).collect();
        let request = sb_open {
            size: size::<sb_open>(),
            flags: if request.tls { abi::SB_OPEN_TLS } else { 0 },
            conn_uid: request.uid,
            method: bytes(b"GET"),
            scheme: bytes(if request.tls { b"wss" } else { b"ws" }),
            authority: bytes(request.authority.as_bytes()),
            target: bytes(request.target.as_bytes()),
            route: bytes(request.route.as_bytes()),
            path: bytes(request.path.as_bytes()),
            query: bytes(request.query.as_bytes()),
            peer: bytes(request.peer.as_bytes()),
            local: bytes(request.local.as_bytes()),
            subprotocol: bytes(request.subprotocol.as_bytes()),
            subprotocols: subprotocols.as_ptr(),
            n_subprotocols: subprotocols.len(),
            headers: headers.as_ptr(),
            n_headers: headers.len(),
            state: sb_bytes::EMPTY,
            state_format: sb_bytes::EMPTY,
            acked: 0,
        };
        let mut session: *mut c_void = std::ptr::null_mut();
        // SAFETY: all that the request borrows lives until the call returns.
        let status = unsafe { open(self.plugin, conn.raw(), &raw const request, &mut session) };
        if status < 0 {
            return Err(Failed(format!("open() says {}", status_name(status))));
        }
        Ok(Session(session as usize))
    }

    fn message(
        &self,
        conn: ConnId,
        session: Session,
        seq: u64,
        kind: Kind,
        payload: &[u8],
    ) -> Verdict {
        let Some(handle) = self.table().message else { return Verdict::Done };
        let kind = match kind {
            Kind::Text => abi::SB_TEXT,
            Kind::Binary => abi::SB_BINARY,
        };
        let message = sb_message {
            size: size::<sb_message>(),
            kind,
            seq,
            data: bytes(payload),
            buf: std::ptr::null_mut(),
            flags: 0,
            reserved: 0,
        };
        // SAFETY: the payload lives until the call returns; the session is what open() gave.
        let status =
            unsafe { handle(self.plugin, conn.raw(), pointer(session), &raw const message) };
        match status {
            abi::SB_DEFERRED => Verdict::Deferred,
            0.. => Verdict::Done,
            _ => self.failed(status),
        }
    }

    fn writable(&self, conn: ConnId, session: Session) {
        if let Some(writable) = self.table().writable {
            // SAFETY: the session is what open() gave.
            unsafe { writable(self.plugin, conn.raw(), pointer(session)) };
        }
    }

    fn subscribed(&self, conn: ConnId, session: Session, joined: &Joined) -> Deliveries {
        // SAFETY: checked when the instance was made; lives as long as it.
        let subscribed = unsafe { self.topic_events.as_ref() }.and_then(|table| table.subscribed);
        let Some(subscribed) = subscribed else { return Deliveries::Now };
        topics::with_snapshot(joined, |snapshot| {
            // SAFETY: what the snapshot borrows lives until the call returns.
            unsafe { subscribed(self.plugin, conn.raw(), pointer(session), snapshot) };
        });
        Deliveries::Now
    }

    fn closed(&self, conn: ConnId, session: Session, end: &Closed<'_>) -> Farewell {
        let Some(closed) = self.table().closed else { return Farewell::Now };
        let end = sb_closed {
            size: size::<sb_closed>(),
            why: match end.why {
                Why::Client => abi::SB_WHY_CLIENT,
                Why::Local => abi::SB_WHY_LOCAL,
                Why::Idle => abi::SB_WHY_IDLE,
                Why::Slow => abi::SB_WHY_SLOW,
                Why::Shutdown => abi::SB_WHY_SHUTDOWN,
                Why::Fault => abi::SB_WHY_FAULT,
                Why::Error => abi::SB_WHY_ERROR,
            },
            code: end.code,
            reserved: 0,
            reserved2: 0,
            reason: bytes(end.reason.as_bytes()),
        };
        // SAFETY: the last call for this session.
        unsafe { closed(self.plugin, conn.raw(), pointer(session), &raw const end) };
        Farewell::Now
    }

    fn stop(&self) {
        if let Some(stop) = self.table().stop {
            // SAFETY: no other call is running.
            let status = unsafe { stop(self.plugin) };
            if status < 0 {
                tracing::warn!("{}: stop() says {}", self.context.id, status_name(status));
            }
        }
        self.destroy();
    }
}

/// Where create() says what is wrong.
#[derive(Default)]
struct ErrorText {
    text: Vec<u8>,
    sink: Option<Box<abi::sb_sink>>,
}

impl ErrorText {
    /// Valid as long as this object stays where it is.
    fn sink(&mut self) -> *mut abi::sb_sink {
        let ctx: *mut Vec<u8> = &raw mut self.text;
        let sink = abi::sb_sink {
            size: size::<abi::sb_sink>(),
            reserved: 0,
            ctx: ctx.cast(),
            write: Some(Self::write),
        };
        &raw mut **self.sink.insert(Box::new(sink))
    }

    unsafe extern "C" fn write(sink: *mut abi::sb_sink, piece: sb_bytes) -> abi::sb_status {
        if sink.is_null() {
            return abi::SB_E_INVALID;
        }
        // SAFETY: `ctx` was set by `sink()`, whose object lives until create() has returned.
        let text = unsafe { &mut *(*sink).ctx.cast::<Vec<u8>>() };
        // SAFETY: the plugin vouches for the piece.
        let piece = unsafe { piece.as_slice() };
        let room = ERROR_BYTES_MAX.saturating_sub(text.len());
        text.extend_from_slice(&piece[..piece.len().min(room)]);
        abi::SB_OK
    }

    fn text(&self, status: abi::sb_status) -> String {
        match String::from_utf8_lossy(&self.text).trim() {
            "" => status_name(status),
            text => text.to_owned(),
        }
    }
}

/// A status as the header spells it.
fn status_name(status: abi::sb_status) -> String {
    match status {
        abi::SB_E_AGAIN => "SB_E_AGAIN",
        abi::SB_E_CLOSED => "SB_E_CLOSED",
        abi::SB_E_TOO_BIG => "SB_E_TOO_BIG",
        abi::SB_E_INVALID => "SB_E_INVALID",
        abi::SB_E_DENIED => "SB_E_DENIED",
        abi::SB_E_NOMEM => "SB_E_NOMEM",
        abi::SB_E_UNSUPPORTED => "SB_E_UNSUPPORTED",
        abi::SB_E_BUSY => "SB_E_BUSY",
        abi::SB_E_PANIC => "SB_E_PANIC (it panicked)",
        abi::SB_E_TIMEOUT => "SB_E_TIMEOUT",
        abi::SB_E_FAILED => "SB_E_FAILED",
        other => return format!("status {other}"),
    }
    .to_owned()
}

/// Borrowed for a call.
fn bytes(bytes: &[u8]) -> sb_bytes {
    sb_bytes::new(bytes)
}

/// The `size` field of a struct.
fn size<T>() -> u32 {
    u32::try_from(size_of::<T>()).unwrap_or(u32::MAX)
}

fn pointer(session: Session) -> *mut c_void {
    session.0 as *mut c_void
}
