// switchboard/frame.hpp - bytes to frames: what each type may carry, and what is wrong with one.
// It does no I/O, copies no payload, and knows nothing of what came before a frame.
#ifndef SWITCHBOARD_FRAME_HPP
#define SWITCHBOARD_FRAME_HPP

#include <array>
#include <vector>

#include "wire.hpp"

namespace switchboard::wire {

enum class place : std::uint8_t { link, stream, both };

// What a tagged value holds; section 3 of the specification.
enum class kind : std::uint8_t { text, bytes, number, pair, message, member, retained };

struct value_rule {
  tag which;
  kind holds;
  bool many = false;
};

struct value_rules {
  const value_rule *first = nullptr;
  std::size_t size = 0;

  constexpr value_rules() = default;
  template <std::size_t N>
  constexpr value_rules(const value_rule (&rules)[N]) : first(rules), size(N) {}
};

// What follows the fixed part of a body.
enum class rest : std::uint8_t { nothing, values, payload, text };

// One row of the table in section 5.
struct layout {
  type kind;
  const char *name;
  std::uint8_t from;  // sum of the sides that may send it
  place where;
  std::uint8_t flags;
  bool aux, seq;
  const char *fixed;  // sizes of the numbers at the beginning of the body, one digit each
  rest tail;
  value_rules values;
  const char *feature;  // that must have been agreed, or null
};

namespace rules {
constexpr value_rule hello[] = {{tag::name, kind::text}, {tag::version, kind::text},
                                {tag::build, kind::text}, {tag::feature, kind::text, true},
                                {tag::token, kind::bytes}};
constexpr value_rule hello_ok[] = {{tag::name, kind::text}, {tag::version, kind::text},
                                   {tag::feature, kind::text, true}, {tag::endpoint, kind::text},
                                   {tag::generation, kind::number},
                                   {tag::setting, kind::pair, true}};
constexpr value_rule text[] = {{tag::text, kind::text}};
constexpr value_rule log[] = {{tag::text, kind::text}, {tag::part, kind::text},
                              {tag::field, kind::pair, true}};
constexpr value_rule open[] = {
    {tag::conn_uid, kind::number}, {tag::method, kind::text}, {tag::scheme, kind::text},
    {tag::authority, kind::text}, {tag::target, kind::text}, {tag::route, kind::text},
    {tag::path, kind::text}, {tag::query, kind::text}, {tag::peer, kind::text},
    {tag::local, kind::text}, {tag::subprotocol, kind::text}, {tag::offered, kind::text, true},
    {tag::header, kind::pair, true}, {tag::state_format, kind::text}, {tag::state, kind::bytes},
    {tag::acked, kind::number}, {tag::sent, kind::number}};
constexpr value_rule accept[] = {{tag::subprotocol, kind::text}, {tag::header, kind::pair, true}};
constexpr value_rule reject[] = {{tag::header, kind::pair, true}, {tag::body, kind::text}};
constexpr value_rule state[] = {{tag::state_format, kind::text}, {tag::state, kind::bytes}};
constexpr value_rule handoff[] = {{tag::conn_uid, kind::number}, {tag::subprotocol, kind::text},
                                  {tag::extensions, kind::text}, {tag::unread, kind::bytes}};
constexpr value_rule subscribe[] = {{tag::key, kind::bytes}, {tag::metadata, kind::bytes},
                                    {tag::joined, kind::message}, {tag::left, kind::message}};
constexpr value_rule subscribed[] = {{tag::key, kind::bytes}, {tag::member, kind::member, true},
                                     {tag::retained, kind::retained, true}};
}  // namespace rules

constexpr std::uint8_t from_host = 1, from_endpoint = 2, from_both = 3;

constexpr layout layouts[] = {
    {type::hello, "HELLO", from_endpoint, place::link, flag::uncounted, false, false,
     "42244444422", rest::values, rules::hello, nullptr},
    {type::hello_ok, "HELLO_OK", from_host, place::link, 0, false, false, "224444444",
     rest::values, rules::hello_ok, nullptr},
    {type::ready, "READY", from_endpoint, place::link, 0, true, false, "", rest::values,
     rules::text, nullptr},
    {type::ping, "PING", from_both, place::link, 0, false, false, "8", rest::nothing, {}, nullptr},
    {type::pong, "PONG", from_both, place::link, 0, false, false, "8", rest::nothing, {}, nullptr},
    {type::drain, "DRAIN", from_both, place::link, 0, true, false, "4", rest::values, rules::text,
     nullptr},
    {type::goaway, "GOAWAY", from_both, place::link, 0, true, false, "4", rest::values,
     rules::text, nullptr},
    {type::log, "LOG", from_endpoint, place::link, 0, true, false, "", rest::values, rules::log,
     nullptr},
    {type::lane, "LANE", from_host, place::link, 0, true, false, "", rest::nothing, {}, "lanes/1"},
    {type::open, "OPEN", from_host, place::stream, flag::resumed | flag::tls, false, false, "",
     rest::values, rules::open, nullptr},
    {type::accept, "ACCEPT", from_endpoint, place::stream, 0, false, false, "", rest::values,
     rules::accept, nullptr},
    {type::reject, "REJECT", from_endpoint, place::stream, 0, true, false, "", rest::values,
     rules::reject, nullptr},
    {type::data, "DATA", from_both, place::stream, flag::text | flag::more | flag::replay, false,
     true, "", rest::payload, {}, nullptr},
    {type::credit, "CREDIT", from_both, place::both, 0, false, false, "44", rest::nothing, {},
     nullptr},
    {type::ack, "ACK", from_both, place::stream, 0, false, false, "8", rest::nothing, {}, nullptr},
    {type::close, "CLOSE", from_both, place::stream, 0, true, false, "4", rest::text, {}, nullptr},
    {type::closed, "CLOSED", from_endpoint, place::stream, 0, false, false, "", rest::nothing, {},
     nullptr},
    {type::reset, "RESET", from_both, place::stream, 0, true, false, "", rest::values, rules::text,
     nullptr},
    {type::state, "STATE", from_endpoint, place::stream, flag::final_, false, false, "8",
     rest::values, rules::state, "resume/1"},
    {type::export_, "EXPORT", from_host, place::stream, 0, false, false, "4", rest::nothing, {},
     "export/1"},
    {type::unexport, "UNEXPORT", from_host, place::stream, 0, false, false, "", rest::nothing, {},
     "export/1"},
    {type::mcast, "MCAST", from_endpoint, place::link, flag::text | flag::more, false, false, "4",
     rest::payload, {}, "mcast/1"},
    {type::handoff, "HANDOFF", from_host, place::stream, 0, false, false, "", rest::values,
     rules::handoff, "handoff/1"},
    {type::topic, "TOPIC", from_endpoint, place::link, 0, false, false, "4", rest::text, {},
     "topics/1"},
    {type::subscribe, "SUBSCRIBE", from_endpoint, place::stream, flag::snapshot, false, false,
     "44", rest::values, rules::subscribe, "topics/1"},
    {type::unsubscribe, "UNSUBSCRIBE", from_endpoint, place::stream, 0, false, false, "4",
     rest::nothing, {}, "topics/1"},
    {type::publish, "PUBLISH", from_endpoint, place::link, flag::text | flag::more | flag::retain,
     false, false, "44", rest::payload, {}, "topics/1"},
    {type::subscribed, "SUBSCRIBED", from_host, place::stream, flag::more, true, false, "48",
     rest::values, rules::subscribed, "topics/1"},
    {type::deliver, "DELIVER", from_endpoint, place::stream, 0, false, false, "4", rest::nothing,
     {}, "topics/1"},
};

inline const layout *layout_of(std::uint8_t number) {
  for (const layout &row : layouts)
    if (static_cast<std::uint8_t>(row.kind) == number) return &row;
  return nullptr;
}

struct value {
  tag which;
  kind holds;
  std::string_view bytes;  // well-formed by its kind
};

// One frame; text and bytes lie where they were read.
struct frame {
  struct header head;
  const layout *row = nullptr;  // null: a type from 0x80 on; there is nothing to do
  std::size_t size = 0;         // with its header
  std::array<std::uint64_t, 11> number{};  // the fixed part
  std::vector<value> values;               // those that are known here, in their order
  std::string_view rest;                   // payload, text, or nothing

