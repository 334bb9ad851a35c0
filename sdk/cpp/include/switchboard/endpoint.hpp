// switchboard/endpoint.hpp - write a class, and serve the clients of a Switchboard host with it.
//
//   class echo : public switchboard::endpoint {
//     void message(switchboard::connection c, const switchboard::message &m) override {
//       c.send_text(m.text());
//     }
//   };
//   int main() { return switchboard::serve<echo>(); }
//
// All functions of the class are called by one thread, that of `serve`. What they throw is logged,
// and costs the connection that they were called for.
#ifndef SWITCHBOARD_ENDPOINT_HPP
#define SWITCHBOARD_ENDPOINT_HPP

#include <cstdlib>

#include "loop.hpp"

namespace switchboard {

namespace detail {
class endpoint_base;
int serve(endpoint_base &, const std::string &path, const options &);

// What every endpoint has, whether it keeps sessions or not.
class endpoint_base : public handler {
 public:
  // The host; any thread. Before `ready` it is one that only logs, to stderr.
  host_handle host() const { return loop_->host(); }

  // Timers and functions run in the thread of `serve`; any thread may ask for them.
  timer after(std::chrono::nanoseconds delay, std::function<void()> call) {
    return loop_->start(delay, run_loop::clock::duration::zero(), std::move(call));
  }
  timer every(std::chrono::nanoseconds period, std::function<void()> call) {
    const auto beat = std::max<run_loop::clock::duration>(period, std::chrono::milliseconds(1));
    return loop_->start(beat, beat, std::move(call));
  }
  void cancel(timer which) { loop_->cancel(which); }
  void post(std::function<void()> call) { loop_->post(std::move(call)); }

  // `serve` returns at once, whoever is connected; see host_handle::drain for the polite way.
  void stop() { loop_->stop(); }

 protected:
  endpoint_base() : loop_(std::make_unique<run_loop>()) {}

  // The host has answered: its settings are known. Clients come when this has returned.
  virtual void ready() {}
  // The host wants the clients to leave; those that are left at the deadline it closes itself.
  virtual void drain(const drain_info &) {}

 private:
  friend int serve(endpoint_base &, const std::string &, const options &);
  void on_ready(host_handle host) final {
    loop_->agreed(std::move(host));
    ready();
  }
  void on_drain(const drain_info &info) final { drain(info); }

  std::unique_ptr<run_loop> loop_;
};
}  // namespace detail

// Answers clients, and keeps nothing for each.
class endpoint : public detail::endpoint_base {
 public:
  // A client wants in: accept or reject it, here or later.
  virtual void open(connection c, const request &) { c.accept(); }
  virtual void message(connection, const switchboard::message &) {}
  // What was sent before `pressure` or `again` has left.
  virtual void writable(connection) {}
  // The answer to a subscription that asked for a snapshot, or that failed. What is sent here
  // reaches the client before the first delivery.
  virtual void subscribed(connection, const snapshot &) {}
  // The end, once for each `open` that did not reject. Unless the client is gone, what is sent here
  // still arrives.
  virtual void closed(connection, const close_info &) {}

 private:
  std::shared_ptr<void> on_begin() final { return nullptr; }
  void on_open(connection c, void *, const request &r) final { open(c, r); }
  void on_message(connection c, void *, const switchboard::message &m) final { message(c, m); }
  void on_writable(connection c, void *) final { writable(c); }
  void on_subscribed(connection c, void *, const snapshot &s) final { subscribed(c, s); }
  void on_closed(connection c, void *, const close_info &why) final { closed(c, why); }
};

// The same with a Session for each client, made before `open` and destroyed behind `closed`.
template <class Session>
class endpoint_of : public detail::endpoint_base {
 public:
  virtual void open(connection c, Session &, const request &) { c.accept(); }
  virtual void message(connection, Session &, const switchboard::message &) {}
  virtual void writable(connection, Session &) {}
  virtual void subscribed(connection, Session &, const snapshot &) {}
  virtual void closed(connection, Session &, const close_info &) {}

