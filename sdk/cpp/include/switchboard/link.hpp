// switchboard/link.hpp - one link to the host: its streams, and what waits to be written.
//
// Every function of `link` that is not marked [loop] may be called by any thread at any time. What
// waits does so in one of three places, each of them bounded: in its stream, for credit of the
// client; in the link's row of publications, for credit of the link; and, with its frame around it,
// for the socket.
#ifndef SWITCHBOARD_LINK_HPP
#define SWITCHBOARD_LINK_HPP

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <deque>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "events.hpp"
#include "flow.hpp"
#include "topics.hpp"

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

  status send(std::uint32_t id, bool text, std::string_view payload) {
    if (text && !wire::is_utf8(payload)) return status::invalid;
    const locked here(*this);
    stream *s = find(id);
    if (!s || s->sealed) return status::closed;
    if (s->state == wire::stream_state::opening) return status::invalid;
    if (payload.size() > info_.message_bytes_max) return status::too_big;
    if (is_full(*s)) return status::again;
    if (s->queue.empty() && payload.size() <= wire::fragment_bytes && s->window.is_open() &&
        may_write()) {
      write_data(id, *s, text, true, false, payload);
      return status::ok;
    }
    waiting item(waiting::what::message);
    item.text = text;
    item.bytes = payload;
    return wait(id, *s, std::move(item));
  }

  status accept(std::uint32_t id, const accept_options &how) {
    if (!wire::is_utf8(how.subprotocol) || !are_headers(how.headers)) return status::invalid;
    const locked here(*this);
    stream *s = find(id);
    if (!s || s->state == wire::stream_state::ending) return status::closed;
    if (s->state != wire::stream_state::opening) return status::invalid;
    std::string frame;
    {
      wire::frame_writer accept(frame, wire::type::accept, id);
      accept.value(wire::tag::subprotocol, how.subprotocol);
      for (const header &one : how.headers) accept.pair(wire::tag::header, one.name, one.value);
    }
    if (!fits(frame)) return status::too_big;
    write(frame);
    wire::endpoint_step(s->state, wire::type::accept);
    return status::ok;
  }

  status reject(std::uint32_t id, std::uint16_t code, std::string_view body,
                const std::vector<header> &headers) {
    if (!wire::is_reject_status(code) || !wire::is_utf8(body) || !are_headers(headers))
      return status::invalid;
    const locked here(*this);
    stream *s = find(id);
    if (!s || s->state == wire::stream_state::ending) return status::closed;
    if (s->state != wire::stream_state::opening) return status::invalid;
    std::string frame;
    {
      wire::frame_writer reject(frame, wire::type::reject, id, code);
      for (const header &one : headers) reject.pair(wire::tag::header, one.name, one.value);
      reject.value(wire::tag::body, body);
    }
    if (!fits(frame)) return status::too_big;
    write(frame);
    forget(id);
    return status::ok;
  }

  // What waits still leaves: the host ends the connection behind CLOSED.
  status close(std::uint32_t id, std::uint16_t code, std::string_view reason) {
    if (!wire::is_close_code(code) || reason.size() > wire::close_reason_bytes_max ||
        !wire::is_utf8(reason))
      return status::invalid;
    const locked here(*this);
    stream *s = find(id);
    if (!s || s->sealed || s->state == wire::stream_state::ending) return status::closed;
    wire::frame_writer(out(), wire::type::close, id, code).u32(0).bytes(reason);
    wire::endpoint_step(s->state, wire::type::close);
    s->sealed = true;
    give_back(id, *s);
    return status::ok;
  }

  // ---- topics

  status subscribe(std::uint32_t id, std::string_view topic, const subscribe_options &how) {
    if (!is_topic(topic) || how.history > wire::history_messages_max ||
        how.metadata.size() > wire::metadata_bytes_max || !is_message(how.joined) ||
        !is_message(how.left))
      return status::invalid;
    const locked here(*this);
    stream *s = find(id);
    if (const status why = may_name_topics(s); why != status::ok) return why;
    if (how.joined.payload.size() + how.left.payload.size() + how.key.size() +
            how.metadata.size() + 256 > info_.frame_bytes_max)
      return status::too_big;
    const std::uint32_t number = topics_.acquire(out(), topic, 1);
    if (number == 0) return status::again;
    waiting item(waiting::what::topic_frame);
    {
      wire::frame_writer frame(item.bytes, wire::type::subscribe, id, 0,
                               how.snapshot ? wire::flag::snapshot : std::uint8_t{0});
      frame.u32(number).u32(how.history);
      frame.value(wire::tag::key, how.key).value(wire::tag::metadata, how.metadata);
      if (how.joined.set) frame.message(wire::tag::joined, how.joined.text, how.joined.payload);
      if (how.left.set) frame.message(wire::tag::left, how.left.text, how.left.payload);
    }
    return write_topic_frame(id, *s, number, std::move(item));
  }

  status unsubscribe(std::uint32_t id, std::string_view topic) {
    if (!is_topic(topic)) return status::invalid;
    const locked here(*this);
    stream *s = find(id);
    if (const status why = may_name_topics(s); why != status::ok) return why;
    const std::uint32_t number = topics_.acquire(out(), topic, 1);
    if (number == 0) return status::again;
    waiting item(waiting::what::topic_frame);
    wire::frame_writer(item.bytes, wire::type::unsubscribe, id).u32(number);
    return write_topic_frame(id, *s, number, std::move(item));
  }

  status publish(std::string_view topic, bool text, std::string_view payload, bool retain,
                 std::uint32_t except) {
    if (!is_topic(topic) || (text && !wire::is_utf8(payload))) return status::invalid;
    const locked here(*this);
    if (over_ || !agreed_) return over_ ? status::closed : status::again;
    if (!info_.topics) return status::unsupported;
    if (payload.size() > info_.message_bytes_max) return status::too_big;
    if (publish_waiting_bytes_ >= publish_waiting_bytes_max) return status::again;
    publication one;
    one.topic = topics_.acquire(out(), topic, 1);
    if (one.topic == 0) return status::again;
    one.except = except;
    one.flags = static_cast<std::uint8_t>((text ? wire::flag::text : 0) |
                                          (retain ? wire::flag::retain : 0));
    published_wanted_++;
    if (publications_.empty() && payload.size() <= publish_fragment_bytes() && may_write()) {
      write_publication(one, payload, false);
      end_publication(one.topic);
      return status::ok;
    }
    one.bytes = payload;
    publish_waiting_bytes_ += payload.size() + overhead;
    publications_.push_back(std::move(one));
    if (publications_.size() == 1) ready_.push_back(0);
    pump();
    return publications_.empty() ? status::ok : status::pressure;
  }

  // ---- the link

  void log(log_level level, std::string_view text) {
    const locked here(*this);
    if (waiting_bytes_ > log_waiting_bytes_max) {
      dropped_lines_++;
      return;
    }
    if (dropped_lines_ > 0) {
      write_log(log_level::warning, std::to_string(dropped_lines_) + " lines were dropped");
      dropped_lines_ = 0;
    }
    write_log(level, readable(text, log_bytes_max));
  }

  void ready(bool takes_clients, std::string_view text) {
    const locked here(*this);
    if (over_) return;
    const std::uint16_t aux = takes_clients ? 0 : 1;
    wire::frame_writer(out(), wire::type::ready, 0, aux)
        .value(wire::tag::text, readable(text, 1024));
  }

  void drain(std::uint32_t deadline_ms, std::string_view text) {
    const locked here(*this);
    if (over_) return;
    wire::frame_writer(out(), wire::type::drain, 0, 1)
        .u32(deadline_ms)
        .value(wire::tag::text, readable(text, 1024));
  }

  // Complete once HELLO_OK has come, and the same from there on.
  const host_info &info() const { return info_; }

  std::uint64_t uid(std::uint32_t id) {
    const locked here(*this);
    const stream *s = find(id);
    return s ? s->uid : 0;
  }

  bool is_open(std::uint32_t id) {
    const locked here(*this);
    const stream *s = find(id);
    return s && !s->sealed && s->state == wire::stream_state::open;
  }

  bool is_over() {
    const locked here(*this);
    return over_;
  }

  // ---- what the host's frames do here [loop]

  void hello(std::string_view frame) {
    const locked here(*this);
    write(frame);
  }

  void agree(host_info info, std::uint32_t link_bytes) {
    const locked here(*this);
    info_ = std::move(info);
    window_ = wire::window(link_bytes, wire::uncounted);
    agreed_ = true;
  }

  void pong(std::string_view opaque) {
    const locked here(*this);
    if (!over_) wire::frame_writer(urgent_, wire::type::pong).bytes(opaque);
  }

  std::shared_ptr<stream> open(std::uint32_t id, std::uint64_t uid) {
    const locked here(*this);
    auto s = std::make_shared<stream>();
    s->window = wire::window(info_.stream_bytes, info_.stream_messages);
    s->grant = wire::grant(stream_bytes_, stream_messages_);
    s->uid = uid;
    streams_.emplace(id, s);
    return s;
  }

  std::shared_ptr<stream> at(std::uint32_t id) {
    const locked here(*this);
    const auto found = streams_.find(id);
    return found == streams_.end() ? nullptr : found->second;
  }

  // All that live, in the order of their numbers.
  std::vector<std::uint32_t> ids() {
    const locked here(*this);
    std::vector<std::uint32_t> all;
    for (const auto &one : streams_) all.push_back(one.first);
    std::sort(all.begin(), all.end());
    return all;
  }

  // What a frame of the host on this stream is, and moves it.
  wire::step step(stream &s, wire::type kind) {
    const locked here(*this);
    return wire::host_step(s.state, kind);
  }

  bool was_asked_to_close(const stream &s) {
    const locked here(*this);
    return s.state == wire::stream_state::asked;
  }

  // False: it came without credit.
  bool received(stream &s, std::size_t bytes, bool begins) {
    const locked here(*this);
    return s.grant.received(bytes, begins);
  }

  // Messages are done with; the host gets its credit back unless answers to them wait.
  void done(std::uint32_t id, stream &s, std::size_t bytes, std::uint32_t messages) {
    const locked here(*this);
    s.grant.done(bytes, messages);
    if (find(id) == &s) give_back(id, s);
  }

  void give_back_link(std::uint32_t bytes) {
    const locked here(*this);
    if (!over_) wire::frame_writer(out(), wire::type::credit).u32(bytes).u32(0);
  }

  void credit(std::uint32_t id, std::uint32_t bytes, std::uint32_t messages) {
    const locked here(*this);
    if (id == 0) {
      window_.add(bytes, messages);
    } else if (stream *s = find(id)) {
      s->window.add(bytes, messages);
      make_ready(id, *s);
    }
    pump();
  }

  // The client is gone, and what waits for it is of no use.
  void discard(std::uint32_t id) {
    const locked here(*this);
    stream *s = find(id);
    if (!s) return;
    s->sealed = true;
    clear(*s);
  }

  // CLOSED, behind what still waits for the client.
  void finish(std::uint32_t id) {
    const locked here(*this);
    stream *s = find(id);
    if (!s) return;
    s->sealed = true;
    s->queue.push_back(waiting(waiting::what::closed));
    make_ready(id, *s);
    if (s->queue.size() == 1) advance(id, *s);  // it needs no credit
    pump();
  }

  // Ends a stream at once. True if it lived.
  bool reset(std::uint32_t id, error code, std::string_view text) {
    const locked here(*this);
    if (!find(id)) return false;
    wire::frame_writer(out(), wire::type::reset, id, static_cast<std::uint16_t>(code))
        .value(wire::tag::text, readable(text, 1024));
    forget(id);
    return true;
  }

  void remove(std::uint32_t id) {
    const locked here(*this);
    forget(id);
  }

  std::string topic_name(std::uint32_t number) {
    const locked here(*this);
    return topics_.name(number);
  }

  // The snapshot was answered; deliveries begin behind what was sent before.
  void deliver(std::uint32_t id, std::uint32_t number) {
    const locked here(*this);
    stream *s = find(id);
    if (!s || (s->state != wire::stream_state::open && s->state != wire::stream_state::opening))
      return;
    waiting item(waiting::what::topic_frame);
    wire::frame_writer(item.bytes, wire::type::deliver, id).u32(number);
    write_topic_frame(id, *s, 0, std::move(item));
  }

  void goaway(error code, std::uint32_t last_stream, std::string_view text) {
    const locked here(*this);
    if (over_) return;
    wire::frame_writer(out(), wire::type::goaway, 0, static_cast<std::uint16_t>(code))
        .u32(last_stream)
        .value(wire::tag::text, readable(text, 1024));
    end();
  }

  // Nothing is sent any more, and every handle is stale.
  void lost() {
    const locked here(*this);
    end();
  }

  std::vector<std::uint32_t> take_writable() {
    const locked here(*this);
    return std::exchange(writable_, {});
  }

  // Writes what has gathered, as much as the socket takes. False: the link is lost.
  bool flush(int fd) {
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

  bool has_writable() {
    const locked here(*this);
    return !writable_.empty();
  }

  bool has_to_write() {
    const locked here(*this);
    return !writing_.empty() || !gathered_.empty() || !urgent_.empty();
  }

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

  static bool is_topic(std::string_view name) {
    return !name.empty() && name.size() <= wire::topic_bytes_max && wire::is_utf8(name);
  }
  static bool is_message(const topic_message &one) {
    return !one.text || wire::is_utf8(one.payload);
  }
  static bool are_headers(const std::vector<header> &headers) {
    for (const header &one : headers)
      if (one.name.size() > 0xffff || !wire::is_utf8(one.name)) return false;
    return true;
  }

  // Text that may stand in a frame, whatever it was.
  static std::string readable(std::string_view text, std::size_t bytes_max) {
    std::string cut(text.substr(0, bytes_max));
    if (cut.size() < text.size())
      while (!cut.empty() && (static_cast<unsigned char>(text[cut.size()]) & 0xc0) == 0x80)
        cut.pop_back();
    if (!wire::is_utf8(cut))
      for (char &byte : cut)
        if (static_cast<unsigned char>(byte) >= 0x80) byte = '?';
    return cut;
  }

  bool fits(const std::string &frame) const {
    return frame.size() - wire::header_bytes <= info_.frame_bytes_max;
  }

  stream *find(std::uint32_t id) {
    const auto found = streams_.find(id);
    return found == streams_.end() || over_ ? nullptr : found->second.get();
  }

  bool is_full(stream &s) {
    if (s.waiting_bytes < stream_waiting_bytes_max) return false;
    s.wants_writable = true;
    return true;
  }

  status may_name_topics(stream *s) {
    if (!s || s->sealed || s->state == wire::stream_state::ending) return status::closed;
    if (!info_.topics) return status::unsupported;
    return is_full(*s) ? status::again : status::ok;
  }

  // ---- what is written

  // Where the next frame goes. It is in one piece in one chunk, so a PONG may go between chunks.
  std::string &out() {
    if (gathered_.empty() || gathered_.back().size() >= chunk_bytes) {
      gathered_.push_back(std::move(spare_));
      spare_ = std::string();
    }
    return gathered_.back();
  }
  void write(std::string_view frame) { out().append(frame); }

  void write_log(log_level level, std::string_view text) {
    if (over_) return;
    wire::frame_writer(out(), wire::type::log, 0, static_cast<std::uint16_t>(level))
        .value(wire::tag::text, text);
    waiting_bytes_ += wire::header_bytes + wire::value_header_bytes + text.size();
  }

  // DATA and PUBLISH may be written; else they wait.
  bool may_write() const {
    return window_.is_open() && waiting_bytes_ < socket_waiting_bytes && ready_.empty();
  }

  void spend_link(std::size_t body_bytes) {
    window_.spend(wire::header_bytes + body_bytes, 0);
    waiting_bytes_ += wire::header_bytes + body_bytes;
  }

  void write_data(std::uint32_t id, stream &s, bool text, bool begins, bool more,
                  std::string_view payload) {
    const auto flags =
        static_cast<std::uint8_t>((text ? wire::flag::text : 0) | (more ? wire::flag::more : 0));
    wire::frame_writer(out(), wire::type::data, id, 0, flags).bytes(payload);
    s.window.spend(payload.size(), begins ? 1 : 0);
    spend_link(payload.size());
  }

  std::size_t publish_fragment_bytes() const {
    return std::min<std::size_t>(wire::fragment_bytes, info_.frame_bytes_max - 8);
  }
  void write_publication(const publication &one, std::string_view part, bool more) {
    const auto flags = static_cast<std::uint8_t>(one.flags | (more ? wire::flag::more : 0));
    wire::frame_writer(out(), wire::type::publish, 0, 0, flags)
        .u32(one.topic)
        .u32(one.except)
        .bytes(part);
    spend_link(8 + part.size());
  }
  void end_publication(std::uint32_t topic) {
    topics_.release(topic);
    published_++;
  }

  // A topic frame stands behind the messages of its stream and the publications before it.
  status write_topic_frame(std::uint32_t id, stream &s, std::uint32_t number, waiting item) {
    if (s.queue.empty() && publications_.empty()) {
      write(item.bytes);
      topics_.release(number);
      return status::ok;
    }
    item.topic = number;
    item.behind = published_wanted_;
    return wait(id, s, std::move(item));
  }

  // ---- what waits

  status wait(std::uint32_t id, stream &s, waiting item) {
    s.waiting_bytes += item.bytes.size() + overhead;
    s.queue.push_back(std::move(item));
    make_ready(id, s);
    pump();
    if (s.queue.empty()) return status::ok;
    s.wants_writable = true;
    return status::pressure;
  }

  static bool can_go(const stream &s) {
    if (s.queue.empty()) return false;
    const waiting &head = s.queue.front();
    return head.kind != waiting::what::message || head.begun || s.window.is_open();
  }

  void make_ready(std::uint32_t id, stream &s) {
    if (s.is_ready || !can_go(s)) return;
    s.is_ready = true;
    ready_.push_back(id);
  }

  // Lets all that may go take turns, a frame each, so that a long message holds up no other.
  void pump() {
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

  // One frame. True if there are more.
  bool advance_publications() {
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

  // At most one DATA, and the frames that need no credit. False if the stream is no more.
  bool advance(std::uint32_t id, stream &s) {
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

  // One fragment. True if it was the last.
  bool advance_message(std::uint32_t id, stream &s, waiting &head) {
    const std::string_view left = std::string_view(head.bytes).substr(head.at);
    const std::string_view part = left.substr(0, wire::fragment_bytes);
    const bool more = part.size() < left.size();
    write_data(id, s, head.text, !head.begun, more, part);
    head.begun = true;
    head.at += part.size();
    return !more;
  }

  void pop(stream &s) {
    const waiting &head = s.queue.front();
    if (head.kind != waiting::what::closed) s.waiting_bytes -= head.bytes.size() + overhead;
    topics_.release(head.topic);
    s.queue.pop_front();
  }

  void clear(stream &s) {
    while (!s.queue.empty()) pop(s);
  }

  void emptied(std::uint32_t id, stream &s) {
    if (s.wants_writable && !s.sealed) writable_.push_back(id);
    s.wants_writable = false;
    give_back(id, s);
  }

  // A client whose answers wait is not asked for more messages, so a slow one slows itself down.
  void give_back(std::uint32_t id, stream &s) {
    const bool asked = s.state == wire::stream_state::asked;
    if (!s.grant.is_due() || s.state == wire::stream_state::ending) return;
    if (!s.queue.empty() && !asked) return;
    std::uint32_t bytes, messages;
    s.grant.give(bytes, messages);
    wire::frame_writer(out(), wire::type::credit, id).u32(bytes).u32(messages);
  }

  void forget(std::uint32_t id) {
    const auto found = streams_.find(id);
    if (found == streams_.end()) return;
    found->second->state = wire::stream_state::gone;
    found->second->sealed = true;
    clear(*found->second);
    streams_.erase(found);
  }

  void end() {
    over_ = true;
    ready_.clear();
    publications_.clear();
  }

  // ---- the socket [loop]

  void take_gathered() {
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

  void wrote(std::size_t bytes) {
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

#endif  // SWITCHBOARD_LINK_HPP