  bool has(std::uint8_t flag) const { return (head.flags & flag) != 0; }

  // The first value of a tag; empty if there is none.
  std::string_view text(tag which) const {
    for (const value &one : values)
      if (one.which == which) return one.bytes;
    return {};
  }
  std::uint64_t value_number(tag which) const {
    const std::string_view bytes = text(which);
    return bytes.size() == 8 ? read_number(bytes.data(), 8) : 0;
  }
};

// What is wrong with a frame, and what that costs (section 9).
struct fault {
  error code = error::none;
  bool link = false;  // GOAWAY; else RESET of `stream`, and the reader goes on behind `size`
  std::uint32_t stream = 0;
  std::size_t size = 0;
  std::string sentence;
};

// The parts of structured values that were read without a fault.
struct pair_view {
  std::string_view name, value;
};
struct message_view {
  bool text = false;
  std::string_view payload;
};
struct member_view {
  std::uint64_t uid = 0;
  std::string_view key, metadata;
};
struct retained_view {
  std::uint64_t seq = 0;
  bool text = false, more = false;
  std::string_view payload;
};

inline bool read(std::string_view bytes, pair_view &out) {
  if (bytes.size() < 2) return false;
  const std::size_t size = read_number(bytes.data(), 2);
  if (bytes.size() - 2 < size) return false;
  out = {bytes.substr(2, size), bytes.substr(2 + size)};
  return true;
}
inline bool read(std::string_view bytes, message_view &out) {
  if (bytes.empty() || (bytes[0] != 1 && bytes[0] != 2)) return false;
  out = {bytes[0] == 1, bytes.substr(1)};
  return true;
}
inline bool read(std::string_view bytes, member_view &out) {
  pair_view rest;
  if (bytes.size() < 8 || !read(bytes.substr(8), rest)) return false;
  out = {read_number(bytes.data(), 8), rest.name, rest.value};
  return true;
}
inline bool read(std::string_view bytes, retained_view &out) {
  if (bytes.size() < 10 || (bytes[8] != 1 && bytes[8] != 2) || (bytes[9] != 0 && bytes[9] != 1))
    return false;
  out = {read_number(bytes.data(), 8), bytes[8] == 1, bytes[9] == 1, bytes.substr(10)};
  return true;
}

// Reads the frame at the start of `bytes` that `from` has written.
class parser {
 public:
  enum class result { frame, incomplete, fault };

