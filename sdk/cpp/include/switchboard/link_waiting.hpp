// switchboard/link_waiting.hpp - how what waits on a link is written.
#ifndef SWITCHBOARD_LINK_WAITING_HPP
#define SWITCHBOARD_LINK_WAITING_HPP

#include "link.hpp"

namespace switchboard::detail {

inline bool link::is_topic(std::string_view name) {
  return !name.empty() && name.size() <= wire::topic_bytes_max && wire::is_utf8(name);
}

inline bool link::is_message(const topic_message &one) {
  return !one.text || wire::is_utf8(one.payload);
}

inline bool link::are_headers(const std::vector<header> &headers) {
  for (const header &one : headers)
    if (one.name.size() > 0xffff || !wire::is_utf8(one.name)) return false;
  return true;
}

inline std::string link::readable(std::string_view text, std::size_t bytes_max) {
  std::string cut(text.substr(0, bytes_max));
  if (cut.size() < text.size())
    while (!cut.empty() && (static_cast<unsigned char>(text[cut.size()]) & 0xc0) == 0x80)
      cut.pop_back();
  if (!wire::is_utf8(cut))
    for (char &byte : cut)
      if (static_cast<unsigned char>(byte) >= 0x80) byte = '?';
  return cut;
}

inline bool link::fits(const std::string &frame) const {
  return frame.size() - wire::header_bytes <= info_.frame_bytes_max;
}

inline stream *link::find(std::uint32_t id) {
  const auto found = streams_.find(id);
  return found == streams_.end() || over_ ? nullptr : found->second.get();
}

inline bool link::is_full(stream &s) {
  if (s.waiting_bytes < stream_waiting_bytes_max) return false;
  s.wants_writable = true;
  return true;
}

inline status link::may_name_topics(stream *s) {
  if (!s || s->sealed || s->state == wire::stream_state::ending) return status::closed;
  if (!info_.topics) return status::unsupported;
  return is_full(*s) ? status::again : status::ok;
}

inline std::string &link::out() {
  if (gathered_.empty() || gathered_.back().size() >= chunk_bytes) {
    gathered_.push_back(std::move(spare_));
    spare_ = std::string();
  }
  return gathered_.back();
}

inline void link::write_log(log_level level, std::string_view text) {
  if (over_) return;
  wire::frame_writer(out(), wire::type::log, 0, static_cast<std::uint16_t>(level))
      .value(wire::tag::text, text);
  waiting_bytes_ += wire::header_bytes + wire::value_header_bytes + text.size();
}

inline bool link::may_write() const {
  return window_.is_open() && waiting_bytes_ < socket_waiting_bytes && ready_.empty();
}

inline void link::spend_link(std::size_t body_bytes) {
  window_.spend(wire::header_bytes + body_bytes, 0);
  waiting_bytes_ += wire::header_bytes + body_bytes;
}

inline void link::write_data(std::uint32_t id, stream &s, bool text, bool begins, bool more,
                std::string_view payload) {
  const auto flags =
      static_cast<std::uint8_t>((text ? wire::flag::text : 0) | (more ? wire::flag::more : 0));
  wire::frame_writer(out(), wire::type::data, id, 0, flags).bytes(payload);
  s.window.spend(payload.size(), begins ? 1 : 0);
  spend_link(payload.size());
}

inline std::size_t link::publish_fragment_bytes() const {
  return std::min<std::size_t>(wire::fragment_bytes, info_.frame_bytes_max - 8);
}

inline void link::write_publication(const publication &one, std::string_view part, bool more) {
  const auto flags = static_cast<std::uint8_t>(one.flags | (more ? wire::flag::more : 0));
  wire::frame_writer(out(), wire::type::publish, 0, 0, flags)
      .u32(one.topic)
      .u32(one.except)
      .bytes(part);
  spend_link(8 + part.size());
}

inline void link::end_publication(std::uint32_t topic) {
  topics_.release(topic);
  published_++;
}

inline status link::write_topic_frame(std::uint32_t id, stream &s, std::uint32_t number, waiting item) {
  if (s.queue.empty() && publications_.empty()) {
    write(item.bytes);
    topics_.release(number);
    return status::ok;
  }
  item.topic = number;
  item.behind = published_wanted_;
  return wait(id, s, std::move(item));
}

inline status link::wait(std::uint32_t id, stream &s, waiting item) {
  s.waiting_bytes += item.bytes.size() + overhead;
  s.queue.push_back(std::move(item));
  make_ready(id, s);
  pump();
  if (s.queue.empty()) return status::ok;
  s.wants_writable = true;
  return status::pressure;
}

inline bool link::can_go(const stream &s) {
  if (s.queue.empty()) return false;
  const waiting &head = s.queue.front();
  return head.kind != waiting::what::message || head.begun || s.window.is_open();
}

inline void link::make_ready(std::uint32_t id, stream &s) {
  if (s.is_ready || !can_go(s)) return;
  s.is_ready = true;
  ready_.push_back(id);
}

inline void link::pump() {
  while (!ready_.empty() && window_.is_open() && waiting_bytes_ < socket_waiting_bytes) {
    const std::uint32_t id = ready_.front();
    ready_.pop_front();
    if (id == 0) {
      if (advance_publications()) ready_.push_back(0);
    } else if (stream *s = find(id)) {
      s->is_ready = false;
      if (advance(id, *s)) make_ready(id, *s);
    }
  }
}

inline bool link::advance_publications() {
  publication &one = publications_.front();
  const std::string_view left = std::string_view(one.bytes).substr(one.at);
  const std::string_view part = left.substr(0, publish_fragment_bytes());
  const bool more = part.size() < left.size();
  write_publication(one, part, more);
  one.at += part.size();
  if (!more) {
    publish_waiting_bytes_ -= one.bytes.size() + overhead;
    end_publication(one.topic);
    publications_.pop_front();
  }
  return !publications_.empty();
}

inline bool link::advance(std::uint32_t id, stream &s) {
  for (bool sent = false; !s.queue.empty();) {
    waiting &head = s.queue.front();
    if (head.kind == waiting::what::closed) {
      wire::frame_writer(out(), wire::type::closed, id);
      forget(id);
      return false;
    }
    if (head.kind == waiting::what::topic_frame) {
      if (head.behind > published_) break;
      write(head.bytes);
    } else {
      if (sent || !can_go(s)) break;
      sent = true;
      if (!advance_message(id, s, head)) break;
    }
    pop(s);
  }
  if (s.queue.empty()) emptied(id, s);
  return true;
}

inline bool link::advance_message(std::uint32_t id, stream &s, waiting &head) {
  const std::string_view left = std::string_view(head.bytes).substr(head.at);
  const std::string_view part = left.substr(0, wire::fragment_bytes);
  const bool more = part.size() < left.size();
  write_data(id, s, head.text, !head.begun, more, part);
  head.begun = true;
  head.at += part.size();
  return !more;
}

inline void link::pop(stream &s) {
  const waiting &head = s.queue.front();
  if (head.kind != waiting::what::closed) s.waiting_bytes -= head.bytes.size() + overhead;
  topics_.release(head.topic);
  s.queue.pop_front();
}

inline void link::clear(stream &s) {
  while (!s.queue.empty()) pop(s);
}

inline void link::emptied(std::uint32_t id, stream &s) {
  if (s.wants_writable && !s.sealed) writable_.push_back(id);
  s.wants_writable = false;
  give_back(id, s);
}

inline void link::give_back(std::uint32_t id, stream &s) {
  const bool asked = s.state == wire::stream_state::asked;
  if (!s.grant.is_due() || s.state == wire::stream_state::ending) return;
  if (!s.queue.empty() && !asked) return;
  std::uint32_t bytes, messages;
  s.grant.give(bytes, messages);
  wire::frame_writer(out(), wire::type::credit, id).u32(bytes).u32(messages);
}

inline void link::forget(std::uint32_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  found->second->state = wire::stream_state::gone;
  found->second->sealed = true;
  clear(*found->second);
  streams_.erase(found);
}

inline void link::end() {
  over_ = true;
  ready_.clear();
  publications_.clear();
}

inline void link::take_gathered() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!urgent_.empty()) {
    // Not into the middle of a frame that is half written.
    writing_.insert(writing_.begin() + (written_ > 0 ? 1 : 0), std::move(urgent_));
    urgent_ = std::string();
  }
  for (std::string &chunk : gathered_) writing_.push_back(std::move(chunk));
  gathered_.clear();
  std::size_t bytes = 0;
  for (const std::string &chunk : writing_) bytes += chunk.size();
  waiting_bytes_ = bytes - written_;
}

inline void link::wrote(std::size_t bytes) {
  written_ += bytes;
  const std::lock_guard<std::mutex> lock(mutex_);
  waiting_bytes_ -= std::min(bytes, waiting_bytes_);
  while (!writing_.empty() && written_ >= writing_.front().size()) {
    written_ -= writing_.front().size();
    if (spare_.capacity() < chunk_bytes && writing_.front().capacity() <= 4 * chunk_bytes) {
      spare_ = std::move(writing_.front());
      spare_.clear();
    }
    writing_.pop_front();
  }
  pump();
}

}  // namespace switchboard::detail

#endif  // SWITCHBOARD_LINK_WAITING_HPP