 private:
  static Session &of(void *session) { return *static_cast<Session *>(session); }
  std::shared_ptr<void> on_begin() final { return std::make_shared<Session>(); }
  void on_open(connection c, void *s, const request &r) final { open(c, of(s), r); }
  void on_message(connection c, void *s, const switchboard::message &m) final {
    message(c, of(s), m);
  }
  void on_writable(connection c, void *s) final { writable(c, of(s)); }
  void on_subscribed(connection c, void *s, const snapshot &t) final { subscribed(c, of(s), t); }
  void on_closed(connection c, void *s, const close_info &why) final { closed(c, of(s), why); }
};

namespace detail {

constexpr int exit_usage = 64, exit_failure = 1;

// The link that the host gave to this program, or -1.
inline int inherited_link() {
  const char *text = std::getenv("SWBD_FD");
  if (!text || !*text) return -1;
  char *end = nullptr;
  const long fd = std::strtol(text, &end, 10);
  if (*end || fd < 0 || fd > 0x7fffffff || ::fcntl(static_cast<int>(fd), F_GETFD) < 0) return -1;
  ::fcntl(static_cast<int>(fd), F_SETFD, FD_CLOEXEC);  // not for this program's own children
  return static_cast<int>(fd);
}

// A Unix socket that listens at `path`. A socket there that nobody answers on is replaced.
inline int listen_at(const std::string &path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return errno = ENAMETOOLONG, -1;
  path.copy(address.sun_path, path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  const auto *where = reinterpret_cast<const sockaddr *>(&address);
  if (::connect(fd, where, sizeof address) < 0 && errno == ECONNREFUSED) ::unlink(path.c_str());
  ::close(fd);
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0) return -1;
  if (::bind(listener, where, sizeof address) == 0 && ::listen(listener, 16) == 0) return listener;
  const int why = errno;
  ::close(listener);
  return errno = why, -1;
}

inline int serve(endpoint_base &endpoint, const std::string &path, const options &how) {
  const int fd = inherited_link();
  if (fd >= 0) {
    endpoint.loop_->add_link(fd, endpoint, how);
    return endpoint.loop_->run() ? 0 : exit_failure;
  }
  const int listener = listen_at(path);
  if (listener < 0) {
    std::fprintf(stderr, "cannot listen at %s: %s\n", path.c_str(), std::strerror(errno));
    return exit_failure;
  }
  endpoint.loop_->listen(listener, endpoint, how);
  endpoint.loop_->run();
  return 0;
}

// Where to listen if the host has not started this program; empty: nowhere.
inline std::string listen_path(const std::string &given) {
  const char *path = std::getenv("SWBD_LISTEN");
  return !given.empty() || !path ? given : path;
}

inline int explain() {
  std::fprintf(stderr,
               "This program is started by Switchboard, from <external> in its conf; to run it by "
               "hand, give SWBD_LISTEN the path of a Unix socket.\n");
  return exit_usage;
}

inline bool has_work(const std::string &path) { return inherited_link() >= 0 || !path.empty(); }

}  // namespace detail

// Serves the host that has started this program, until it says that it is enough; or else, each
// host that connects to the Unix socket at `path` or at SWBD_LISTEN. Returns main's exit status.
inline int serve(detail::endpoint_base &endpoint, const std::string &path = {},
                 const options &how = {}) {
  const std::string where = detail::listen_path(path);
  return detail::has_work(where) ? detail::serve(endpoint, where, how) : detail::explain();
}

// The same with an Endpoint that is made here, once it is known that there is somebody to serve.
template <class Endpoint>
int serve(const std::string &path = {}, const options &how = {}) {
  const std::string where = detail::listen_path(path);
  if (!detail::has_work(where)) return detail::explain();
  Endpoint endpoint;
  return detail::serve(endpoint, where, how);
}

}  // namespace switchboard

#endif  // SWITCHBOARD_ENDPOINT_HPP
