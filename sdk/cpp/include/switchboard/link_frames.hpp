// switchboard/link_frames.hpp - what the host's frames do to a link [loop].
#ifndef SWITCHBOARD_LINK_FRAMES_HPP
#define SWITCHBOARD_LINK_FRAMES_HPP

#include "link.hpp"

namespace switchboard::detail {

inline void link::hello(std::string_view frame) {
  const locked here(*this);
  write(frame);
}

inline void link::agree(host_info info, std::uint32_t link_bytes) {
  const locked here(*this);
  info_ = std::move(info);
  window_ = wire::window(link_bytes, wire::uncounted);
  agreed_ = true;
}

inline void link::pong(std::string_view opaque) {
  const locked here(*this);
  if (!over_) wire::frame_writer(urgent_, wire::type::pong).bytes(opaque);
}

inline std::shared_ptr<stream> link::open(std::uint32_t id, std::uint64_t uid) {
  const locked here(*this);
  auto s = std::make_shared<stream>();
  s->window = wire::window(info_.stream_bytes, info_.stream_messages);
  s->grant = wire::grant(stream_bytes_, stream_messages_);
  s->uid = uid;
  streams_.emplace(id, s);
  return s;
}

inline std::shared_ptr<stream> link::at(std::uint32_t id) {
  const locked here(*this);
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second;
}

inline std::vector<std::uint32_t> link::ids() {
  const locked here(*this);
  std::vector<std::uint32_t> all;
  for (const auto &one : streams_) all.push_back(one.first);
  std::sort(all.begin(), all.end());
  return all;
}

inline wire::step link::step(stream &s, wire::type kind) {
  const locked here(*this);
  return wire::host_step(s.state, kind);
}

inline bool link::was_asked_to_close(const stream &s) {
  const locked here(*this);
  return s.state == wire::stream_state::asked;
}

inline bool link::received(stream &s, std::size_t bytes, bool begins) {
  const locked here(*this);
  return s.grant.received(bytes, begins);
}

inline void link::done(std::uint32_t id, stream &s, std::size_t bytes, std::uint32_t messages) {
  const locked here(*this);
  s.grant.done(bytes, messages);
  if (find(id) == &s) give_back(id, s);
}

inline void link::give_back_link(std::uint32_t bytes) {
  const locked here(*this);
  if (!over_) wire::frame_writer(out(), wire::type::credit).u32(bytes).u32(0);
}

inline void link::credit(std::uint32_t id, std::uint32_t bytes, std::uint32_t messages) {
  const locked here(*this);
  if (id == 0) {
    window_.add(bytes, messages);
  } else if (stream *s = find(id)) {
    s->window.add(bytes, messages);
    make_ready(id, *s);
  }
  pump();
}

inline void link::discard(std::uint32_t id) {
  const locked here(*this);
  stream *s = find(id);
  if (!s) return;
  s->sealed = true;
  clear(*s);
}

inline void link::finish(std::uint32_t id) {
  const locked here(*this);
  stream *s = find(id);
  if (!s) return;
  s->sealed = true;
  s->queue.push_back(waiting(waiting::what::closed));
  make_ready(id, *s);
  if (s->queue.size() == 1) advance(id, *s);  // it needs no credit
  pump();
}

inline bool link::reset(std::uint32_t id, error code, std::string_view text) {
  const locked here(*this);
  if (!find(id)) return false;
  wire::frame_writer(out(), wire::type::reset, id, static_cast<std::uint16_t>(code))
      .value(wire::tag::text, readable(text, 1024));
  forget(id);
  return true;
}

inline void link::remove(std::uint32_t id) {
  const locked here(*this);
  forget(id);
}

inline std::string link::topic_name(std::uint32_t number) {
  const locked here(*this);
  return topics_.name(number);
}

inline void link::deliver(std::uint32_t id, std::uint32_t number) {
  const locked here(*this);
  stream *s = find(id);
  if (!s || (s->state != wire::stream_state::open && s->state != wire::stream_state::opening))
    return;
  waiting item(waiting::what::topic_frame);
  wire::frame_writer(item.bytes, wire::type::deliver, id).u32(number);
  write_topic_frame(id, *s, 0, std::move(item));
}

inline void link::goaway(error code, std::uint32_t last_stream, std::string_view text) {
  const locked here(*this);
  if (over_) return;
  wire::frame_writer(out(), wire::type::goaway, 0, static_cast<std::uint16_t>(code))
      .u32(last_stream)
      .value(wire::tag::text, readable(text, 1024));
  end();
}

inline void link::lost() {
  const locked here(*this);
  end();
}

inline std::vector<std::uint32_t> link::take_writable() {
  const locked here(*this);
  return std::exchange(writable_, {});
}

inline bool link::flush(int fd) {
  for (int round = 0; round < flush_rounds_max; round++) {
    take_gathered();
    if (writing_.empty()) return true;
    iovec parts[64];
    std::size_t count = 0;
    for (const std::string &chunk : writing_) {
      if (count == sizeof parts / sizeof *parts) break;
      const std::size_t skip = count == 0 ? written_ : 0;
      parts[count].iov_base = const_cast<char *>(chunk.data() + skip);
      parts[count++].iov_len = chunk.size() - skip;
    }
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = count;
    const ssize_t sent = ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS;
    wrote(static_cast<std::size_t>(sent));
  }
  return true;
}

inline bool link::has_writable() {
  const locked here(*this);
  return !writable_.empty();
}

inline bool link::has_to_write() {
  const locked here(*this);
  return !writing_.empty() || !gathered_.empty() || !urgent_.empty();
}

}  // namespace switchboard::detail

#endif  // SWITCHBOARD_LINK_FRAMES_HPP
