/*
 * switchboard/plugin.h - the interface between the host and a plugin.
 *
 * A plugin is a shared library that exports one data symbol, `switchboard_entry_v1`, and carries an
 * ELF note that says so before the library is loaded. SB_PLUGIN() at the end of this file makes
 * both. This header is the contract: C99, no dependency but the C library's integer types.
 *
 * ABI 1 is a DRAFT until it is declared finished in the changelog; until then a plugin is rebuilt
 * with the host. What follows is the promise that holds from then on.
 *
 * Growth. Within ABI 1 structs and tables only grow at the end. Each begins with `size`, the bytes
 * that its writer knows; a reader uses a field only if SB_HAS(pointer, field) and, for a function,
 * if it is not NULL. What is not set is zero. A flag or a constant that a reader does not know is
 * ignored where the comment says "hint", and refused with SB_E_UNSUPPORTED elsewhere. Features
 * arrive first as extensions, tables that are asked for by an id such as "topics/1".
 *
 * Threads. Each function ends with one of these words:
 *   [exclusive]    overlaps with no other call into the same plugin instance
 *   [conn-serial]  calls for one connection never overlap and come in order, on any thread; calls
 *                  for different connections run at the same time on several threads
 *   [any-thread]   may be called from every thread at any time, also inside a callback
 * A host function never calls back into the plugin before it returns, so a plugin may hold its own
 * locks while it calls the host.
 *
 * Ownership. A parameter is borrowed for the length of the call, unless its comment says otherwise.
 * Nobody frees the other side's memory.
 *
 * Faults. No exception and no panic may leave a callback; the C++ and Rust SDKs see to that. The
 * library is never unmapped, and it may be instantiated any number of times, also while older
 * instances live: keep the state of an instance behind `sb_plugin.self`, not in globals. Signals,
 * exit(), chdir(), umask() and setlocale() belong to the host.
 */
#ifndef SWITCHBOARD_PLUGIN_H
#define SWITCHBOARD_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SB_ABI_MAJOR 1
#define SB_ABI_MINOR 0

/* True if the writer of *p knew of `field`. */
#define SB_HAS(p, field) \
  ((p)->size >= (uint32_t)((const char *)(&(p)->field + 1) - (const char *)(p)))

/* ------------------------------------------------------------------------------------- words -- */

/* What a call came to: zero or more is success, less than zero is failure. Treat a value that you
 * do not know by its sign. */
typedef int32_t sb_status;
#define SB_OK 0
/* Taken, but more waits for this client than its soft mark: send less until `writable`. */
#define SB_PRESSURE 1
/* Answer of `message` only: the plugin keeps the message and will ack() it later. */
#define SB_DEFERRED 2
#define SB_E_AGAIN (-1)       /* not taken: the queue is full; `writable` follows           */
#define SB_E_CLOSED (-2)      /* the connection has ended, or the handle never was one      */
#define SB_E_TOO_BIG (-3)     /* longer than a limit allows                                 */
#define SB_E_INVALID (-4)     /* an argument breaks the rules of this header                */
#define SB_E_DENIED (-5)      /* not allowed in this state, or to this plugin               */
#define SB_E_NOMEM (-6)       /* no memory, or a budget is used up                          */
#define SB_E_UNSUPPORTED (-7) /* this side does not know what was asked for                 */
#define SB_E_BUSY (-8)        /* taken by another one                                       */
#define SB_E_PANIC (-9)       /* a panic or an exception was caught inside a callback       */
#define SB_E_TIMEOUT (-10)    /* it took too long                                           */
#define SB_E_FAILED (-11)     /* any other failure                                          */

/* A connection, by value. A handle whose connection has ended yields SB_E_CLOSED, never harm.
 * 0 is no connection. */
typedef uint64_t sb_conn;

/* `len` bytes at `ptr`, no terminating zero. `ptr` may be NULL if `len` is 0. */
typedef struct sb_bytes {
  const uint8_t *ptr;
  size_t len;
} sb_bytes;

