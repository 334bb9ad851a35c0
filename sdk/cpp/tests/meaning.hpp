// meaning.hpp - frames as words and back, in the language of sdk/spec/vectors.
#ifndef SWITCHBOARD_TESTS_MEANING_HPP
#define SWITCHBOARD_TESTS_MEANING_HPP

#include <switchboard/flow.hpp>

#include <fstream>
#include <sstream>

#include "check.hpp"

namespace meaning {

namespace wire = switchboard::wire;

// What the numbers of a frame are called; "-" is one that is not told.
struct names {
  wire::type kind;
  const char *aux;
  std::vector<std::pair<std::uint8_t, const char *>> flags;
  std::vector<const char *> numbers;
  const char *rest = "payload";
};

inline const names &names_of(wire::type kind) {
  using wire::type;
  static const std::vector<names> all = {
      {type::hello, "", {{1, "uncounted"}},
       {"-", "version_min", "version_max", "frame_bytes_max", "streams_max", "stream_bytes",
        "stream_messages", "link_bytes", "heartbeat_ms", "lanes", "-"}},
      {type::hello_ok, "", {},
       {"version", "lanes", "frame_bytes_max", "streams_max", "message_bytes_max", "stream_bytes",
        "stream_messages", "link_bytes", "heartbeat_ms"}},
      {type::ready, "not_ready", {}, {}},
      {type::ping, "", {}, {"opaque"}},
      {type::pong, "", {}, {"opaque"}},
      {type::drain, "reason", {}, {"deadline_ms"}},
      {type::goaway, "code", {}, {"last_stream"}},
      {type::log, "level", {}, {}},
      {type::lane, "lane", {}, {}},
      {type::open, "", {{1, "resumed"}, {2, "tls"}}, {}},
      {type::accept, "", {}, {}},
      {type::reject, "status", {}, {}},
      {type::data, "", {{1, "text"}, {2, "more"}, {4, "replay"}}, {}},
      {type::credit, "", {}, {"bytes", "messages"}},
      {type::ack, "", {}, {"upto"}},
      {type::close, "code", {}, {"why"}, "reason"},
      {type::closed, "", {}, {}},
      {type::reset, "code", {}, {}},
      {type::state, "", {{1, "final"}}, {"acked"}},
      {type::export_, "", {}, {"deadline_ms"}},
      {type::unexport, "", {}, {}},
      {type::mcast, "", {{1, "text"}, {2, "more"}}, {"-"}},
      {type::handoff, "", {}, {}},
      {type::topic, "", {}, {"topic"}, "name"},
      {type::subscribe, "", {{1, "snapshot"}}, {"topic", "history_messages"}},
      {type::unsubscribe, "", {}, {"topic"}},
      {type::publish, "", {{1, "text"}, {2, "more"}, {8, "retain"}}, {"topic", "except"}},
      {type::subscribed, "status", {{2, "more"}}, {"topic", "seq"}},
      {type::deliver, "", {}, {"topic"}},
  };
  for (const names &one : all)
    if (one.kind == kind) return one;
  throw std::runtime_error("a type without names");
}

inline const std::vector<std::pair<wire::tag, const char *>> &tag_names() {
  using wire::tag;
  static const std::vector<std::pair<tag, const char *>> all = {
      {tag::name, "name"}, {tag::version, "version"}, {tag::build, "build"},
      {tag::feature, "feature"}, {tag::token, "token"}, {tag::endpoint, "endpoint"},
      {tag::generation, "generation"}, {tag::setting, "setting"}, {tag::text, "text"},
      {tag::part, "part"}, {tag::field, "field"}, {tag::conn_uid, "conn_uid"},
      {tag::method, "method"}, {tag::scheme, "scheme"}, {tag::authority, "authority"},
      {tag::target, "target"}, {tag::route, "route"}, {tag::path, "path"}, {tag::query, "query"},
      {tag::peer, "peer"}, {tag::local, "local"}, {tag::subprotocol, "subprotocol"},
      {tag::offered, "offered"}, {tag::header, "header"}, {tag::body, "body"},
      {tag::state_format, "state_format"}, {tag::state, "state"}, {tag::acked, "acked"},
      {tag::sent, "sent"}, {tag::key, "key"}, {tag::metadata, "metadata"}, {tag::joined, "joined"},
      {tag::left, "left"}, {tag::member, "member"}, {tag::retained, "retained"},
      {tag::extensions, "extensions"}, {tag::unread, "unread"}};
  return all;
}

inline std::string hex(std::string_view bytes) {
  std::string out;
  for (const char byte : bytes) {
    constexpr char digits[] = "0123456789abcdef";
    out += digits[static_cast<unsigned char>(byte) >> 4];
    out += digits[static_cast<unsigned char>(byte) & 15];
  }
  return out;
}

inline std::string unhex(std::string_view digits) {
  std::string out;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    out += static_cast<char>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16));
  return out;
}

