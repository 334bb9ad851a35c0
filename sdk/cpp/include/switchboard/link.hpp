// switchboard/link.hpp - one link to the host: its streams, and what waits to be written.
//
// Every function of `link` that is not marked [loop] may be called by any thread at any time. What
// waits does so in one of three places, each of them bounded: in its stream, for credit of the
// client; in the link's row of publications, for credit of the link; and, with its frame around it,
// for the socket.
#ifndef SWITCHBOARD_LINK_HPP
#define SWITCHBOARD_LINK_HPP

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "stream.hpp"
#include "topics.hpp"
#include "waker.hpp"

namespace switchboard::detail {

class link {
 public:
  static constexpr std::size_t stream_waiting_bytes_max = 1 << 20;
  static constexpr std::size_t publish_waiting_bytes_max = 4 << 20;
  static constexpr std::size_t socket_waiting_bytes = 1 << 20;    // above it, messages wait in front
  static constexpr std::size_t log_waiting_bytes_max = 4 << 20;   // above it, log lines are dropped
  static constexpr std::size_t log_bytes_max = 8192;
  link(std::shared_ptr<waker> loop, std::uint32_t stream_bytes, std::uint32_t stream_messages)
      : loop_(std::move(loop)), stream_bytes_(stream_bytes), stream_messages_(stream_messages) {}

  // ---- connections

  status send(std::uint32_t id, bool text, std::string_view payload);
  status accept(std::uint32_t id, const accept_options &how);
  status reject(std::uint32_t id, std::uint16_t code, std::string_view body,
                const std::vector<header> &headers);

  // What waits still leaves: the host ends the connection behind CLOSED.
  status close(std::uint32_t id, std::uint16_t code, std::string_view reason);

  // ---- topics

  status subscribe(std::uint32_t id, std::string_view topic, const subscribe_options &how);
  status unsubscribe(std::uint32_t id, std::string_view topic);
  status publish(std::string_view topic, bool text, std::string_view payload, bool retain,
                 std::uint32_t except);

  // ---- the link

  void log(log_level level, std::string_view text);
  void ready(bool takes_clients, std::string_view text);
  void drain(std::uint32_t deadline_ms, std::string_view text);

  // Complete once HELLO_OK has come, and the same from there on.
  const host_info &info() const { return info_; }

  std::uint64_t uid(std::uint32_t id);
  bool is_open(std::uint32_t id);
  bool is_over();

  // ---- what the host's frames do here [loop]

  void hello(std::string_view frame);
  void agree(host_info info, std::uint32_t link_bytes);
  void pong(std::string_view opaque);
  std::shared_ptr<stream> open(std::uint32_t id, std::uint64_t uid);
  std::shared_ptr<stream> at(std::uint32_t id);

  // All that live, in the order of their numbers.
  std::vector<std::uint32_t> ids();

  // What a frame of the host on this stream is, and moves it.
  wire::step step(stream &s, wire::type kind);
  bool was_asked_to_close(const stream &s);

  // False: it came without credit.
  bool received(stream &s, std::size_t bytes, bool begins);

  // Messages are done with; the host gets its credit back unless answers to them wait.
  void done(std::uint32_t id, stream &s, std::size_t bytes, std::uint32_t messages);
  void give_back_link(std::uint32_t bytes);
  void credit(std::uint32_t id, std::uint32_t bytes, std::uint32_t messages);

  // The client is gone, and what waits for it is of no use.
  void discard(std::uint32_t id);

  // CLOSED, behind what still waits for the client.
  void finish(std::uint32_t id);

  // Ends a stream at once. True if it lived.
  bool reset(std::uint32_t id, error code, std::string_view text);
  void remove(std::uint32_t id);
  std::string topic_name(std::uint32_t number);

  // The snapshot was answered; deliveries begin behind what was sent before.
  void deliver(std::uint32_t id, std::uint32_t number);
  void goaway(error code, std::uint32_t last_stream, std::string_view text);

  // Nothing is sent any more, and every handle is stale.
  void lost();
  std::vector<std::uint32_t> take_writable();

  // Writes what has gathered, as much as the socket takes. False: the link is lost.
  bool flush(int fd);
  bool has_writable();
  bool has_to_write();

