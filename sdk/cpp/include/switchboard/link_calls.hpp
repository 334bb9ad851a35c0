// switchboard/link_calls.hpp - what any thread may ask of a link.
#ifndef SWITCHBOARD_LINK_CALLS_HPP
#define SWITCHBOARD_LINK_CALLS_HPP

#include "link.hpp"

namespace switchboard::detail {

inline status link::send(std::uint32_t id, bool text, std::string_view payload) {
  if (text && !wire::is_utf8(payload)) return status::invalid;
  const locked here(*this);
  stream *s = find(id);
  if (!s || s->sealed) return status::closed;
  if (s->state == wire::stream_state::opening) return status::invalid;
  if (payload.size() > info_.message_bytes_max) return status::too_big;
  if (is_full(*s)) return status::again;
  if (s->queue.empty() && payload.size() <= wire::fragment_bytes && s->window.is_open() &&
      may_write()) {
    write_data(id, *s, text, true, false, payload);
    return status::ok;
  }
  waiting item(waiting::what::message);
  item.text = text;
  item.bytes = payload;
  return wait(id, *s, std::move(item));
}

inline status link::accept(std::uint32_t id, const accept_options &how) {
  if (!wire::is_utf8(how.subprotocol) || !are_headers(how.headers)) return status::invalid;
  const locked here(*this);
  stream *s = find(id);
  if (!s || s->state == wire::stream_state::ending) return status::closed;
  if (s->state != wire::stream_state::opening) return status::invalid;
  std::string frame;
  {
    wire::frame_writer accept(frame, wire::type::accept, id);
    accept.value(wire::tag::subprotocol, how.subprotocol);
    for (const header &one : how.headers) accept.pair(wire::tag::header, one.name, one.value);
  }
  if (!fits(frame)) return status::too_big;
  write(frame);
  wire::endpoint_step(s->state, wire::type::accept);
  return status::ok;
}

inline status link::reject(std::uint32_t id, std::uint16_t code, std::string_view body,
              const std::vector<header> &headers) {
  if (!wire::is_reject_status(code) || !wire::is_utf8(body) || !are_headers(headers))
    return status::invalid;
  const locked here(*this);
  stream *s = find(id);
  if (!s || s->state == wire::stream_state::ending) return status::closed;
  if (s->state != wire::stream_state::opening) return status::invalid;
  std::string frame;
  {
    wire::frame_writer reject(frame, wire::type::reject, id, code);
    for (const header &one : headers) reject.pair(wire::tag::header, one.name, one.value);
    reject.value(wire::tag::body, body);
  }
  if (!fits(frame)) return status::too_big;
  write(frame);
  forget(id);
  return status::ok;
}

inline status link::close(std::uint32_t id, std::uint16_t code, std::string_view reason) {
  if (!wire::is_close_code(code) || reason.size() > wire::close_reason_bytes_max ||
      !wire::is_utf8(reason))
    return status::invalid;
  const locked here(*this);
  stream *s = find(id);
  if (!s || s->sealed || s->state == wire::stream_state::ending) return status::closed;
  wire::frame_writer(out(), wire::type::close, id, code).u32(0).bytes(reason);
  wire::endpoint_step(s->state, wire::type::close);
  s->sealed = true;
  give_back(id, *s);
  return status::ok;
}

inline status link::subscribe(std::uint32_t id, std::string_view topic, const subscribe_options &how) {
  if (!is_topic(topic) || how.history > wire::history_messages_max ||
      how.metadata.size() > wire::metadata_bytes_max || !is_message(how.joined) ||
      !is_message(how.left))
    return status::invalid;
  const locked here(*this);
  stream *s = find(id);
  if (const status why = may_name_topics(s); why != status::ok) return why;
  if (how.joined.payload.size() + how.left.payload.size() + how.key.size() +
          how.metadata.size() + 256 > info_.frame_bytes_max)
    return status::too_big;
  const std::uint32_t number = topics_.acquire(out(), topic, 1);
  if (number == 0) return status::again;
  waiting item(waiting::what::topic_frame);
  {
    wire::frame_writer frame(item.bytes, wire::type::subscribe, id, 0,
                             how.snapshot ? wire::flag::snapshot : std::uint8_t{0});
    frame.u32(number).u32(how.history);
    frame.value(wire::tag::key, how.key).value(wire::tag::metadata, how.metadata);
    if (how.joined.set) frame.message(wire::tag::joined, how.joined.text, how.joined.payload);
    if (how.left.set) frame.message(wire::tag::left, how.left.text, how.left.payload);
  }
  return write_topic_frame(id, *s, number, std::move(item));
}

inline status link::unsubscribe(std::uint32_t id, std::string_view topic) {
  if (!is_topic(topic)) return status::invalid;
  const locked here(*this);
  stream *s = find(id);
  if (const status why = may_name_topics(s); why != status::ok) return why;
  const std::uint32_t number = topics_.acquire(out(), topic, 1);
  if (number == 0) return status::again;
  waiting item(waiting::what::topic_frame);
  wire::frame_writer(item.bytes, wire::type::unsubscribe, id).u32(number);
  return write_topic_frame(id, *s, number, std::move(item));
}

inline status link::publish(std::string_view topic, bool text, std::string_view payload, bool retain,
               std::uint32_t except) {
  if (!is_topic(topic) || (text && !wire::is_utf8(payload))) return status::invalid;
  const locked here(*this);
  if (over_ || !agreed_) return over_ ? status::closed : status::again;
  if (!info_.topics) return status::unsupported;
  if (payload.size() > info_.message_bytes_max) return status::too_big;
  if (publish_waiting_bytes_ >= publish_waiting_bytes_max) return status::again;
  publication one;
  one.topic = topics_.acquire(out(), topic, 1);
  if (one.topic == 0) return status::again;
  one.except = except;
  one.flags = static_cast<std::uint8_t>((text ? wire::flag::text : 0) |
                                        (retain ? wire::flag::retain : 0));
  published_wanted_++;
  if (publications_.empty() && payload.size() <= publish_fragment_bytes() && may_write()) {
    write_publication(one, payload, false);
    end_publication(one.topic);
    return status::ok;
  }
  one.bytes = payload;
  publish_waiting_bytes_ += payload.size() + overhead;
  publications_.push_back(std::move(one));
  if (publications_.size() == 1) ready_.push_back(0);
  pump();
  return publications_.empty() ? status::ok : status::pressure;
}

inline void link::log(log_level level, std::string_view text) {
  const locked here(*this);
  if (waiting_bytes_ > log_waiting_bytes_max) {
    dropped_lines_++;
    return;
  }
  if (dropped_lines_ > 0) {
    write_log(log_level::warning, std::to_string(dropped_lines_) + " lines were dropped");
    dropped_lines_ = 0;
  }
  write_log(level, readable(text, log_bytes_max));
}

inline void link::ready(bool takes_clients, std::string_view text) {
  const locked here(*this);
  if (over_) return;
  const std::uint16_t aux = takes_clients ? 0 : 1;
  wire::frame_writer(out(), wire::type::ready, 0, aux)
      .value(wire::tag::text, readable(text, 1024));
}

inline void link::drain(std::uint32_t deadline_ms, std::string_view text) {
  const locked here(*this);
  if (over_) return;
  wire::frame_writer(out(), wire::type::drain, 0, 1)
      .u32(deadline_ms)
      .value(wire::tag::text, readable(text, 1024));
}

inline std::uint64_t link::uid(std::uint32_t id) {
  const locked here(*this);
  const stream *s = find(id);
  return s ? s->uid : 0;
}

inline bool link::is_open(std::uint32_t id) {
  const locked here(*this);
  const stream *s = find(id);
  return s && !s->sealed && s->state == wire::stream_state::open;
}

inline bool link::is_over() {
  const locked here(*this);
  return over_;
}

}  // namespace switchboard::detail

#endif  // SWITCHBOARD_LINK_CALLS_HPP