  explicit parser(side from, std::uint32_t frame_bytes_max = frame_bytes_max_default)
      : from_(from), frame_bytes_max_(frame_bytes_max) {}

  // An incomplete frame costs a look at its header. `out` and `wrong` keep their memory.
  result parse(std::string_view bytes, frame &out, fault &wrong) const {
    if (bytes.size() < header_bytes) return result::incomplete;
    out.head = header::read(bytes.data());
    out.row = layout_of(out.head.type);
    out.size = header_bytes + out.head.len;
    out.values.clear();
    out.rest = {};
    wrong.code = error::none;
    check_head(out, wrong);
    if (wrong.code == error::none) {
      if (bytes.size() < out.size) return result::incomplete;
      if (out.row) check_body(out, bytes.substr(header_bytes, out.head.len), wrong);
    }
    if (wrong.code == error::none) return result::frame;
    wrong.stream = out.head.stream;
    wrong.link = wrong.link || wrong.stream == 0;
    wrong.size = out.size;
    return result::fault;
  }

 private:
  // Type, side, stream and length are judged before the body has come.
  void check_head(const frame &f, fault &wrong) const {
    const header &h = f.head;
    wrong.link = true;
    if (!f.row && h.type < 0x80)
      return say(wrong, error::protocol, "a frame of an unknown type");
    if (f.row && (f.row->from & static_cast<std::uint8_t>(from_)) == 0)
      return say(wrong, error::protocol, f, "may not be sent by this side");
    if (f.row && ((f.row->where == place::link && h.stream != 0) ||
                  (f.row->where == place::stream && h.stream == 0)))
      return say(wrong, error::protocol, f, "does not belong on this stream");
    if (h.len > frame_bytes_max_) return say(wrong, error::too_big, "a frame is too long");
    wrong.link = false;
  }

  void check_body(frame &f, std::string_view body, fault &wrong) const {
    const header &h = f.head;
    std::uint8_t flags = f.row->flags;
    if (f.row->kind == type::data && from_ == side::endpoint) flags = flag::text | flag::more;
    if (h.flags & ~flags) return say(wrong, error::protocol, f, "has a flag without a meaning");
    if (!is_aux(h, f.row)) return say(wrong, error::protocol, f, "has an aux that is not allowed");
    if (h.seq != 0 && !f.row->seq) return say(wrong, error::protocol, f, "has a number");
    std::size_t at = 0, index = 0;
    for (const char *digit = f.row->fixed; *digit; digit++, index++) {
      const auto size = static_cast<std::size_t>(*digit - '0');
      if (body.size() - at < size) return say(wrong, error::protocol, f, "is too short");
      f.number[index] = read_number(body.data() + at, size);
      at += size;
    }
    if (!are_numbers(f)) return say(wrong, error::protocol, f, "has a number that is not allowed");
    f.rest = body.substr(at);
    check_rest(f, wrong);
  }

  bool is_aux(const header &h, const layout *row) const {
    switch (row->kind) {
      case type::ready: return h.aux <= 1;
      case type::lane: return h.aux != 0;
      case type::reject: return is_reject_status(h.aux);
      case type::close:
        return from_ == side::endpoint ? is_close_code(h.aux) : h.aux >= 1000 && h.aux <= 4999;
      default: return row->aux || h.aux == 0;
    }
  }

