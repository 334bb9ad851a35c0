// switchboard/waker.hpp - wakes the run loop from other threads.
#ifndef SWITCHBOARD_WAKER_HPP
#define SWITCHBOARD_WAKER_HPP

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <system_error>
#include <thread>

namespace switchboard::detail {

// Gets the run loop out of its poll.
class waker {
 public:
  waker() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  }
  waker(const waker &) = delete;
  waker &operator=(const waker &) = delete;
  ~waker() { ::close(fd_); }

  int fd() const { return fd_; }
  void belongs_to_this_thread() { owner_ = std::this_thread::get_id(); }

  // The loop itself needs no waking, as it looks at everything before it polls.
  void wake() {
    if (owner_.load() == std::this_thread::get_id() || awake_.exchange(true)) return;
    const std::uint64_t one = 1;
    while (::write(fd_, &one, sizeof one) < 0 && errno == EINTR) {
    }
  }
  // In this order: who wakes in between has put down its work, and the loop looks at that next.
  void clear() {
    std::uint64_t count;
    while (::read(fd_, &count, sizeof count) < 0 && errno == EINTR) {
    }
    awake_ = false;
  }

 private:
  int fd_;
  std::atomic<bool> awake_{false};
  std::atomic<std::thread::id> owner_{};
};

}  // namespace switchboard::detail

#endif  // SWITCHBOARD_WAKER_HPP