// The bytes of column 3: pieces, of which one may be "61*1000".
inline std::string pieces(const std::string &text) {
  std::istringstream in(text);
  std::string out;
  for (std::string piece; in >> piece;) {
    const std::size_t star = piece.find('*');
    const std::size_t times = star == std::string::npos ? 1 : std::stoul(piece.substr(star + 1));
    const std::string bytes = unhex(std::string_view(piece).substr(0, star));
    for (std::size_t i = 0; i < times; i++) out += bytes;
  }
  return out;
}

// "61*3" in a meaning is written out.
inline std::string written_out(const std::string &words) {
  std::string out;
  for (std::size_t at = 0; at < words.size();) {
    const std::size_t star = words.find('*', at);
    if (star == std::string::npos) return out + words.substr(at);
    std::size_t end = star + 1;
    while (end < words.size() && words[end] >= '0' && words[end] <= '9') end++;
    out += words.substr(at, star - 2 - at);
    const std::size_t times = std::stoul(words.substr(star + 1, end - star - 1));
    for (std::size_t i = 0; i < times; i++) out += words.substr(star - 2, 2);
    at = end;
  }
  return out;
}

inline std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~/").find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : "%" + hex({&c, 1});
  }
  return out;
}

inline std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); i++)
    if (text[i] == '%') out += unhex(text.substr(i + 1, 2)), i += 2;
    else out += text[i];
  return out;
}

inline std::string message_words(bool text, std::string_view payload) {
  return (text ? "text:" : "binary:") + hex(payload);
}

inline std::string words_of(const wire::value &one) {
  using wire::kind;
  switch (one.holds) {
    case kind::text: return escaped(one.bytes);
    case kind::bytes: return hex(one.bytes);
    case kind::number: return std::to_string(wire::read_number(one.bytes.data(), 8));
    case kind::pair: {
      wire::pair_view pair;
      CHECK(wire::read(one.bytes, pair));
      return escaped(pair.name) + ":" + escaped(pair.value);
    }
    case kind::message: {
      wire::message_view message;
      CHECK(wire::read(one.bytes, message));
      return message_words(message.text, message.payload);
    }
    case kind::member: {
      wire::member_view member;
      CHECK(wire::read(one.bytes, member));
      return std::to_string(member.uid) + ":" + hex(member.key) + ":" + hex(member.metadata);
    }
    case kind::retained: {
      wire::retained_view part;
      CHECK(wire::read(one.bytes, part));
      return std::to_string(part.seq) + (part.text ? ":text:" : ":binary:") +
             (part.more ? "1:" : "0:") + hex(part.payload);
    }
  }
  return {};
}

inline bool is_many(const wire::frame &f, wire::tag which) {
  for (std::size_t i = 0; i < f.row->values.size; i++)
    if (f.row->values.first[i].which == which) return f.row->values.first[i].many;
  return false;
}

