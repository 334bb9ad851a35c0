// switchboard/incoming.hpp - what the host writes on one link becomes calls of the endpoint.
// The run loop's own: nothing here is called by another thread.
#ifndef SWITCHBOARD_INCOMING_HPP
#define SWITCHBOARD_INCOMING_HPP

#include <poll.h>

#include <exception>

#include "connection.hpp"

namespace switchboard {

// What the host is told at the beginning.
struct options {
  std::string name, version;                 // of the program, for the host's log
  std::uint32_t streams_max = 0xffffffff;    // clients at a time
  std::uint32_t stream_bytes = 65536;        // what one client may have under way to this program
  std::uint32_t stream_messages = 64;
  std::uint32_t link_bytes = 16777216;
  std::uint32_t heartbeat_ms = 10000;        // 0: none
  std::string token;
};

namespace detail {

// Who is called. A session is what the endpoint keeps for a client.
class handler {
 public:
  virtual ~handler() = default;
  virtual std::shared_ptr<void> on_begin() = 0;
  virtual void on_ready(host_handle) = 0;
  virtual void on_drain(const drain_info &) = 0;
  virtual void on_open(connection, void *session, const request &) = 0;
  virtual void on_message(connection, void *session, const message &) = 0;
  virtual void on_writable(connection, void *session) = 0;
  virtual void on_subscribed(connection, void *session, const snapshot &) = 0;
  virtual void on_closed(connection, void *session, const close_info &) = 0;
};

class incoming {
 public:
  incoming(int fd, handler &calls, const options &how, std::shared_ptr<waker> loop)
      : link_(std::make_shared<link>(std::move(loop), how.stream_bytes, how.stream_messages)),
        fd_(fd),
        calls_(calls),
        how_(how),
        parser_(wire::side::host),
        grant_(how.link_bytes, wire::uncounted) {
    buffer_.resize(read_bytes);
    say_hello();
  }
  incoming(const incoming &) = delete;
  incoming &operator=(const incoming &) = delete;
  ~incoming() {
    link_->lost();
    ::close(fd_);
  }

  const std::shared_ptr<link> &outgoing() const { return link_; }
  int fd() const { return fd_; }
  bool is_over() const { return over_; }
  // The host broke the protocol, or the endpoint could not begin.
  bool has_failed() const { return failed_; }