/* One header of a request or a response, or one key and value of the conf. */
typedef struct sb_pair {
  sb_bytes name;
  sb_bytes value;
} sb_pair;

/* Bytes that the host owns and counts references to. */
typedef struct sb_buf sb_buf;

/* Where the callee writes text or bytes, in as many pieces as it likes, until it returns. */
typedef struct sb_sink {
  uint32_t size;
  uint32_t reserved;
  void *ctx;
  sb_status (*write)(struct sb_sink *sink, sb_bytes piece);
} sb_sink;

/* Kinds of messages. Text is always valid UTF-8: the host has checked what a client sent and
 * refuses, with SB_E_INVALID, to send what is not. */
#define SB_TEXT 1u
#define SB_BINARY 2u

/* Levels of log lines. */
#define SB_LOG_ERROR 1u
#define SB_LOG_WARN 2u
#define SB_LOG_INFO 3u
#define SB_LOG_DEBUG 4u
#define SB_LOG_TRACE 5u

/* --------------------------------------------------------------------- what the host tells ---- */

#define SB_OPEN_RESUMED 1u /* continues a connection of another instance: see `state`        */
#define SB_OPEN_TLS 2u     /* the client came over TLS                                       */

/* A client that wants a WebSocket. Everything in it is borrowed for the call. */
typedef struct sb_open {
  uint32_t size;
  uint32_t flags;           /* SB_OPEN_*, hints                                              */
  uint64_t conn_uid;        /* names this client connection for its whole life, and in logs  */
  sb_bytes method;          /* "GET"                                                         */
  sb_bytes scheme;          /* "ws" or "wss"                                                 */
  sb_bytes authority;       /* the Host header                                               */
  sb_bytes target;          /* path and query as sent                                        */
  sb_bytes route;           /* the prefix of the conf section, as written there              */
  sb_bytes path;            /* the decoded path below the prefix: "" or "/..."               */
  sb_bytes query;           /* what follows '?', as sent; empty if nothing                   */
  sb_bytes peer;            /* address of the client, "192.0.2.1:40000"; "unix" if it has none */
  sb_bytes local;           /* address that it came to                                       */
  sb_bytes subprotocol;     /* the host's choice by the conf, empty if none                  */
  const sb_bytes *subprotocols; /* what the client offers, in its order                      */
  size_t n_subprotocols;
  const sb_pair *headers;   /* names in lower case, values as sent                           */
  size_t n_headers;
  sb_bytes state;           /* if SB_OPEN_RESUMED: the last state blob, and its format name  */
  sb_bytes state_format;
  uint64_t acked;           /* if SB_OPEN_RESUMED: messages up to this one were acknowledged */
} sb_open;

#define SB_MESSAGE_REPLAY 1u /* was delivered before, to an instance that ended              */

/* One whole message of a client. */
typedef struct sb_message {
  uint32_t size;
  uint32_t kind;  /* SB_TEXT or SB_BINARY                                                    */
  uint64_t seq;   /* 1, 2, 3 ... in one connection                                           */
  sb_bytes data;  /* valid until the callback returns                                        */
  sb_buf *buf;    /* where `data` lies, or NULL: retain() works either way                   */
  uint32_t flags; /* SB_MESSAGE_*, hints                                                     */
  uint32_t reserved;
} sb_message;

/* Why a connection ended. A hint: treat an unknown value as SB_WHY_ERROR. */
#define SB_WHY_CLIENT 1u   /* the client closed, or left without a word                      */
#define SB_WHY_LOCAL 2u    /* this plugin called close()                                     */
#define SB_WHY_IDLE 3u     /* idle or ping limit                                             */
#define SB_WHY_SLOW 4u     /* the client read too slowly                                     */
#define SB_WHY_SHUTDOWN 5u /* the host stops                                                 */
#define SB_WHY_MIGRATED 6u /* another instance has taken it over; the client knows nothing   */
#define SB_WHY_FAULT 7u    /* a callback of this plugin failed                               */
#define SB_WHY_ERROR 8u    /* the client broke the protocol or a limit                       */

