// switchboard/events.hpp - what an endpoint is told, and what a call answers. Plain values.
#ifndef SWITCHBOARD_EVENTS_HPP
#define SWITCHBOARD_EVENTS_HPP

#include <chrono>
#include <vector>

#include "wire.hpp"

namespace switchboard {

// What a call came to.
enum class status : std::uint8_t {
  ok,
  pressure,     // taken, and it waits: send less until `writable`
  again,        // not taken, because too much waits; `writable` follows
  closed,       // the connection has ended, or was closed by this side
  invalid,      // not taken: an argument is wrong, or the connection is not accepted
  too_big,      // not taken: longer than the host's limit
  unsupported,  // not taken: the host does not offer this
};

inline const char *name(status s) {
  constexpr const char *names[] = {"ok",      "pressure", "again",      "closed",
                                   "invalid", "too big",  "unsupported"};
  return names[static_cast<std::size_t>(s)];
}

inline bool is_taken(status s) { return s == status::ok || s == status::pressure; }

// A header or a setting.
struct header_view {
  std::string_view name;  // of a header in lower case
  std::string_view value;
};
struct header {
  std::string name, value;
};

// A client that wants in. All text is valid until `open` returns.
struct request {
  std::uint64_t uid = 0;         // names the connection for its whole life, also in the host's log
  std::string_view method;       // GET
  std::string_view scheme;       // ws or wss
  std::string_view authority;    // the Host header
  std::string_view target;       // path and query as sent
  std::string_view route;        // prefix of the conf section
  std::string_view path;         // decoded, below the prefix: empty or /...
  std::string_view query;        // what follows ?, as sent
  std::string_view peer;         // the client's address
  std::string_view local;        // the address that it came to
  std::string_view subprotocol;  // the host's choice, empty if none
  std::vector<std::string_view> offered;  // subprotocols, in the client's order
  std::vector<header_view> headers;
  bool tls = false;

  // The first header of this name, in lower case; empty if there is none.
  std::string_view header(std::string_view name) const {
    for (const header_view &one : headers)
      if (one.name == name) return one.value;
    return {};
  }
};

// A whole message. The payload is valid until `message` returns.
class message {
 public:
  message(bool is_text, std::string_view payload) : payload_(payload), is_text_(is_text) {}

  bool is_text() const { return is_text_; }
  // Of a text message it is UTF-8.
  std::string_view text() const { return payload_; }
  std::string_view bytes() const { return payload_; }

 private:
  std::string_view payload_;
  bool is_text_;
};

// The one end of a connection. The reason is valid until `closed` returns.
struct close_info {
  std::uint16_t code = 1006;  // 1005: the client gave none; 1006: there was no Close
  switchboard::why why = why::client;
  std::string_view reason;
  error code_of_reset = error::none;  // other than none: it ended at once, for this
};

// The host wants this program to end, or to do less.
struct drain_info {
  std::uint16_t reason = 0;  // 0 not said, 1 the host ends, 2 another instance, 3 too much to do
  std::chrono::milliseconds deadline{0};  // 0: no hurry
  std::string_view text;
};

struct accept_options {
  std::string subprotocol;  // one that the client offers; empty: the host's choice stands
  std::vector<header> headers;
};

struct topic_message {
  bool text = true;
  std::string payload;
  bool set = false;

  topic_message() = default;
  topic_message(bool is_text, std::string bytes)
      : text(is_text), payload(std::move(bytes)), set(true) {}
};

struct subscribe_options {
  bool snapshot = false;            // `subscribed` is called with members and history, and what is
                                    // sent in it reaches the client before the first delivery
  std::uint32_t history = 0;        // retained messages that the topic is to keep, at most 1000
  std::string key;                  // unique among the members if not empty
  std::string metadata;             // the endpoint's words about this member, at most 4 KiB
  topic_message joined, left;       // published when it has become a member, or is none any more
};

// The state of a topic at one instant.
struct snapshot {
  struct member {
    std::uint64_t uid = 0;
    std::string key, metadata;
  };
  struct retained {
    std::uint64_t seq = 0;
    bool text = true;
    std::string payload;
  };

  std::string topic;
  std::uint16_t status = 0;  // 0: a member; 4 not valid, 5 denied, 6 too many topics, 8 key taken
  std::uint64_t seq = 0;     // of the last event before the first delivery
  std::string key;           // the one that was asked for
  std::vector<member> members;    // with this one, in the order of their joining
  std::vector<retained> history;  // oldest first
};

}  // namespace switchboard

#endif  // SWITCHBOARD_EVENTS_HPP