 private:
  static constexpr std::size_t overhead = 64;         // what an empty message counts as
  static constexpr std::size_t chunk_bytes = 65536;   // frames are gathered into strings this long
  static constexpr int flush_rounds_max = 16;

  struct publication {
    std::uint32_t topic = 0, except = 0;
    std::uint8_t flags = 0;
    std::string bytes;
    std::size_t at = 0;
  };

  // The lock; the loop is woken behind it if it has something to do.
  class locked {
   public:
    explicit locked(link &l) : link_(l), lock_(l.mutex_) {}
    locked(const locked &) = delete;
    locked &operator=(const locked &) = delete;
    ~locked() {
      const bool work = !link_.gathered_.empty() || !link_.writable_.empty();
      lock_.unlock();
      if (work) link_.loop_->wake();
    }

   private:
    link &link_;
    std::unique_lock<std::mutex> lock_;
  };
  static bool is_topic(std::string_view name);
  static bool is_message(const topic_message &one);
  static bool are_headers(const std::vector<header> &headers);

  // Text that may stand in a frame, whatever it was.
  static std::string readable(std::string_view text, std::size_t bytes_max);
  bool fits(const std::string &frame) const;
  stream *find(std::uint32_t id);
  bool is_full(stream &s);
  status may_name_topics(stream *s);

  // ---- what is written

  // Where the next frame goes. It is in one piece in one chunk, so a PONG may go between chunks.
  std::string &out();
  void write(std::string_view frame) { out().append(frame); }

  void write_log(log_level level, std::string_view text);

  // DATA and PUBLISH may be written; else they wait.
  bool may_write() const;
  void spend_link(std::size_t body_bytes);
  void write_data(std::uint32_t id, stream &s, bool text, bool begins, bool more,
                  std::string_view payload);
  std::size_t publish_fragment_bytes() const;
  void write_publication(const publication &one, std::string_view part, bool more);
  void end_publication(std::uint32_t topic);

  // A topic frame stands behind the messages of its stream and the publications before it.
  status write_topic_frame(std::uint32_t id, stream &s, std::uint32_t number, waiting item);

  // ---- what waits

  status wait(std::uint32_t id, stream &s, waiting item);
  static bool can_go(const stream &s);
  void make_ready(std::uint32_t id, stream &s);

  // Lets all that may go take turns, a frame each, so that a long message holds up no other.
  void pump();

  // One frame. True if there are more.
  bool advance_publications();

  // At most one DATA, and the frames that need no credit. False if the stream is no more.
  bool advance(std::uint32_t id, stream &s);

  // One fragment. True if it was the last.
  bool advance_message(std::uint32_t id, stream &s, waiting &head);
  void pop(stream &s);
  void clear(stream &s);
  void emptied(std::uint32_t id, stream &s);

  // A client whose answers wait is not asked for more messages, so a slow one slows itself down.
  void give_back(std::uint32_t id, stream &s);
  void forget(std::uint32_t id);
  void end();

  // ---- the socket [loop]

  void take_gathered();
  void wrote(std::size_t bytes);
  std::mutex mutex_;
  std::shared_ptr<waker> loop_;
  std::uint32_t stream_bytes_, stream_messages_;  // what each stream is granted
  bool agreed_ = false, over_ = false;
  host_info info_;
  wire::window window_;
  std::unordered_map<std::uint32_t, std::shared_ptr<stream>> streams_;
  topic_table topics_;
  std::deque<std::uint32_t> ready_;  // whose turn it is; 0: the publications
  std::deque<publication> publications_;
  std::size_t publish_waiting_bytes_ = 0;
  std::uint64_t published_wanted_ = 0, published_ = 0;
  std::vector<std::uint32_t> writable_;
  std::uint64_t dropped_lines_ = 0;
  std::string urgent_, spare_;
  std::deque<std::string> gathered_;
  std::size_t waiting_bytes_ = 0;  // for the socket, about
  // The run loop's own.
  std::deque<std::string> writing_;
  std::size_t written_ = 0;  // of the first chunk
};

}  // namespace switchboard::detail

// The functions, by who calls them.
#include "link_calls.hpp"
#include "link_frames.hpp"
#include "link_waiting.hpp"

#endif  // SWITCHBOARD_LINK_HPP
