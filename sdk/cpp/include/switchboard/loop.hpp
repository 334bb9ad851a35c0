// switchboard/loop.hpp - one thread that waits for links, timers and posted functions.
#ifndef SWITCHBOARD_LOOP_HPP
#define SWITCHBOARD_LOOP_HPP

#include <fcntl.h>
#include <sys/un.h>

#include <set>

#include "incoming.hpp"

namespace switchboard {

// Names a timer; 0 is none.
using timer = std::uint64_t;

namespace detail {

class run_loop {
 public:
  using clock = std::chrono::steady_clock;

  run_loop() : waker_(std::make_shared<waker>()) {}
  run_loop(const run_loop &) = delete;
  run_loop &operator=(const run_loop &) = delete;
  ~run_loop() {
    if (listener_ >= 0) ::close(listener_);
  }

  // ---- any thread

  void post(std::function<void()> call) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      posted_.push_back(std::move(call));
    }
    waker_->wake();
  }

  timer start(clock::duration delay, clock::duration period, std::function<void()> call) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const timer id = ++last_timer_;
    const auto due = clock::now() + delay;
    timers_.emplace(id, entry{due, period, std::move(call)});
    due_.emplace(due, id);
    waker_->wake();
    return id;
  }

  void cancel(timer id) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = timers_.find(id);
    if (found == timers_.end()) return;
    due_.erase({found->second.due, id});
    timers_.erase(found);
  }

  void stop() {
    stopped_ = true;
    waker_->wake();
  }

  // The link that was agreed last.
  host_handle host() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return host_;
  }
  void agreed(host_handle host) {
    const std::lock_guard<std::mutex> lock(mutex_);
    host_ = std::move(host);
  }

  // ---- before it runs, or in it

  void add_link(int fd, handler &calls, const options &how) {
    links_.push_back(std::make_unique<incoming>(fd, calls, how, waker_));
  }
  void listen(int fd, handler &calls, const options &how) {
    listener_ = fd;
    calls_ = &calls;
    how_ = how;
  }

  // Until the only link has ended, or forever if it listens. False: a link failed.
  bool run() {
    waker_->belongs_to_this_thread();
    bool well = true;
    while (!stopped_ && (listener_ >= 0 || !links_.empty())) {
      run_posted();
      run_timers();
      for (const auto &one : links_) one->write();
      well = drop_ended() && well;
      if (!stopped_ && (listener_ >= 0 || !links_.empty())) wait();
    }
    for (const auto &one : links_) one->write();
    links_.clear();
    if (listener_ >= 0) ::close(std::exchange(listener_, -1));
    stopped_ = false;
    return well;
  }

 private:
  struct entry {
    clock::time_point due;
    clock::duration period;
    std::function<void()> call;
  };

  void run_posted() {
    std::vector<std::function<void()>> calls;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      calls.swap(posted_);
    }
    for (const auto &call : calls) guard("a posted function", call);
  }

  void run_timers() {
    const auto now = clock::now();
    while (const auto call = take_due(now)) guard("a timer", call);
  }

  // What is due by `now`; a timer that repeats is set anew first, so that it may cancel itself.
  std::function<void()> take_due(clock::time_point now) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (due_.empty() || due_.begin()->first > now) return {};
    const timer id = due_.begin()->second;
    due_.erase(due_.begin());
    const auto found = timers_.find(id);
    entry &one = found->second;
    if (one.period == clock::duration::zero()) {
      auto call = std::move(one.call);
      timers_.erase(found);
      return call;
    }
    // One that is late keeps its beat, and does not run twice for it.
    one.due += one.period;
    if (one.due <= now) one.due = now + one.period;
    due_.emplace(one.due, id);
    return one.call;
  }

  void guard(const char *where, const std::function<void()> &call) {
    try {
      return call();
    } catch (const std::exception &e) {
      host().log(log_level::error, std::string("exception in ") + where + ": " + e.what());
    } catch (...) {
      host().log(log_level::error, std::string("exception in ") + where);
    }
  }

  bool drop_ended() {
    bool well = true;
    for (auto one = links_.begin(); one != links_.end();) {
      if (!(*one)->is_over()) {
        ++one;
        continue;
      }
      well = well && !(*one)->has_failed();
      one = links_.erase(one);
    }
    return well;
  }

  void wait() {
    polled_.clear();
    polled_.push_back({waker_->fd(), POLLIN, 0});
    if (listener_ >= 0) polled_.push_back({listener_, POLLIN, 0});
    const std::size_t first = polled_.size();
    bool busy = false;
    for (const auto &one : links_) {
      const bool writes = one->outgoing()->has_to_write();
      busy = busy || one->outgoing()->has_writable();
      polled_.push_back({one->fd(), static_cast<short>(writes ? POLLIN | POLLOUT : POLLIN), 0});
    }
    if (::poll(polled_.data(), static_cast<nfds_t>(polled_.size()), busy ? 0 : timeout()) <= 0)
      return;
    if (polled_[0].revents) waker_->clear();
    for (std::size_t i = 0; i < polled_.size() - first; i++)
      if (polled_[first + i].revents & (POLLIN | POLLHUP | POLLERR)) links_[i]->read();
    if (first == 2 && polled_[1].revents) accept_link();
  }

  int timeout() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!posted_.empty()) return 0;
    if (due_.empty()) return -1;
    const auto left = due_.begin()->first - clock::now();
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    return static_cast<int>(std::clamp<std::int64_t>(ms, 0, 3'600'000));
  }

  void accept_link() {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0) add_link(fd, *calls_, how_);
  }

  std::shared_ptr<waker> waker_;
  std::vector<std::unique_ptr<incoming>> links_;
  std::vector<pollfd> polled_;
  int listener_ = -1;
  handler *calls_ = nullptr;
  options how_;
  std::atomic<bool> stopped_{false};

  std::mutex mutex_;
  host_handle host_;
  std::vector<std::function<void()>> posted_;
  std::unordered_map<timer, entry> timers_;
  std::set<std::pair<clock::time_point, timer>> due_;
  timer last_timer_ = 0;
};

}  // namespace detail
}  // namespace switchboard

#endif  // SWITCHBOARD_LOOP_HPP
