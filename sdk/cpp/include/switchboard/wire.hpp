// switchboard/wire.hpp - numbers, names and text as they stand on the wire. It does no I/O.
#ifndef SWITCHBOARD_WIRE_HPP
#define SWITCHBOARD_WIRE_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace switchboard {

// Why a stream or a link ends; `aux` of RESET and GOAWAY.
enum class error : std::uint16_t {
  none = 0,
  protocol = 1,
  version = 2,
  unsupported = 3,
  flow = 4,
  too_big = 5,
  limit = 6,
  timeout = 7,
  fault = 8,
  denied = 9,
  bad_text = 10,
};

// Whose doing the end of a connection is. Treat an unknown one as `error`.
enum class why : std::uint32_t {
  none = 0,
  client = 1,    // the client closed, or left without a word
  local = 2,     // the endpoint asked for it
  idle = 3,      // idle or ping limit
  slow = 4,      // the client read too slowly
  shutdown = 5,  // the host stops
  migrated = 6,  // another instance has taken it over
  fault = 7,     // the endpoint failed
  error = 8,     // the client broke a rule or a limit, or was not answered in time
};

enum class log_level : std::uint16_t { error = 1, warning = 2, info = 3, debug = 4, trace = 5 };

namespace wire {

enum class side : std::uint8_t { host = 1, endpoint = 2 };

enum class type : std::uint8_t {
  hello = 0x01, hello_ok = 0x02, ready = 0x03, ping = 0x04, pong = 0x05, drain = 0x06,
  goaway = 0x07, log = 0x08, lane = 0x09,
  open = 0x10, accept = 0x11, reject = 0x12, data = 0x13, credit = 0x14, ack = 0x15,
  close = 0x16, closed = 0x17, reset = 0x18, state = 0x19, export_ = 0x1a, unexport = 0x1b,
  mcast = 0x1c, handoff = 0x1d,
  topic = 0x20, subscribe = 0x21, unsubscribe = 0x22, publish = 0x23, subscribed = 0x24,
  deliver = 0x25,
};

// Bits of `flags`, by type.
namespace flag {
constexpr std::uint8_t uncounted = 1;  // HELLO
constexpr std::uint8_t resumed = 1;    // OPEN
constexpr std::uint8_t tls = 2;        // OPEN
constexpr std::uint8_t text = 1;       // DATA, MCAST, PUBLISH
constexpr std::uint8_t more = 2;       // DATA, MCAST, PUBLISH, SUBSCRIBED
constexpr std::uint8_t replay = 4;     // DATA of the host
constexpr std::uint8_t retain = 8;     // PUBLISH
constexpr std::uint8_t final_ = 1;     // STATE
constexpr std::uint8_t snapshot = 1;   // SUBSCRIBE
}  // namespace flag

enum class tag : std::uint16_t {
  name = 1, version = 2, build = 3, feature = 4, token = 5, endpoint = 6, generation = 7,
  setting = 8, text = 9, part = 10, field = 11,
  conn_uid = 16, method = 17, scheme = 18, authority = 19, target = 20, route = 21, path = 22,
  query = 23, peer = 24, local = 25, subprotocol = 26, offered = 27, header = 28, body = 29,
  state_format = 32, state = 33, acked = 34, sent = 35,
  key = 40, metadata = 41, joined = 42, left = 43, member = 44, retained = 45,
  extensions = 48, unread = 49,
};

constexpr std::uint16_t version = 1;
constexpr std::size_t header_bytes = 16;
constexpr std::size_t value_header_bytes = 8;
constexpr std::uint32_t uncounted = 0xffffffff;         // in a window: nobody counts
constexpr std::uint32_t frame_bytes_max_floor = 65536;  // every side takes bodies of this length
constexpr std::uint32_t frame_bytes_max_default = 262144;
constexpr std::uint32_t frame_bytes_max_ceiling = 16777216;
constexpr std::size_t fragment_bytes = 65536;  // longer messages are sent in parts
constexpr std::size_t close_reason_bytes_max = 123;
constexpr std::size_t topic_bytes_max = 255;
constexpr std::size_t metadata_bytes_max = 4096;
constexpr std::size_t topics_max = 65536;
constexpr std::uint32_t history_messages_max = 1000;

// Codes with which an endpoint may close.
constexpr bool is_close_code(std::uint16_t code) {
  return code == 1000 || code == 1001 || code == 1003 || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

// HTTP statuses with which an endpoint may refuse.
constexpr bool is_reject_status(std::uint16_t status) { return status >= 400 && status <= 599; }

// Reads `size` bytes, the least first.
inline std::uint64_t read_number(const char *at, std::size_t size) {
  std::uint64_t number = 0;
  while (size-- > 0) number = number << 8 | static_cast<unsigned char>(at[size]);
  return number;
}

inline void put_number(std::string &out, std::uint64_t number, std::size_t size) {
  for (; size > 0; size--, number >>= 8) out.push_back(static_cast<char>(number & 0xff));
}

// The sixteen bytes before every body. Nothing about them is checked here.
struct header {
  std::uint32_t len = 0;
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::uint16_t aux = 0;
  std::uint32_t stream = 0;
  std::uint32_t seq = 0;

  // `at` has header_bytes.
  static header read(const char *at) {
    header h;
    h.len = static_cast<std::uint32_t>(read_number(at, 4));
    h.type = static_cast<std::uint8_t>(at[4]);
    h.flags = static_cast<std::uint8_t>(at[5]);
    h.aux = static_cast<std::uint16_t>(read_number(at + 6, 2));
    h.stream = static_cast<std::uint32_t>(read_number(at + 8, 4));
    h.seq = static_cast<std::uint32_t>(read_number(at + 12, 4));
    return h;
  }

  void put(std::string &out) const {
    put_number(out, len, 4);
    put_number(out, type, 1);
    put_number(out, flags, 1);
    put_number(out, aux, 2);
    put_number(out, stream, 4);
    put_number(out, seq, 4);
  }
};

// Appends one frame; its length is filled in at the end.
class frame_writer {
 public:
  frame_writer(std::string &out, type kind, std::uint32_t stream = 0, std::uint16_t aux = 0,
               std::uint8_t flags = 0, std::uint32_t seq = 0)
      : out_(out), start_(out.size()) {
    header h;
    h.type = static_cast<std::uint8_t>(kind);
    h.flags = flags;
    h.aux = aux;
    h.stream = stream;
    h.seq = seq;
    h.put(out_);
  }
  frame_writer(const frame_writer &) = delete;
  frame_writer &operator=(const frame_writer &) = delete;
  ~frame_writer() { fill(start_, out_.size() - start_ - header_bytes); }

  frame_writer &u16(std::uint16_t number) { return put(number, 2); }
  frame_writer &u32(std::uint32_t number) { return put(number, 4); }
  frame_writer &u64(std::uint64_t number) { return put(number, 8); }
  frame_writer &put(std::uint64_t number, std::size_t size) {
    put_number(out_, number, size);
    return *this;
  }
  frame_writer &bytes(std::string_view bytes) {
    out_.append(bytes);
    return *this;
  }

  // A tagged value. Text and bytes that are empty are not written.
  frame_writer &value(tag which, std::string_view bytes) {
    if (!bytes.empty()) begin(which, bytes.size()), out_.append(bytes);
    return *this;
  }
  // One of a row, which may be empty.
  frame_writer &item(tag which, std::string_view bytes) {
    begin(which, bytes.size());
    out_.append(bytes);
    return *this;
  }
  frame_writer &number(tag which, std::uint64_t number) {
    begin(which, 8);
    return u64(number);
  }
  frame_writer &pair(tag which, std::string_view name, std::string_view bytes) {
    name = name.substr(0, 0xffff);
    begin(which, 2 + name.size() + bytes.size());
    return put(name.size(), 2).bytes(name).bytes(bytes);
  }
  frame_writer &message(tag which, bool text, std::string_view payload) {
    begin(which, 1 + payload.size());
    return put(text ? 1 : 2, 1).bytes(payload);
  }
  frame_writer &member(tag which, std::uint64_t uid, std::string_view key, std::string_view words) {
    key = key.substr(0, 0xffff);
    begin(which, 10 + key.size() + words.size());
    return u64(uid).put(key.size(), 2).bytes(key).bytes(words);
  }
  frame_writer &retained(tag which, std::uint64_t seq, bool text, bool more,
                         std::string_view payload) {
    begin(which, 10 + payload.size());
    return u64(seq).put(text ? 1 : 2, 1).put(more ? 1 : 0, 1).bytes(payload);
  }

 private:
  void begin(tag which, std::size_t size) {
    put(static_cast<std::uint16_t>(which), 2).u16(0).put(size, 4);
  }
  void fill(std::size_t at, std::size_t number) {
    for (std::size_t i = 0; i < 4; i++, number >>= 8) out_[at + i] = static_cast<char>(number & 0xff);
  }

  std::string &out_;
  std::size_t start_;
};

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
inline bool is_utf8(std::string_view text) {
  const char *at = text.data(), *end = at + text.size();
  while (at < end) {
    // Eight ASCII bytes at a time, as most text is.
    for (std::uint64_t word; end - at >= 8; at += 8) {
      std::memcpy(&word, at, 8);
      if (word & 0x8080808080808080u) break;
    }
    if (at == end) return true;
    const auto byte = [&](std::ptrdiff_t i) { return static_cast<unsigned char>(at[i]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80) {
      at++;
      continue;
    }
    const std::ptrdiff_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || end - at < size) return false;
    for (std::ptrdiff_t i = 1; i < size; i++)
      if ((byte(i) & 0xc0) != 0x80) return false;
    if ((lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xed && byte(1) > 0x9f) ||
        (lead == 0xf0 && byte(1) < 0x90) || (lead == 0xf4 && byte(1) > 0x8f))
      return false;
    at += size;
  }
  return true;
}

}  // namespace wire
}  // namespace switchboard

#endif  // SWITCHBOARD_WIRE_HPP
