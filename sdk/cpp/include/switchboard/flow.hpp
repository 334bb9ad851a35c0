// switchboard/flow.hpp - what holds over several frames: credit, fragments, states. It does no I/O.
#ifndef SWITCHBOARD_FLOW_HPP
#define SWITCHBOARD_FLOW_HPP

#include <algorithm>

#include "frame.hpp"

namespace switchboard::wire {

// How much may be sent, seen by who sends (section 4).
class window {
 public:
  window() = default;
  window(std::uint32_t bytes, std::uint32_t messages) { add(bytes, messages); }

  // On a stream: a message may begin. On a link: a frame may be sent.
  bool is_open() const {
    return (!bytes_counted_ || bytes_ > 0) && (!messages_counted_ || messages_ > 0);
  }
  void spend(std::size_t bytes, int messages) {
    bytes_ -= static_cast<std::int64_t>(bytes);
    messages_ -= messages;
  }
  void add(std::uint32_t bytes, std::uint32_t messages) {
    bytes_counted_ = bytes_counted_ && bytes != uncounted;
    messages_counted_ = messages_counted_ && messages != uncounted;
    bytes_ += bytes;
    messages_ += messages;
  }

 private:
  std::int64_t bytes_ = 0, messages_ = 0;
  bool bytes_counted_ = true, messages_counted_ = true;
};

// The same window, kept by who grants it: it sees when too much comes, and gathers what is done
// with until a CREDIT is worth a frame.
class grant {
 public:
  grant() = default;
  grant(std::uint32_t bytes, std::uint32_t messages)
      : window_(bytes, messages),
        bytes_worth_(std::max<std::uint32_t>(bytes / 2, 1)),
        messages_worth_(std::max<std::uint32_t>(messages / 2, 1)) {}

  // False: it was sent without credit.
  bool received(std::size_t bytes, bool begins) {
    const bool allowed = !begins || window_.is_open();
    window_.spend(bytes, begins ? 1 : 0);
    return allowed;
  }
  void done(std::size_t bytes, std::uint32_t messages) {
    bytes_owed_ += bytes;
    messages_owed_ += messages;
  }
  bool is_due() const {
    return bytes_owed_ >= bytes_worth_ || messages_owed_ >= messages_worth_;
  }
  // Notes that all that is owed is given back, and says how much.
  void give(std::uint32_t &bytes, std::uint32_t &messages) {
    bytes = static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes_owed_, uncounted - 1));
    messages = static_cast<std::uint32_t>(std::min<std::uint64_t>(messages_owed_, uncounted - 1));
    bytes_owed_ -= bytes;
    messages_owed_ -= messages;
    window_.add(bytes, messages);
  }

 private:
  window window_;
  std::uint64_t bytes_owed_ = 0, messages_owed_ = 0;
  std::uint32_t bytes_worth_ = 1, messages_worth_ = 1;
};

// Puts the fragments of one stream and direction together. It never holds more than came.
class assembly {
 public:
  // What a frame brings: nothing yet, a message, or a fault that costs the stream.
  struct taken {
    bool whole = false;
    error code = error::none;
    const char *sentence = "";
    bool text = false;
    std::string_view payload;  // valid until the next call
  };

  bool is_idle() const { return !unfinished_; }

  taken push(const frame &f, std::size_t message_bytes_max) {
    const bool begins = !unfinished_;
    const auto flags = static_cast<std::uint8_t>(f.head.flags & ~flag::more);
    if (begins) {
      messages_++;
      if (f.head.seq != 0 && f.head.seq != static_cast<std::uint32_t>(messages_))
        return fails(error::protocol, "a message number is not the next one");
      bytes_.clear();
      if (bytes_.capacity() > kept_bytes_max) bytes_.shrink_to_fit();
    } else if (flags != flags_ || f.head.seq != 0) {
      return fails(error::protocol, "a fragment does not fit the one before it");
    }
    if (bytes_.size() + f.rest.size() > message_bytes_max)
      return fails(error::too_big, "a message is too long");
    unfinished_ = f.has(flag::more);
    flags_ = flags;
    if (unfinished_ || !begins) bytes_.append(f.rest);
    if (unfinished_) return {};
    taken done;
    done.whole = true;
    done.text = (flags & flag::text) != 0;
    done.payload = begins ? f.rest : std::string_view(bytes_);
    if (done.text && !is_utf8(done.payload))
      return fails(error::bad_text, "a text message is not UTF-8");
    return done;
  }

 private:
  static constexpr std::size_t kept_bytes_max = 65536;

  static taken fails(error code, const char *sentence) {
    taken failed;
    failed.code = code;
    failed.sentence = sentence;
    return failed;
  }

  std::string bytes_;
  std::uint64_t messages_ = 0;
  std::uint8_t flags_ = 0;
  bool unfinished_ = false;
};

// Where a stream stands (section 6).
enum class stream_state : std::uint8_t { opening, open, asked, ending, gone };

enum class step : std::uint8_t { take, ignore, error };

// What a frame of the host on a stream in this state is, and where the stream stands behind it.
inline step host_step(stream_state &state, type kind) {
  using s = stream_state;
  if (state == s::gone) return step::ignore;
  switch (kind) {
    case type::reset: return state = s::gone, step::take;
    case type::credit: return step::take;
    case type::close:
      if (state == s::ending) return step::error;
      return state = s::ending, step::take;
    case type::subscribed: return state == s::ending ? step::error : step::take;
    case type::data:
    case type::ack:
    case type::export_:
    case type::unexport:
      return state == s::open || state == s::asked ? step::take : step::error;
    case type::handoff:
      if (state != s::open && state != s::asked) return step::error;
      return state = s::gone, step::take;
    default: return step::error;
  }
}

// The same for frames of the endpoint.
inline step endpoint_step(stream_state &state, type kind) {
  using s = stream_state;
  if (state == s::gone) return step::ignore;
  const bool opening = state == s::opening, ending = state == s::ending;
  const bool past = state == s::asked || ending;
  switch (kind) {
    case type::reset: return state = s::gone, step::take;
    case type::accept:
      if (!opening) return ending ? step::ignore : step::error;
      return state = s::open, step::take;
    case type::reject:
      if (!opening && !ending) return step::error;
      return state = s::gone, step::take;
    case type::data:
    case type::mcast: return opening ? step::error : step::take;
    case type::credit:
    case type::state: return ending ? step::ignore : step::take;
    case type::ack: return opening ? step::error : ending ? step::ignore : step::take;
    case type::close:
      if (past) return step::ignore;
      return state = s::asked, step::take;
    case type::closed:
      if (!ending) return step::error;
      return state = s::gone, step::take;
    case type::subscribe:
    case type::unsubscribe:
    case type::deliver: return past ? step::ignore : step::take;
    default: return step::error;
  }
}

}  // namespace switchboard::wire

#endif  // SWITCHBOARD_FLOW_HPP
