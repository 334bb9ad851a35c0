// stand_in.hpp - a host that says and hears what a test tells it, on the other end of a real link.
#ifndef SWITCHBOARD_TESTS_STAND_IN_HPP
#define SWITCHBOARD_TESTS_STAND_IN_HPP

#include <switchboard/endpoint.hpp>

#include <condition_variable>
#include <functional>

#include "meaning.hpp"

namespace stand_in {

namespace sb = switchboard;

inline int connect_to(const std::string &path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  for (int tries = 0; tries < 500; tries++, ::usleep(10000))
    if (::connect(fd, reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0) return fd;
  check::fail("cannot connect to " + path);
}

// One end of a link, and what was read from it.
class host {
 public:
  explicit host(int fd) : fd_(fd) {}
  host(const host &) = delete;
  host &operator=(const host &) = delete;
  ~host() { hang_up(); }

  void says(const std::string &words) { writes(meaning::bytes_of(words)); }
  void writes(const std::string &bytes) {
    for (std::size_t at = 0; at < bytes.size();) {
      const ssize_t size = ::send(fd_, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
      if (size <= 0) check::fail("the endpoint has hung up");
      at += static_cast<std::size_t>(size);
    }
  }

  // The words of the next frame; "EOF" if there is none.
  std::string next() { return next_frame() ? meaning::of(frame_) : "EOF"; }

  // False at the end of file. The frame is valid until the next call.
  bool next_frame() {
    in_.erase(0, used_);
    used_ = 0;
    for (;;) {
      switch (parser_.parse(in_, frame_, fault_)) {
        case sb::wire::parser::result::frame: used_ = frame_.size; return true;
        case sb::wire::parser::result::fault: check::fail("a bad frame: " + fault_.sentence);
        case sb::wire::parser::result::incomplete: break;
      }
      if (!read()) return false;
    }
  }
  const sb::wire::frame &frame() const { return frame_; }

  void hears(const std::string &words) { check::equal(next(), words, "heard"); }

  // Nothing comes behind an answer to a PING, so nothing was written before it.
  void hears_nothing() {
    says("PING opaque=0102030405060708");
    hears("PONG opaque=0102030405060708");
  }

  // The beginning of every link.
  void agrees(const std::string &windows =
                  "stream_bytes=262144 stream_messages=256 link_bytes=16777216",
              const std::string &more = "feature=topics/1") {
    CHECK(next().rfind("HELLO ", 0) == 0);
    says("HELLO_OK version=1 lanes=1 frame_bytes_max=262144 streams_max=65536 "
         "message_bytes_max=4194304 " + windows + " name=switchboard " + more);
    hears("READY");
  }

  void opens(std::uint32_t id, bool accepted = true) {
    const std::string stream = "stream=" + std::to_string(id);
    says("OPEN " + stream + " conn_uid=" + std::to_string(id + 100) + " target=/x");
    if (accepted) hears("ACCEPT " + stream);
  }

  void hang_up() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  bool read() {
    pollfd wait{fd_, POLLIN, 0};
    if (::poll(&wait, 1, 10000) <= 0) check::fail("nothing comes");
    char bytes[65536];
    const ssize_t size = ::recv(fd_, bytes, sizeof bytes, 0);
    if (size > 0) in_.append(bytes, static_cast<std::size_t>(size));
    return size > 0;
  }

  int fd_;
  std::string in_;
  std::size_t used_ = 0;
  sb::wire::parser parser_{sb::wire::side::endpoint};
  sb::wire::frame frame_;
  sb::wire::fault fault_;
};

// An endpoint in a thread of its own, which the host has started.
class started : public host {
 public:
  explicit started(sb::detail::endpoint_base &endpoint) : started(endpoint, pair()) {}
  ~started() {
    hang_up();
    if (thread_.joinable()) thread_.join();
  }

  // The exit status of its main.
  int status() {
    thread_.join();
    return status_;
  }

 private:
  struct ends {
    int host, endpoint;
  };
  static ends pair() {
    int fds[2];
    CHECK(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    return {fds[0], fds[1]};
  }
  started(sb::detail::endpoint_base &endpoint, ends both)
      : host(both.host), thread_([this, &endpoint, both] {
          ::setenv("SWBD_FD", std::to_string(both.endpoint).c_str(), 1);
          status_ = sb::serve(endpoint);
        }) {}

  int status_ = -1;
  std::thread thread_;
};

// What the endpoint was told, for another thread to wait for.
class notes {
 public:
  void add(const std::string &note) {
    const std::lock_guard<std::mutex> lock(mutex_);
    all_.push_back(note);
    changed_.notify_all();
  }
  void expect(const std::string &note) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::seconds(10), [&] { return !all_.empty(); }))
      check::fail("not told: " + note);
    const std::string first = all_.front();
    all_.pop_front();
    check::equal(first, note, "told");
  }
  bool empty() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return all_.empty();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> all_;
};

// Notes what it is told, and does what the test has put into its functions.
class puppet : public sb::endpoint {
 public:
  notes told;
  std::function<void(sb::connection, const sb::request &)> on_open =
      [](sb::connection c, const sb::request &) { c.accept(); };
  std::function<void(sb::connection, const sb::message &)> on_message =
      [](sb::connection c, const sb::message &m) {
        m.is_text() ? c.send_text(m.text()) : c.send_binary(m.bytes());
      };
  std::function<void(sb::connection, const sb::snapshot &)> on_subscribed;
  std::function<void(sb::connection)> on_closed;

 protected:
  void ready() override { told.add("ready " + std::string(host().setting("greeting"))); }
  void drain(const sb::drain_info &info) override {
    told.add("drain " + std::to_string(info.reason) + " " + std::to_string(info.deadline.count()) +
             " " + std::string(info.text));
  }
  void open(sb::connection c, const sb::request &r) override { on_open(c, r); }
  void message(sb::connection c, const sb::message &m) override { on_message(c, m); }
  void writable(sb::connection c) override { told.add("writable " + std::to_string(c.id())); }
  void subscribed(sb::connection c, const sb::snapshot &s) override {
    if (on_subscribed) on_subscribed(c, s);
  }
  void closed(sb::connection c, const sb::close_info &end) override {
    told.add("closed " + std::to_string(c.id()) + " " + std::to_string(end.code) + " " +
             std::to_string(static_cast<unsigned>(end.why)) + " " +
             std::to_string(static_cast<unsigned>(end.code_of_reset)) + " " +
             std::string(end.reason));
    if (on_closed) on_closed(c);
  }
};

}  // namespace stand_in

#endif  // SWITCHBOARD_TESTS_STAND_IN_HPP