// What a frame says.
inline std::string of(const wire::frame &f) {
  using wire::type;
  if (!f.row) return "SKIPPED type=" + std::to_string(f.head.type);
  const names &n = names_of(f.row->kind);
  std::string out = f.row->name;
  const auto put = [&](const std::string &key, const std::string &value) {
    out += " " + key + "=" + value;
  };
  const auto put_number = [&](const std::string &key, std::uint64_t number) {
    if (number != 0 && key != "-") put(key, std::to_string(number));
  };
  put_number("stream", f.head.stream);
  put_number(n.aux, f.head.aux);
  put_number("seq", f.head.seq);
  for (const auto &flag : n.flags)
    if (f.has(flag.first)) put(flag.second, "1");
  for (std::size_t i = 0; i < n.numbers.size(); i++) {
    if (n.numbers[i] != std::string("opaque")) {
      put_number(n.numbers[i], f.number[i]);
      continue;
    }
    std::string opaque;
    wire::put_number(opaque, f.number[i], 8);
    put("opaque", hex(opaque));
  }
  for (const wire::value &one : f.values) {
    const auto number = static_cast<int>(one.which);
    if (f.row->kind == type::open && !f.has(1) && number >= 32 && number <= 35) continue;
    const std::string words = words_of(one);
    if (!is_many(f, one.which) && (words.empty() || words == "0")) continue;
    for (const auto &known : tag_names())
      if (known.first == one.which) put(known.second, words);
  }
  std::string_view left = f.rest;
  if (f.row->kind == type::mcast) {
    std::string to;
    for (std::uint64_t i = 0; i < f.number[0]; i++, left.remove_prefix(4))
      to += (i ? "," : "") + std::to_string(wire::read_number(left.data(), 4));
    if (!to.empty()) put("to", to);
  }
  const bool text = f.row->tail == wire::rest::text;
  if (!left.empty()) put(n.rest, text ? escaped(left) : hex(left));
  return out;
}

// Writes a frame that was read, part by part.
inline void write(std::string &out, const wire::frame &f) {
  wire::frame_writer writer(out, f.row->kind, f.head.stream, f.head.aux, f.head.flags, f.head.seq);
  for (std::size_t i = 0; f.row->fixed[i]; i++)
    writer.put(f.number[i], static_cast<std::size_t>(f.row->fixed[i] - '0'));
  for (const wire::value &one : f.values) {
    wire::pair_view pair;
    wire::message_view message;
    wire::member_view member;
    wire::retained_view part;
    switch (one.holds) {
      case wire::kind::text:
      case wire::kind::bytes: writer.item(one.which, one.bytes); break;
      case wire::kind::number:
        writer.number(one.which, wire::read_number(one.bytes.data(), 8));
        break;
      case wire::kind::pair:
        CHECK(wire::read(one.bytes, pair));
        writer.pair(one.which, pair.name, pair.value);
        break;
      case wire::kind::message:
        CHECK(wire::read(one.bytes, message));
        writer.message(one.which, message.text, message.payload);
        break;
      case wire::kind::member:
        CHECK(wire::read(one.bytes, member));
        writer.member(one.which, member.uid, member.key, member.metadata);
        break;
      case wire::kind::retained:
        CHECK(wire::read(one.bytes, part));
        writer.retained(one.which, part.seq, part.text, part.more, part.payload);
        break;
    }
  }
  writer.bytes(f.rest);
}

inline std::vector<std::string> split(const std::string &text, char by, std::size_t parts = 99) {
  std::vector<std::string> out;
  std::size_t at = 0;
  for (std::size_t end; out.size() + 1 < parts && (end = text.find(by, at)) != std::string::npos;
       at = end + 1)
    out.push_back(text.substr(at, end - at));
  out.push_back(text.substr(at));
  return out;
}

inline void write_value(wire::frame_writer &writer, const wire::value_rule &rule,
                        const std::string &words) {
  const auto part = split(words, ':');
  switch (rule.holds) {
    case wire::kind::text: writer.item(rule.which, unescaped(words)); break;
    case wire::kind::bytes: writer.item(rule.which, unhex(words)); break;
    case wire::kind::number: writer.number(rule.which, std::stoull(words)); break;
    case wire::kind::pair: writer.pair(rule.which, unescaped(part[0]), unescaped(part[1])); break;
    case wire::kind::message: writer.message(rule.which, part[0] == "text", unhex(part[1])); break;
    case wire::kind::member:
      writer.member(rule.which, std::stoull(part[0]), unhex(part[1]), unhex(part[2]));
      break;
    case wire::kind::retained:
      writer.retained(rule.which, std::stoull(part[0]), part[1] == "text", part[2] == "1",
                      unhex(part[3]));
      break;
  }
}

