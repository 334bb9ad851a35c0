// switchboard/connection.hpp - handles for a client and for the host.
//
// A handle is a small value: copy it, keep it, use it in any thread. When what it stands for has
// ended, its functions do nothing and say status::closed.
#ifndef SWITCHBOARD_CONNECTION_HPP
#define SWITCHBOARD_CONNECTION_HPP

#include <cstdio>
#include <functional>

#include "link.hpp"

namespace switchboard {

struct publish_options;

// The host, at the other end of one link. Without a link that lives, its log goes to stderr.
class host_handle {
 public:
  host_handle() = default;
  explicit host_handle(std::shared_ptr<detail::link> link) : link_(std::move(link)) {}

  // A message for every member of a topic. Those of one thread arrive in their order.
  status publish_text(std::string_view topic, std::string_view text) const {
    return publish(topic, true, text, false, 0);
  }
  status publish_binary(std::string_view topic, std::string_view bytes) const {
    return publish(topic, false, bytes, false, 0);
  }
  inline status publish_text(std::string_view topic, std::string_view text,
                             const publish_options &how) const;
  inline status publish_binary(std::string_view topic, std::string_view bytes,
                               const publish_options &how) const;

  // A line in the host's log, cut at 8 KiB. When too many wait, further ones are dropped and counted.
  void log(log_level level, std::string_view text) const {
    if (*this) return link_->log(level, text);
    std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
  }

  // Whether new clients are wanted. It is said once by itself, when `ready` has returned.
  void ready(bool takes_clients, std::string_view why = {}) const {
    if (link_) link_->ready(takes_clients, why);
  }

  // The program wants to end: no new clients come, and when the last has gone, `serve` returns.
  void drain(std::chrono::milliseconds deadline, std::string_view why = {}) const {
    const auto ms = std::clamp<std::int64_t>(deadline.count(), 0, 0xffffffff);
    if (link_) link_->drain(static_cast<std::uint32_t>(ms), why);
  }

  // What the host has said of itself and of the conf section.
  std::string_view name() const { return info().name; }
  std::string_view version() const { return info().version; }
  std::string_view endpoint() const { return info().endpoint; }
  std::uint64_t generation() const { return info().generation; }
  const std::vector<header> &settings() const { return info().settings; }
  // The first setting of this name; empty if there is none.
  std::string_view setting(std::string_view name) const {
    for (const header &one : settings())
      if (one.name == name) return one.value;
    return {};
  }

  explicit operator bool() const { return link_ != nullptr && !link_->is_over(); }

 private:
  const detail::host_info &info() const {
    static const detail::host_info none;
    return link_ ? link_->info() : none;
  }
  status publish(std::string_view topic, bool text, std::string_view payload, bool retain,
                 std::uint32_t except) const {
    return link_ ? link_->publish(topic, text, payload, retain, except) : status::again;
  }

  std::shared_ptr<detail::link> link_;
};

// One client.
class connection {
 public:
  connection() = default;
  connection(std::shared_ptr<detail::link> link, std::uint32_t id)
      : link_(std::move(link)), id_(id) {}

  // The answer to `open`, there or later (the host waits ten seconds).
  status accept(const accept_options &how = {}) const {
    return link_ ? link_->accept(id_, how) : status::closed;
  }
  // An HTTP status from 400 to 599. `closed` is not called for a client that was rejected.
  status reject(std::uint16_t status_code, std::string_view body = {},
                const std::vector<header> &headers = {}) const {
    return link_ ? link_->reject(id_, status_code, body, headers) : status::closed;
  }

  // A message. Those of one thread arrive in their order; text must be UTF-8.
  status send_text(std::string_view text) const {
    return link_ ? link_->send(id_, true, text) : status::closed;
  }
  status send_binary(std::string_view bytes) const {
    return link_ ? link_->send(id_, false, bytes) : status::closed;
  }

  // What was sent before still arrives; `closed` follows. 1000, 1001, 1003, 1007 to 1014 or 3000 to
  // 4999, and at most 123 bytes.
  status close(std::uint16_t code = 1000, std::string_view reason = {}) const {
    return link_ ? link_->close(id_, code, reason) : status::closed;
  }

  // Makes the client a member of a topic, behind what was sent to it before.
  status subscribe(std::string_view topic, const subscribe_options &how = {}) const {
    return link_ ? link_->subscribe(id_, topic, how) : status::closed;
  }
  status unsubscribe(std::string_view topic) const {
    return link_ ? link_->unsubscribe(id_, topic) : status::closed;
  }

  bool is_open() const { return link_ && link_->is_open(id_); }
  // Its name for life, also in the host's log; 0 when it has ended.
  std::uint64_t uid() const { return link_ ? link_->uid(id_) : 0; }
  // Its number on its link.
  std::uint32_t id() const { return id_; }
  host_handle host() const { return host_handle(link_); }

  friend bool operator==(const connection &a, const connection &b) {
    return a.id_ == b.id_ && a.link_ == b.link_;
  }
  friend bool operator!=(const connection &a, const connection &b) { return !(a == b); }

 private:
  friend class host_handle;
  friend struct std::hash<connection>;
  std::shared_ptr<detail::link> link_;
  std::uint32_t id_ = 0;
};

struct publish_options {
  bool retain = false;  // keep it in the topic's history
  connection except;    // a member that does not get it
};

inline status host_handle::publish_text(std::string_view topic, std::string_view text,
                                        const publish_options &how) const {
  return publish(topic, true, text, how.retain, how.except.link_ == link_ ? how.except.id_ : 0);
}
inline status host_handle::publish_binary(std::string_view topic, std::string_view bytes,
                                          const publish_options &how) const {
  return publish(topic, false, bytes, how.retain, how.except.link_ == link_ ? how.except.id_ : 0);
}

}  // namespace switchboard

template <>
struct std::hash<switchboard::connection> {
  std::size_t operator()(const switchboard::connection &c) const {
    return std::hash<const void *>()(c.link_.get()) ^ (std::size_t{c.id_} * 0x9e3779b9u);
  }
};

#endif  // SWITCHBOARD_CONNECTION_HPP