  // Rules on the numbers of the fixed part.
  bool are_numbers(const frame &f) const {
    const auto &n = f.number;
    const auto is_frame_limit = [](std::uint64_t bytes) {
      return bytes >= frame_bytes_max_floor && bytes <= frame_bytes_max_ceiling;
    };
    switch (f.row->kind) {
      case type::hello:  // the magic number is "SWBD"
        return n[0] == 0x44425753 && n[1] <= n[2] && is_frame_limit(n[3]) && n[4] != 0 &&
               n[5] != 0 && n[6] != 0 && n[7] != 0 && n[10] == 0;
      case type::hello_ok:
        return is_frame_limit(n[2]) && n[5] != 0 && n[6] != 0 && n[7] != 0;
      case type::credit: return f.head.stream != 0 || n[1] == 0;
      case type::close: return from_ == side::host || n[0] == 0;
      default: return true;
    }
  }

  void check_rest(frame &f, fault &wrong) const {
    switch (f.row->tail) {
      case rest::nothing:
        if (!f.rest.empty()) say(wrong, error::protocol, f, "is too long");
        return;
      case rest::values: return read_values(f, wrong);
      case rest::text: return check_text(f, wrong);
      case rest::payload: break;
    }
    const std::uint64_t ids = f.row->kind == type::mcast ? f.number[0] * 4 : 0;
    if (f.rest.size() < ids) return say(wrong, error::protocol, f, "is too short");
    if (f.has(flag::more) && f.rest.size() == ids)
      say(wrong, error::protocol, f, "is an empty fragment that is not the last");
  }

  void check_text(const frame &f, fault &wrong) const {
    const std::size_t max =
        f.row->kind == type::close ? close_reason_bytes_max : topic_bytes_max;
    if (!is_utf8(f.rest)) return say(wrong, error::protocol, f, "has text that is not UTF-8");
    if (f.rest.size() > max) say(wrong, error::protocol, f, "is too long");
  }

  void read_values(frame &f, fault &wrong) const {
    for (std::string_view left = f.rest; !left.empty();) {
      if (left.size() < value_header_bytes) return say(wrong, error::protocol, f, "is cut short");
      const auto which = static_cast<tag>(read_number(left.data(), 2));
      const std::uint64_t flags = read_number(left.data() + 2, 2);
      const std::size_t size = read_number(left.data() + 4, 4);
      if (flags & ~std::uint64_t{1})
        return say(wrong, error::protocol, f, "has a value with unknown flags");
      left.remove_prefix(value_header_bytes);
      if (left.size() < size) return say(wrong, error::protocol, f, "has a value that is cut short");
      if (!take(f, which, flags != 0, left.substr(0, size), wrong)) return;
      left.remove_prefix(size);
    }
    f.rest = {};
    const bool uid = f.row->kind == type::open || f.row->kind == type::handoff;
    if (uid && f.text(tag::conn_uid).empty()) say(wrong, error::protocol, f, "has no CONN_UID");
  }

  bool take(frame &f, tag which, bool critical, std::string_view bytes, fault &wrong) const {
    const value_rules &known = f.row->values;
    for (std::size_t i = 0; i < known.size; i++) {
      const value_rule &rule = known.first[i];
      if (rule.which != which) continue;
      if (!is_well_formed(rule.holds, bytes))
        return say(wrong, error::protocol, f, "has a value that is malformed"), false;
      if (!rule.many && has_value(f, which))
        return say(wrong, error::protocol, f, "has a value twice"), false;
      f.values.push_back({which, rule.holds, bytes});
      return true;
    }
    if (critical) say(wrong, error::unsupported, f, "has an unknown tag that is critical");
    return !critical;
  }

  static bool has_value(const frame &f, tag which) {
    for (const value &one : f.values)
      if (one.which == which) return true;
    return false;
  }

  static bool is_well_formed(kind holds, std::string_view bytes) {
    switch (holds) {
      case kind::text: return is_utf8(bytes);
      case kind::bytes: return true;
      case kind::number: return bytes.size() == 8;
      case kind::pair: {
        pair_view pair;
        return read(bytes, pair) && is_utf8(pair.name);
      }
      case kind::message: {
        message_view message;
        return read(bytes, message);
      }
      case kind::member: {
        member_view member;
        return read(bytes, member);
      }
      case kind::retained: {
        retained_view retained;
        return read(bytes, retained);
      }
    }
    return false;
  }

  static void say(fault &wrong, error code, const char *sentence) {
    wrong.code = code;
    wrong.sentence = sentence;
  }
  static void say(fault &wrong, error code, const frame &f, const char *words) {
    wrong.code = code;
    wrong.sentence.assign(f.row->name).append(" ").append(words);
  }

  side from_;
  std::uint32_t frame_bytes_max_;
};

}  // namespace switchboard::wire

#endif  // SWITCHBOARD_FRAME_HPP
