// switchboard/stream.hpp - one client on a link, and what waits for it.
#ifndef SWITCHBOARD_STREAM_HPP
#define SWITCHBOARD_STREAM_HPP

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "events.hpp"
#include "flow.hpp"

namespace switchboard::detail {

// What waits in a stream.
struct waiting {
  enum class what : std::uint8_t { message, topic_frame, closed };
  explicit waiting(what it_is) : kind(it_is) {}

  what kind;
  bool text = false, begun = false;
  std::string bytes;       // the payload, or the whole frame
  std::size_t at = 0;      // so much of the payload has been written
  std::uint32_t topic = 0;
  std::uint64_t behind = 0;  // a topic frame goes behind this many publications
};

struct stream {
  wire::stream_state state = wire::stream_state::opening;
  bool sealed = false;    // the endpoint may send no more
  bool is_ready = false;  // stands in the link's row
  bool wants_writable = false;
  wire::window window;
  wire::grant grant;
  std::list<waiting> queue;
  std::size_t waiting_bytes = 0;
  std::uint64_t uid = 0;
  // The run loop's own.
  wire::assembly incoming;
  std::shared_ptr<void> session;
  std::unique_ptr<snapshot> subscribed;  // what has come of a long one
  bool retained_goes_on = false;         // its last message is not whole yet
  bool told_end = false;                 // the endpoint knows that it has ended
};

// What HELLO_OK said.
struct host_info {
  std::string name, version, endpoint;
  std::uint64_t generation = 0;
  std::vector<header> settings;
  std::uint32_t frame_bytes_max = wire::frame_bytes_max_floor;
  std::uint32_t message_bytes_max = 0;
  std::uint32_t stream_bytes = 0, stream_messages = 0;
  bool topics = false;
};

}  // namespace switchboard::detail

#endif  // SWITCHBOARD_STREAM_HPP