// Writes the frame that the words describe.
inline std::string bytes_of(const std::string &all_words) {
  auto words = split(written_out(all_words), ' ');
  const wire::layout *row = nullptr;
  for (const wire::layout &one : wire::layouts)
    if (one.name == words[0]) row = &one;
  if (!row) check::fail("no frame is called " + words[0]);
  const names &n = names_of(row->kind);
  std::uint32_t stream = 0, seq = 0;
  std::uint16_t aux = 0;
  std::uint8_t flags = 0;
  std::vector<std::uint64_t> numbers(n.numbers.size());
  std::vector<std::pair<const wire::value_rule *, std::string>> values;
  std::string rest;
  // A key may name a number and a value: the number comes first, and is not there twice.
  std::vector<bool> taken(n.numbers.size());
  const auto number_at = [&](const std::string &key) {
    for (std::size_t i = 0; i < n.numbers.size(); i++)
      if (!taken[i] && key == n.numbers[i]) return i;
    return n.numbers.size();
  };
  for (std::size_t w = 1; w < words.size(); w++) {
    const auto pair = split(words[w], '=', 2);
    const std::string &key = pair[0], &value = pair[1];
    std::uint8_t flag = 0;
    for (const auto &one : n.flags)
      if (key == one.second) flag = one.first;
    const std::size_t index = number_at(key);
    const bool body_seq = row->kind == wire::type::subscribed;
    if (key == "stream") stream = static_cast<std::uint32_t>(std::stoul(value));
    else if (key == "seq" && !body_seq) seq = static_cast<std::uint32_t>(std::stoul(value));
    else if (key == n.aux) aux = static_cast<std::uint16_t>(std::stoul(value));
    else if (flag) flags |= flag;
    else if (key == "opaque") numbers[0] = wire::read_number(unhex(value).data(), 8);
    else if (index < n.numbers.size()) numbers[index] = std::stoull(value), taken[index] = true;
    else if (key == "to") {
      for (const auto &id : split(value, ',')) wire::put_number(rest, std::stoul(id), 4), numbers[0]++;
    } else if (key == n.rest && row->tail != wire::rest::values) {
      rest += row->tail == wire::rest::text ? unescaped(value) : unhex(value);
    } else {
      const wire::value_rule *rule = nullptr;
      for (std::size_t i = 0; i < row->values.size; i++)
        for (const auto &known : tag_names())
          if (known.first == row->values.first[i].which && key == known.second)
            rule = &row->values.first[i];
      if (!rule) check::fail("no value is called " + key);
      values.emplace_back(rule, value);
    }
  }
  if (row->kind == wire::type::hello) numbers[0] = wire::read_number("SWBD", 4);
  std::string out;
  wire::frame_writer writer(out, row->kind, stream, aux, flags, seq);
  for (std::size_t i = 0; i < numbers.size(); i++)
    writer.put(numbers[i], static_cast<std::size_t>(row->fixed[i] - '0'));
  for (const auto &value : values) write_value(writer, *value.first, value.second);
  // What a writer always says of a resumed stream.
  if (row->kind == wire::type::open && (flags & wire::flag::resumed))
    for (const wire::tag which : {wire::tag::acked, wire::tag::sent}) {
      bool said = false;
      for (const auto &value : values) said = said || value.first->which == which;
      if (!said) writer.number(which, 0);
    }
  writer.bytes(rest);
  return out;
}

struct vector {
  std::string name;
  wire::side side = wire::side::host;
  std::string bytes, pieces, words;
};

inline std::vector<vector> read_file(const std::string &path) {
  std::ifstream in(path);
  if (!in) check::fail("cannot read " + path);
  std::vector<vector> all;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::vector<std::string> column;
    for (std::size_t at = 0; column.size() < 3;) {
      const std::size_t end = line.find(" | ", at);
      column.push_back(line.substr(at, end - at));
      at = end + 3;
      if (column.size() == 3) column.push_back(line.substr(at));
    }
    vector one;
    one.name = column[0];
    one.side = column[1] == "h" ? wire::side::host : wire::side::endpoint;
    one.bytes = pieces(column[2]);
    one.pieces = column[2];
    one.words = column[3];
    all.push_back(one);
  }
  if (all.empty()) check::fail("nothing in " + path);
  return all;
}

}  // namespace meaning

#endif  // SWITCHBOARD_TESTS_MEANING_HPP