typedef struct sb_closed {
  uint32_t size;
  uint32_t why;     /* SB_WHY_*                                                              */
  uint16_t code;    /* close code: the client's if it sent one (1005 if it sent none), 1006 if
                       it left without a Close, else the one that the host sends to it       */
  uint16_t reserved;
  uint32_t reserved2;
  sb_bytes reason;  /* UTF-8                                                                 */
} sb_closed;

/* Why no new connections come to an instance. A hint: treat an unknown value as SB_DRAIN_NONE. The
 * numbers are those of DRAIN in the endpoint protocol. */
#define SB_DRAIN_NONE 0u     /* not said                                                     */
#define SB_DRAIN_SHUTDOWN 1u /* it ends: the host stops, or the conf names it no more         */
#define SB_DRAIN_UPGRADE 2u  /* another instance takes over                                  */
#define SB_DRAIN_OVERLOAD 3u /* the host has more than it can do                             */

/* What the conf says to this instance. Lives until destroy(). */
typedef struct sb_config {
  uint32_t size;
  uint32_t reserved;
  sb_bytes route;          /* prefix of the section                                          */
  sb_bytes name;           /* name in <plugin NAME>                                          */
  const sb_pair *settings; /* lines of <config>, in order; a key may occur more than once    */
  size_t n_settings;
} sb_config;

/* ---------------------------------------------------------------------- what a plugin may ask - */

typedef struct sb_accept {
  uint32_t size;
  uint32_t flags;       /* 0                                                                 */
  sb_bytes subprotocol; /* one that the client offers; empty: the host's choice stands       */
  const sb_pair *headers; /* more headers of the 101 response                                */
  size_t n_headers;
} sb_accept;

typedef struct sb_reject {
  uint32_t size;
  uint16_t status;  /* HTTP status, 400 to 599                                               */
  uint16_t reserved;
  const sb_pair *headers;
  size_t n_headers;
  sb_bytes body;    /* UTF-8 text for a person                                               */
} sb_reject;

/* The host, as one instance sees it. Lives until the process ends. No function blocks. */
typedef struct sb_host {
  uint32_t size;
  uint16_t abi_major, abi_minor;
  void *ctx;           /* the host's                                                         */
  const char *name;    /* "switchboard"                                                      */
  const char *version;

  /* Answers `open`, once: the client gets its 101, or the refusal. May come later than the
   * callback's return, until the handshake times out. `how` may be NULL. After accept() one may
   * send() at once. After reject() no `closed` follows, and the session is the plugin's to free.
   * SB_E_DENIED: answered before. SB_E_CLOSED: the client has left. [any-thread] */
  sb_status (*accept)(const struct sb_host *host, sb_conn conn, const sb_accept *how);
  sb_status (*reject)(const struct sb_host *host, sb_conn conn, const sb_reject *how);

  /* Sends one message; the bytes are copied. Sends to one connection that happen one after another
   * leave in that order, whichever threads made them; before accept() they wait for it. SB_OK,
   * SB_PRESSURE (taken), SB_E_AGAIN (not taken; `writable` follows), SB_E_CLOSED, SB_E_TOO_BIG,
   * SB_E_INVALID. [any-thread] */
  sb_status (*send)(const struct sb_host *host, sb_conn conn, uint32_t kind, sb_bytes data);

  /* The same of a buffer, without a copy. Takes one reference, also when it fails. [any-thread] */
  sb_status (*send_buf)(const struct sb_host *host, sb_conn conn, uint32_t kind, sb_buf *buf);

  /* Closes: what was sent leaves first, then the Close frame. `code` 1000, 1001, 1003, 1007 to
   * 1014, or 3000 to 4999; `reason` UTF-8 of at most 123 bytes. `closed` follows. [any-thread] */
  sb_status (*close)(const struct sb_host *host, sb_conn conn, uint16_t code, sb_bytes reason);

  /* Acknowledges every message up to `seq` that `message` answered with SB_DEFERRED. The end of
   * the connection waits for it, at most the close timeout. [any-thread] */
  sb_status (*ack)(const struct sb_host *host, sb_conn conn, uint64_t seq);

  /* A reference to a message's bytes that outlives the callback; the host copies them or counts.
   * NULL: no memory. Give it back by buf_unref() or send_buf(). [conn-serial] */
  sb_buf *(*retain)(const struct sb_host *host, const sb_message *message);

  /* A buffer of `len` bytes, zeroed, with one reference; buf_data() is writable as long as there is
   * only that one. NULL: no memory. [any-thread] */
  sb_buf *(*buf_new)(const struct sb_host *host, size_t len);

  /* Where its bytes lie, and how many in `*len`, which may be NULL. They stay there as long as the
   * caller holds a reference. [any-thread] */
  uint8_t *(*buf_data)(sb_buf *buf, size_t *len);

  /* One reference more; one less, and the last frees it. NULL is nothing. [any-thread] */
  void (*buf_ref)(sb_buf *buf);
  void (*buf_unref)(sb_buf *buf);

  /* One line in the host's log, under the section's prefix and the plugin's id. `target` names the
   * part of the plugin, may be empty. [any-thread] */
  void (*log)(const struct sb_host *host, uint32_t level, sb_bytes target, sb_bytes text);

  /* A further table of host functions, or NULL if this host has none of that id. The table lives
   * as long as the host. Ids of this header set: "topics/1" (topics.h). [any-thread] */
  const void *(*extension)(const struct sb_host *host, const char *id);
} sb_host;