  // Reads what is there, and calls the endpoint for each whole frame.
  void read() {
    if (buffer_.size() - end_ < read_bytes / 2) make_room();
    const ssize_t size = ::recv(fd_, buffer_.data() + end_, buffer_.size() - end_, MSG_DONTWAIT);
    if (size < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (size <= 0) return end();
    end_ += static_cast<std::size_t>(size);
    while (!over_ && begin_ < end_ && take_frame()) {
    }
    if (begin_ == end_) begin_ = end_ = 0;
  }

  // Tells of room, and writes.
  void write() {
    for (const std::uint32_t id : link_->take_writable())
      if (const auto s = link_->at(id); s && !s->told_end)
        guard(id, "writable", [&] { calls_.on_writable(at(id), s->session.get()); });
    if (over_ || link_->flush(fd_)) return;
    // The host is gone; what it has written before, perhaps a sentence, is still taken.
    for (int reads = 0; reads < 16 && !over_; reads++) read();
    end();
  }

 private:
  static constexpr std::size_t read_bytes = 65536;

  connection at(std::uint32_t id) const { return connection(link_, id); }

  void say_hello() {
    std::string frame;
    {
      wire::frame_writer hello(frame, wire::type::hello);
      hello.bytes("SWBD").u16(wire::version).u16(wire::version);
      hello.u32(wire::frame_bytes_max_default).u32(how_.streams_max);
      hello.u32(how_.stream_bytes).u32(how_.stream_messages).u32(how_.link_bytes);
      hello.u32(how_.heartbeat_ms).u16(1).u16(0);
      hello.value(wire::tag::name, how_.name).value(wire::tag::version, how_.version);
      hello.value(wire::tag::build, "switchboard/endpoint.hpp");
      hello.value(wire::tag::feature, "topics/1").value(wire::tag::token, how_.token);
    }
    link_->hello(frame);
  }

  // A frame is at most frame_bytes_max_default, so the buffer has an end.
  void make_room() {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    if (buffer_.size() - end_ < read_bytes / 2) buffer_.resize(buffer_.size() * 2);
  }

  // False: there is no whole frame any more.
  bool take_frame() {
    const std::string_view bytes(buffer_.data() + begin_, end_ - begin_);
    switch (parser_.parse(bytes, frame_, fault_)) {
      case wire::parser::result::incomplete: return false;
      case wire::parser::result::fault:
        if (fault_.link) return go_away(fault_.code, fault_.sentence), false;
        begin_ += fault_.size;
        take_bad(fault_.stream, fault_.code, fault_.sentence);
        return true;
      case wire::parser::result::frame: break;
    }
    begin_ += frame_.size;
    if (frame_.row) dispatch(frame_);
    return true;
  }

  // A fault that costs a stream. One that is dead already is not reset.
  void take_bad(std::uint32_t id, error code, const std::string &sentence) {
    if (!agreed_) return go_away(error::protocol, "the link was not agreed yet");
    if (frame_.head.type == static_cast<std::uint8_t>(wire::type::data))
      take_link_credit(frame_);  // it was read, so its cost is given back
    if (over_) return;
    if (frame_.head.type == static_cast<std::uint8_t>(wire::type::open)) {
      if (id <= last_stream_) return go_away(error::protocol, "OPEN with an old number");
      last_stream_ = id;
      link_->open(id, 0);
      link_->reset(id, code, sentence);
      return;
    }
    if (id > last_stream_) return go_away(error::protocol, "a stream that was never opened");
    break_off(id, code, sentence);
  }

  void dispatch(const wire::frame &f) {
    using wire::type;
    const bool early = f.row->kind == type::hello_ok || f.row->kind == type::goaway;
    if ((!agreed_ && !early) || (agreed_ && f.row->kind == type::hello_ok))
      return go_away(error::protocol, std::string(f.row->name) + " does not come now");
    if (needs_more(f)) return go_away(error::unsupported, "a feature that was not agreed");
    switch (f.row->kind) {
      case type::hello_ok: return take_hello_ok(f);
      case type::ping: return link_->pong({f_opaque(f), 8});
      case type::drain: return take_drain(f);
      case type::goaway: return take_goaway(f);
      case type::open: return take_open(f);
      case type::data: return take_data(f);
      case type::credit: return take_credit(f);
      case type::close: return take_close(f);
      case type::reset: return take_reset(f);
      case type::subscribed: return take_subscribed(f);
      default: return;  // PONG
    }
  }

  static bool is_feature_frame(wire::type kind) {
    return kind == wire::type::ack || kind == wire::type::lane || kind == wire::type::export_ ||
           kind == wire::type::unexport || kind == wire::type::handoff;
  }
  bool needs_more(const wire::frame &f) const {
    if (is_feature_frame(f.row->kind)) return true;
    if (f.row->kind == wire::type::subscribed) return !link_->info().topics;
    return (f.row->kind == wire::type::open && f.has(wire::flag::resumed)) ||
           (f.row->kind == wire::type::data && f.has(wire::flag::replay));
  }

  // The eight bytes of a PING, where they were read.
  const char *f_opaque(const wire::frame &f) const {
    return buffer_.data() + begin_ - f.size + wire::header_bytes;
  }

  void take_hello_ok(const wire::frame &f) {
    if (f.number[0] != wire::version)
      return go_away(error::version, "this endpoint speaks version 1");
    host_info info;
    info.frame_bytes_max = static_cast<std::uint32_t>(f.number[2]);
    info.message_bytes_max = static_cast<std::uint32_t>(f.number[4]);
    info.stream_bytes = static_cast<std::uint32_t>(f.number[5]);
    info.stream_messages = static_cast<std::uint32_t>(f.number[6]);
    info.name = f.text(wire::tag::name);
    info.version = f.text(wire::tag::version);
    info.endpoint = f.text(wire::tag::endpoint);
    info.generation = f.value_number(wire::tag::generation);
    message_bytes_max_ = info.message_bytes_max;
    for (const wire::value &one : f.values) {
      wire::pair_view pair;
      if (one.which == wire::tag::feature && one.bytes == "topics/1") info.topics = true;
      if (one.which == wire::tag::setting && wire::read(one.bytes, pair))
        info.settings.push_back({std::string(pair.name), std::string(pair.value)});
    }
    link_->agree(std::move(info), static_cast<std::uint32_t>(f.number[7]));
    agreed_ = true;
    try {
      calls_.on_ready(host_handle(link_));
      link_->ready(true, {});
    } catch (const std::exception &e) {
      go_away(error::fault, std::string("not ready: ") + e.what());
    } catch (...) {
      go_away(error::fault, "not ready");
    }
  }

  void take_drain(const wire::frame &f) {
    drain_info info;
    info.reason = f.head.aux;
    info.deadline = std::chrono::milliseconds(f.number[0]);
    info.text = f.text(wire::tag::text);
    guard(0, "drain", [&] { calls_.on_drain(info); });
  }

  void take_goaway(const wire::frame &f) {
    const std::string_view text = f.text(wire::tag::text);
    if (f.head.aux != 0 || !text.empty())
      std::fprintf(stderr, "the host ends the link (%u): %.*s\n", unsigned{f.head.aux},
                   static_cast<int>(text.size()), text.data());
    end();
  }

  void take_open(const wire::frame &f) {
    const std::uint32_t id = f.head.stream;
    if (id <= last_stream_) return go_away(error::protocol, "OPEN with an old number");
    last_stream_ = id;
    const request r = read_request(f);
    const auto s = link_->open(id, r.uid);
    // One that was never opened to the endpoint is not closed to it either.
    try {
      s->session = calls_.on_begin();
      calls_.on_open(at(id), s->session.get(), r);
    } catch (const std::exception &e) {
      fail(id, "open", e.what());
    } catch (...) {
      fail(id, "open", "an exception");
    }
  }

  static request read_request(const wire::frame &f) {
    using wire::tag;
    request r;
    r.tls = f.has(wire::flag::tls);
    for (const wire::value &one : f.values) {
      wire::pair_view pair;
      switch (one.which) {
        case tag::conn_uid: r.uid = wire::read_number(one.bytes.data(), 8); break;
        case tag::method: r.method = one.bytes; break;
        case tag::scheme: r.scheme = one.bytes; break;
        case tag::authority: r.authority = one.bytes; break;
        case tag::target: r.target = one.bytes; break;
        case tag::route: r.route = one.bytes; break;
        case tag::path: r.path = one.bytes; break;
        case tag::query: r.query = one.bytes; break;
        case tag::peer: r.peer = one.bytes; break;
        case tag::local: r.local = one.bytes; break;
        case tag::subprotocol: r.subprotocol = one.bytes; break;
        case tag::offered: r.offered.push_back(one.bytes); break;
        case tag::header:
          if (wire::read(one.bytes, pair)) r.headers.push_back({pair.name, pair.value});
          break;
        default: break;
      }
    }
    return r;
  }

  // The stream of a frame, if the frame counts in its state.
  std::shared_ptr<stream> stream_of(const wire::frame &f) {
    const std::uint32_t id = f.head.stream;
    if (id > last_stream_) {
      go_away(error::protocol, "a stream that was never opened");
      return nullptr;
    }
    auto s = link_->at(id);
    if (!s) return nullptr;
    switch (link_->step(*s, f.row->kind)) {
      case wire::step::take: return s;
      case wire::step::ignore: return nullptr;
      case wire::step::error: break;
    }
    break_off(id, error::protocol, std::string(f.row->name) + " has no place in this state");
    return nullptr;
  }

  // Every DATA costs the link's window, and is done with as soon as it was read.
  void take_link_credit(const wire::frame &f) {
    if (!grant_.received(f.size, true)) return go_away(error::flow, "sent without credit");
    grant_.done(f.size, 0);
    if (!grant_.is_due() || how_.link_bytes == wire::uncounted) return;
    std::uint32_t bytes, messages;
    grant_.give(bytes, messages);
    link_->give_back_link(bytes);
  }

  void take_data(const wire::frame &f) {
    take_link_credit(f);
    if (over_) return;
    const auto s = stream_of(f);
    if (!s) return;
    const std::uint32_t id = f.head.stream;
    const bool begins = s->incoming.is_idle();
    if (!link_->received(*s, f.rest.size(), begins))
      return break_off(id, error::flow, "a message began without credit");
    const wire::assembly::taken taken = s->incoming.push(f, message_bytes_max_);
    if (taken.code != error::none) return break_off(id, taken.code, taken.sentence);
    // What comes behind this side's own CLOSE is not handled any more.
    if (taken.whole && !link_->was_asked_to_close(*s))
      guard(id, "message", [&] {
        calls_.on_message(at(id), s->session.get(), message(taken.text, taken.payload));
      });
    link_->done(id, *s, f.rest.size(), taken.whole ? 1 : 0);
  }

  void take_credit(const wire::frame &f) {
    if (f.head.stream != 0 && !stream_of(f)) return;
    link_->credit(f.head.stream, static_cast<std::uint32_t>(f.number[0]),
                  static_cast<std::uint32_t>(f.number[1]));
  }

  void take_close(const wire::frame &f) {
    const std::uint32_t id = f.head.stream;
    const auto s = stream_of(f);
    if (!s) return;
    close_info info;
    info.code = f.head.aux;
    info.why = f.number[0] <= 8 ? static_cast<why>(f.number[0]) : why::error;
    info.reason = f.rest;
    if (info.code == 1006 || info.why == why::slow || info.why == why::migrated) link_->discard(id);
    s->told_end = true;
    guard(id, "closed", [&] { calls_.on_closed(at(id), s->session.get(), info); }, false);
    s->session.reset();
    link_->finish(id);
  }

  void take_reset(const wire::frame &f) {
    const std::uint32_t id = f.head.stream;
    const auto s = stream_of(f);
    if (!s) return;
    // It is dead to every handle before the endpoint hears of it.
    link_->remove(id);
    tell_end(*s, id, static_cast<error>(f.head.aux), f.text(wire::tag::text));
  }

  void take_subscribed(const wire::frame &f) {
    const auto s = stream_of(f);
    if (!s) return;
    const std::uint32_t id = f.head.stream, number = static_cast<std::uint32_t>(f.number[0]);
    if (!s->subscribed) {
      s->subscribed = std::make_unique<snapshot>();
      s->subscribed->topic = link_->topic_name(number);
      s->subscribed->status = f.head.aux;
      s->subscribed->seq = f.number[1];
    }
    gather(f, *s);
    if (f.has(wire::flag::more)) return;
    const std::unique_ptr<snapshot> whole = std::move(s->subscribed);
    if (!link_->was_asked_to_close(*s))
      guard(id, "subscribed", [&] { calls_.on_subscribed(at(id), s->session.get(), *whole); });
    if (whole->status == 0) link_->deliver(id, number);
  }

  void gather(const wire::frame &f, stream &s) {
    snapshot &whole = *s.subscribed;
    for (const wire::value &one : f.values) {
      wire::member_view member;
      wire::retained_view part;
      if (one.which == wire::tag::key) {
        whole.key = one.bytes;
      } else if (one.which == wire::tag::member && wire::read(one.bytes, member)) {
        whole.members.push_back({member.uid, std::string(member.key), std::string(member.metadata)});
      } else if (one.which == wire::tag::retained && wire::read(one.bytes, part)) {
        if (!s.retained_goes_on) whole.history.push_back({part.seq, part.text, {}});
        if (!whole.history.empty()) whole.history.back().payload.append(part.payload);
        s.retained_goes_on = part.more;
      }
    }
  }

  // ---- ends

  // Calls the endpoint; an exception is logged, and costs the stream.
  template <class F>
  void guard(std::uint32_t id, const char *where, F &&call, bool tells = true) {
    try {
      return call();
    } catch (const std::exception &e) {
      fail(id, where, e.what(), tells);
    } catch (...) {
      fail(id, where, "an exception", tells);
    }
  }

  void fail(std::uint32_t id, const char *where, const char *what, bool tells = false) {
    const std::string line = std::string("exception in ") + where + ": " + what;
    link_->log(log_level::error, line);
    if (id == 0) return;
    const auto s = link_->at(id);
    if (!s || !link_->reset(id, error::fault, line) || !tells) return;
    tell_end(*s, id, error::fault, what);
  }

  // RESET from this side, because of the host.
  void break_off(std::uint32_t id, error code, const std::string &sentence) {
    const auto s = link_->at(id);
    if (!s || !link_->reset(id, code, sentence)) return;
    link_->log(log_level::warning, "stream " + std::to_string(id) + ": " + sentence);
    tell_end(*s, id, code, sentence);
  }

  void tell_end(stream &s, std::uint32_t id, error code, std::string_view reason) {
    if (s.told_end) return;
    s.told_end = true;
    close_info info;
    info.why = why::fault;
    info.reason = reason;
    info.code_of_reset = code;
    guard(id, "closed", [&] { calls_.on_closed(at(id), s.session.get(), info); }, false);
    s.session.reset();
  }

  // The host broke the protocol: it is told, and the link ends when all is written.
  void go_away(error code, const std::string &sentence) {
    if (over_) return;
    std::fprintf(stderr, "the link ends: %s\n", sentence.c_str());
    const auto ids = link_->ids();
    link_->goaway(code, last_stream_, sentence);
    failed_ = true;
    for (int tries = 0; tries < 20 && link_->flush(fd_) && link_->has_to_write(); tries++) {
      pollfd wait{fd_, POLLOUT, 0};
      ::poll(&wait, 1, 100);
    }
    end(ids);
  }

  void end() { end(link_->ids()); }
  void end(const std::vector<std::uint32_t> &ids) {
    if (over_) return;
    over_ = true;
    link_->lost();
    for (const std::uint32_t id : ids)
      if (const auto s = link_->at(id)) tell_end(*s, id, error::none, "the link has ended");
  }

  std::shared_ptr<link> link_;
  int fd_;
  handler &calls_;
  options how_;
  wire::parser parser_;
  wire::grant grant_;
  wire::frame frame_;
  wire::fault fault_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0, end_ = 0;  // what was read and not taken: begin_ <= end_ <= buffer_.size()
  std::size_t message_bytes_max_ = 0;
  std::uint32_t last_stream_ = 0;
  bool agreed_ = false, over_ = false, failed_ = false;
};

}  // namespace detail
}  // namespace switchboard

#endif  // SWITCHBOARD_INCOMING_HPP