/* ---------------------------------------------------------------------- what a plugin offers -- */

/* One instance, made by sb_entry.create and owned by the plugin until destroy(). A function that
 * may be NULL says so. */
typedef struct sb_plugin {
  uint32_t size;
  uint32_t flags; /* 0                                                                       */
  void *self;     /* the plugin's                                                            */

  /* After create(): may start threads. May be NULL. [exclusive] */
  sb_status (*start)(struct sb_plugin *plugin);

  /* A client wants in. SB_OK: taken, to be answered by accept() or reject(), now or later; less
   * than zero: refused with 503, and nothing follows. `*session` is the plugin's own pointer,
   * handed to every later call for this connection. [conn-serial] */
  sb_status (*open)(struct sb_plugin *plugin, sb_conn conn, const sb_open *request, void **session);

  /* A message. SB_OK: processed, which acknowledges it; SB_DEFERRED: ack() comes later; less than
   * zero: the connection is closed with 1011. [conn-serial] */
  sb_status (*message)(struct sb_plugin *plugin, sb_conn conn, void *session,
                       const sb_message *message);

  /* Room again, after SB_PRESSURE or SB_E_AGAIN. May be NULL. [conn-serial] */
  void (*writable)(struct sb_plugin *plugin, sb_conn conn, void *session);

  /* The end, in the order of the messages: each of them was delivered before. What is sent here
   * still leaves before the Close frame if the client listens. The last call for this connection,
   * exactly one for each `open` that was taken and not rejected, also if the client left before
   * the answer. Free the session here. [conn-serial] */
  void (*closed)(struct sb_plugin *plugin, sb_conn conn, void *session, const sb_closed *end);

  /* Writes the session to `blob` and the name of its format to `format` ("example.chat/3") and
   * leaves it as it is. May be NULL: connections are then not handed to another instance.
   * [conn-serial] */
  sb_status (*export_state)(struct sb_plugin *plugin, sb_conn conn, void *session, sb_sink *format,
                            sb_sink *blob);

  /* No new connections come to this instance; it should let go of those it has within `deadline_ms`
   * (0: no hurry); the host closes those that are left then. `why` is one of SB_DRAIN_*. Comes while
   * connections are served, so beside other calls. May be NULL. [any-thread] */
  void (*drain)(struct sb_plugin *plugin, uint32_t why, uint64_t deadline_ms);

  /* After the last `closed`: join every thread, then return. May be NULL. [exclusive] */
  sb_status (*stop)(struct sb_plugin *plugin);

  /* Frees the instance and this table. [exclusive] */
  void (*destroy)(struct sb_plugin *plugin);

  /* A table of callbacks for an extension, or NULL. May be NULL. [any-thread] */
  const void *(*extension)(struct sb_plugin *plugin, const char *id);
} sb_plugin;

/* -------------------------------------------------------------------------------- the entry --- */

/* The plugin never blocks in a callback: the host may run it on the threads that do its I/O. Hint. */
#define SB_ENTRY_NEVER_BLOCKS 1u

/* The one exported symbol. Looking at it runs nothing. */
typedef struct sb_entry {
  uint32_t size;
  uint16_t abi_major, abi_minor;
  uint64_t flags;      /* SB_ENTRY_*                                                         */
  const char *id;      /* "com.example.chat": letters, digits, '.', '-', '_'                 */
  const char *version; /* "1.4.2"                                                            */
  const char *build;   /* what was built from what, for people; may be ""                    */

  /* Makes one instance, or returns less than zero and says why in `error`. `host` stays valid
   * until the process ends, `config` until destroy(). Leave what others notice to start(): a check
   * of the conf calls create() and destroy() alone, in a process of its own. [exclusive] */
  sb_status (*create)(const sb_host *host, const sb_config *config, sb_plugin **out,
                      sb_sink *error);
} sb_entry;

#define SB_ENTRY_SYMBOL "switchboard_entry_v1"

/* The ELF note that tells a host what a file is, without loading it: section .note.switchboard,
 * name "SWBD", type 1, description as in sb_note_head, followed by the id and the version, each with
 * its terminating zero. */
#define SB_NOTE_SECTION ".note.switchboard"
#define SB_NOTE_NAME "SWBD"
#define SB_NOTE_TYPE 1u

typedef struct sb_note_head {
  uint16_t abi_major, abi_minor;
  uint32_t flags; /* the low half of sb_entry.flags                                          */
} sb_note_head;

#if defined(__GNUC__)
#define SB_PUBLIC __attribute__((visibility("default")))
#define SB_IN_NOTE __attribute__((section(SB_NOTE_SECTION), used, aligned(4)))
#else
#define SB_PUBLIC
#define SB_IN_NOTE
#endif

#ifdef __cplusplus
#define SB_EXTERN_C extern "C"
#else
#define SB_EXTERN_C extern
#endif

/* Makes a library a plugin; once, at file scope. `id_`, `version_` and `build_` are string literals,
 * `create_` is the function of sb_entry.create. */
#define SB_PLUGIN(id_, version_, build_, flags_, create_)                                       \
  SB_IN_NOTE static const struct {                                                              \
    uint32_t name_size, desc_size, type;                                                        \
    char name[8];                                                                               \
    sb_note_head head;                                                                          \
    char text[sizeof(id_ "\0" version_)];                                                       \
  } sb_note_v1 = {sizeof(SB_NOTE_NAME),                                                         \
                  sizeof(sb_note_head) + sizeof(id_ "\0" version_),                             \
                  SB_NOTE_TYPE,                                                                 \
                  SB_NOTE_NAME,                                                                 \
                  {SB_ABI_MAJOR, SB_ABI_MINOR, (uint32_t)(flags_)},                             \
                  id_ "\0" version_};                                                           \
  SB_EXTERN_C SB_PUBLIC const sb_entry switchboard_entry_v1;                                    \
  const sb_entry switchboard_entry_v1 = {                                                       \
      sizeof(sb_entry), SB_ABI_MAJOR, SB_ABI_MINOR, (flags_), id_, version_, build_, create_}

#ifdef __cplusplus
}
#endif

#endif /* SWITCHBOARD_PLUGIN_H */
