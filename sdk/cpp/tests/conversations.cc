// Whole conversations between an endpoint and a scripted host.
#include "stand_in.hpp"

using namespace stand_in;
using namespace std::chrono_literals;

static std::string text(std::uint32_t id, const std::string &payload, const std::string &more = "") {
  return "DATA stream=" + std::to_string(id) + more + " text=1 payload=" + meaning::hex(payload);
}
static std::string message(std::uint32_t id, int number, const std::string &payload) {
  return text(id, payload, " seq=" + std::to_string(number));
}

// ---- the link

TEST(an_endpoint_says_hello_and_is_ready_when_it_has_read_its_settings) {
  puppet endpoint;
  started host(endpoint);
  host.hears(
      "HELLO version_min=1 version_max=1 frame_bytes_max=262144 streams_max=4294967295 "
      "stream_bytes=65536 stream_messages=64 link_bytes=16777216 heartbeat_ms=10000 lanes=1 "
      "build=switchboard/endpoint.hpp feature=topics/1");
  CHECK(endpoint.told.empty() && !endpoint.host());
  host.says("HELLO_OK version=1 lanes=1 frame_bytes_max=65536 stream_bytes=1 stream_messages=1 "
            "link_bytes=1 endpoint=/feed generation=3 setting=greeting:hi setting=greeting:ho");
  host.hears("READY");
  endpoint.told.expect("ready hi");
  CHECK(endpoint.host().endpoint() == "/feed" && endpoint.host().generation() == 3);
}

TEST(a_ping_is_answered_with_its_bytes) {
  puppet endpoint;
  started host(endpoint);
  host.agrees();
  host.says("PING opaque=00ff00ff00ff00ff");
  host.hears("PONG opaque=00ff00ff00ff00ff");
}

TEST(a_ping_is_answered_ahead_of_what_waits) {
  puppet endpoint;
  endpoint.on_message = [](sb::connection c, const sb::message &) {
    for (int i = 0; i < 48; i++) c.send_binary(std::string(65536, 'x'));
  };
  started host(endpoint);
  host.agrees("stream_bytes=4294967295 stream_messages=4294967295 link_bytes=4294967295");
  host.opens(1);
  host.writes(meaning::bytes_of(message(1, 1, "go")) + meaning::bytes_of("PING opaque=3132333435363738"));
  int before = 0;
  while (host.next_frame() && host.frame().row->kind == sb::wire::type::data) before++;
  check::equal(meaning::of(host.frame()), "PONG opaque=3132333435363738", "heard");
  CHECK(before < 40);
}

TEST(the_end_of_file_is_the_end_with_status_0) {
  puppet endpoint;
  started host(endpoint);
  host.agrees();
  host.opens(1);
  host.hang_up();
  CHECK(host.status() == 0);
  endpoint.told.expect("ready ");
  endpoint.told.expect("closed 1 1006 7 0 the link has ended");
}

TEST(goaway_is_the_end_with_status_0) {
  puppet endpoint;
  started host(endpoint);
  host.agrees();
  host.says("GOAWAY last_stream=0");
  host.hears("EOF");
  CHECK(host.status() == 0);
}

TEST(drain_is_told_and_the_end_follows) {
  puppet endpoint;
  started host(endpoint);
  host.agrees();
  endpoint.told.expect("ready ");
  host.says("DRAIN reason=2 deadline_ms=500 text=upgrade");
  endpoint.told.expect("drain 2 500 upgrade");
  host.says("GOAWAY last_stream=0");
  CHECK(host.status() == 0);
}

TEST(an_endpoint_may_ask_for_its_end) {
  puppet endpoint;
  started host(endpoint);
  host.agrees();
  endpoint.host().drain(2s, "enough");
  host.hears("DRAIN reason=1 deadline_ms=2000 text=enough");
  endpoint.host().ready(false, "later");
  host.hears("READY not_ready=1 text=later");
}

TEST(a_program_started_by_hand_says_so) {
  ::unsetenv("SWBD_FD");
  puppet endpoint;
  CHECK(sb::serve(endpoint) == 64);
  CHECK(sb::serve<puppet>() == 64);
}

TEST(a_log_line_is_cut_and_made_readable) {
  puppet endpoint;
  started host(endpoint);
  host.agrees();
  endpoint.host().log(sb::log_level::warning, "caf\xc3\xa9");
  host.hears("LOG level=2 text=caf%c3%a9");
  endpoint.host().log(sb::log_level::info, "caf\xc3");
  host.hears("LOG level=3 text=caf%3f");
  endpoint.host().log(sb::log_level::info, std::string(8191, 'a') + "\xc3\xa9");
  host.hears("LOG level=3 text=" + std::string(8191, 'a'));
}

TEST(a_host_that_breaks_the_protocol_is_told_and_left) {
  const auto check_end = [](const std::string &bytes, const std::string &goaway) {
    puppet endpoint;
    started host(endpoint);
    host.agrees();
    host.writes(bytes);
    const std::string heard = host.next();
    check::equal(heard.substr(0, heard.find(" text=")), goaway, "heard");
    host.hears("EOF");
    CHECK(host.status() == 1);
  };
  check_end(std::string(16, '\0'), "GOAWAY code=1");
  check_end(meaning::bytes_of("DATA stream=9 seq=1"), "GOAWAY code=1");
  check_end(meaning::bytes_of("LANE lane=1"), "GOAWAY code=3");
  check_end(meaning::bytes_of("HELLO_OK version=1 frame_bytes_max=65536 stream_bytes=1 "
                              "stream_messages=1 link_bytes=1"), "GOAWAY code=1");
  check_end(meaning::bytes_of("OPEN stream=1 resumed=1 conn_uid=1"), "GOAWAY code=3");
}

TEST(a_host_of_another_version_is_left) {
  puppet endpoint;
  started host(endpoint);
  host.next();
  host.says("HELLO_OK version=2 frame_bytes_max=65536 stream_bytes=1 stream_messages=1 link_bytes=1");
  host.hears("GOAWAY code=2 text=this%20endpoint%20speaks%20version%201");
  CHECK(host.status() == 1);
}

TEST(types_from_0x80_are_skipped) {
  puppet endpoint;
  started host(endpoint);
  host.agrees();
  host.writes(meaning::pieces("03000000900000000700000000000000 010203"));
  host.hears_nothing();
}

// ---- streams

TEST(a_client_comes_talks_and_goes) {
  puppet endpoint;
  endpoint.on_open = [&](sb::connection c, const sb::request &r) {
    endpoint.told.add("open " + std::string(r.target) + " " + std::string(r.peer) + " " +
                      std::string(r.header("cookie")) + " " + std::to_string(c.uid()));
    c.accept({"v2", {{"x-a", "b"}}});
  };
  started host(endpoint);
  host.agrees();
  endpoint.told.expect("ready ");
  host.says("OPEN stream=1 conn_uid=77 target=/feed?x peer=1.2.3.4 offered=v1 offered=v2 "
            "header=host:h header=cookie:c");
  host.hears("ACCEPT stream=1 subprotocol=v2 header=x-a:b");
  endpoint.told.expect("open /feed?x 1.2.3.4 c 77");
  host.says(message(1, 1, "hello"));
  host.hears(text(1, "hello"));
  host.says("DATA stream=1 seq=2");
  host.hears("DATA stream=1");
  host.says("CLOSE stream=1 code=1000 why=1 reason=bye");
  host.hears("CLOSED stream=1");
  endpoint.told.expect("closed 1 1000 1 0 bye");
}

TEST(frames_may_come_byte_by_byte) {
  puppet endpoint;
  started host(endpoint);
  host.agrees();
  host.opens(1);
  for (const char byte : meaning::bytes_of(message(1, 1, "slowly"))) host.writes({byte});
  host.hears(text(1, "slowly"));
}

TEST(a_rejected_client_is_never_told_of_again) {
  puppet endpoint;
  endpoint.on_open = [](sb::connection c, const sb::request &) {
    CHECK(c.reject(403, "go away", {{"retry-after", "5"}}) == sb::status::ok);
    CHECK(c.accept() == sb::status::closed && c.send_text("x") == sb::status::closed);
  };
  started host(endpoint);
  host.agrees();
  endpoint.told.expect("ready ");
  host.opens(1, false);
  host.hears("REJECT stream=1 status=403 header=retry-after:5 body=go%20away");
  host.says("CLOSE stream=1 code=1006 why=1");
  host.says("CREDIT stream=1 bytes=1 messages=1");
  host.hears_nothing();
  CHECK(endpoint.told.empty());
}

TEST(an_answer_may_come_later_from_another_thread) {
  puppet endpoint;
  std::thread later;
  endpoint.on_open = [&](sb::connection c, const sb::request &) {
    CHECK(c.send_text("too early") == sb::status::invalid);
    later = std::thread([c] {
      c.accept();
      c.send_text("welcome");
    });
  };
  started host(endpoint);
  host.agrees();
  host.opens(1);
  host.hears(text(1, "welcome"));
  later.join();
}

TEST(long_messages_go_in_fragments_both_ways) {
  puppet endpoint;
  started host(endpoint);
  host.agrees();
  host.opens(1);
  std::string payload(200000, 'a');
  for (std::size_t i = 0; i < payload.size(); i += 7) payload[i] = static_cast<char>('b' + i % 20);
  for (std::size_t at = 0; at < payload.size(); at += 50000) {
    const std::string more = at + 50000 < payload.size() ? " text=1 more=1" : " text=1";
    host.says("DATA stream=1" + std::string(at ? "" : " seq=1") + more +
              " payload=" + meaning::hex(payload.substr(at, 50000)));
  }
  std::string back;
  for (const std::size_t size : {65536u, 65536u, 65536u, 3392u}) {
    while (host.next_frame() && host.frame().row->kind == sb::wire::type::credit) {
    }
    CHECK(host.frame().rest.size() == size);
    CHECK(host.frame().head.flags == (size == 3392 ? 1 : 3));
    back += host.frame().rest;
  }
  CHECK(back == payload);
}

TEST(bad_frames_of_a_stream_cost_the_stream) {
  const auto check_reset = [](const std::string &bytes, const std::string &reset) {
    puppet endpoint;
    started host(endpoint);
    host.agrees();
    endpoint.told.expect("ready ");
    host.opens(1);
    host.writes(bytes);
    std::string heard = host.next();
    check::equal(heard.substr(0, heard.find(" text=")), reset, "heard");
    CHECK(host.next().rfind("LOG level=2", 0) == 0);
    endpoint.told.expect("closed 1 1006 7 " + reset.substr(reset.size() - (reset.back() == '0' ? 2 : 1)) +
                         " " + meaning::unescaped(heard.substr(heard.find(" text=") + 6)));
    host.hears_nothing();
    host.opens(2);
  };
  check_reset(meaning::bytes_of("DATA stream=1 seq=5"), "RESET stream=1 code=1");
  check_reset(meaning::bytes_of("DATA stream=1 text=1 payload=ff"), "RESET stream=1 code=10");
  check_reset(meaning::pieces("00000000130200000100000000000000"), "RESET stream=1 code=1");
  check_reset(meaning::bytes_of("CLOSE stream=1 code=1000 why=1").replace(4, 2, "\x16\x04"),
              "RESET stream=1 code=1");
}

TEST(an_exception_is_logged_and_costs_its_stream) {
  puppet endpoint;
  endpoint.on_message = [](sb::connection, const sb::message &) { throw std::runtime_error("oh"); };
  started host(endpoint);
  host.agrees();
  endpoint.told.expect("ready ");
  host.opens(1);
  host.opens(2);
  host.says(message(1, 1, "x"));
  host.hears("LOG level=1 text=exception%20in%20message%3a%20oh");
  host.hears("RESET stream=1 code=8 text=exception%20in%20message%3a%20oh");
  endpoint.told.expect("closed 1 1006 7 8 oh");
  endpoint.on_closed = [](sb::connection) { throw 5; };
  host.says("CLOSE stream=2 code=1000 why=1");
  host.hears("LOG level=1 text=exception%20in%20closed%3a%20an%20exception");
  host.hears("RESET stream=2 code=8 text=exception%20in%20closed%3a%20an%20exception");
}

TEST(a_reset_of_the_host_ends_a_stream_at_once) {
  puppet endpoint;
  sb::connection seen;
  endpoint.on_open = [&](sb::connection c, const sb::request &) { (seen = c).accept(); };
  started host(endpoint);
  host.agrees();
  endpoint.told.expect("ready ");
  host.opens(1);
  host.says("RESET stream=1 code=4 text=no");
  endpoint.told.expect("closed 1 1006 7 4 no");
  CHECK(seen.send_text("x") == sb::status::closed && seen.close() == sb::status::closed);
  host.says(message(1, 1, "late"));
  host.hears_nothing();
}

// ---- the orders of section 6

TEST(what_is_said_in_closed_arrives_before_the_end) {
  puppet endpoint;
  endpoint.on_closed = [](sb::connection c) {
    CHECK(c.send_text("bye") == sb::status::ok);
    CHECK(c.close() == sb::status::closed);
  };
  started host(endpoint);
  host.agrees();
  host.opens(1);
  host.writes(meaning::bytes_of(message(1, 1, "last")) +
              meaning::bytes_of("CLOSE stream=1 code=1000 why=1"));
  host.hears(text(1, "last"));
  host.hears(text(1, "bye"));
  host.hears("CLOSED stream=1");
}

TEST(nothing_is_said_to_a_client_that_is_gone) {
  puppet endpoint;
  endpoint.on_closed = [](sb::connection c) { CHECK(c.send_text("x") == sb::status::closed); };
  started host(endpoint);
  host.agrees();
  host.opens(1);
  host.says("CLOSE stream=1 code=1006 why=1");
  host.hears("CLOSED stream=1");
}

TEST(an_endpoint_closes_a_client) {
  puppet endpoint;
  endpoint.on_message = [](sb::connection c, const sb::message &m) {
    c.send_text(m.text());
    CHECK(c.close(1005) == sb::status::invalid);
    CHECK(c.close(4000, "enough") == sb::status::ok);
    CHECK(c.close(4000) == sb::status::closed && c.send_text("x") == sb::status::closed);
  };
  started host(endpoint);
  host.agrees();
  endpoint.told.expect("ready ");
  host.opens(1);
  host.says(message(1, 1, "x"));
  host.hears(text(1, "x"));
  host.hears("CLOSE stream=1 code=4000 reason=enough");
  host.says(message(1, 2, "was on its way"));
  host.says("CLOSE stream=1 code=4000 why=2 reason=enough");
  host.hears("CLOSED stream=1");
  endpoint.told.expect("closed 1 4000 2 0 enough");
}

TEST(both_close_at_once) {
  puppet endpoint;
  endpoint.on_message = [](sb::connection c, const sb::message &) { c.close(1001); };
  started host(endpoint);
  host.agrees();
  endpoint.told.expect("ready ");
  host.opens(1);
  host.writes(meaning::bytes_of(message(1, 1, "x")) +
              meaning::bytes_of("CLOSE stream=1 code=1000 why=1"));
  host.hears("CLOSE stream=1 code=1001");
  host.hears("CLOSED stream=1");
  endpoint.told.expect("closed 1 1000 1 0 ");
}

TEST(a_client_leaves_before_the_answer) {
  puppet endpoint;
  sb::connection seen;
  endpoint.on_open = [&](sb::connection c, const sb::request &) { seen = c; };
  started host(endpoint);
  host.agrees();
  endpoint.told.expect("ready ");
  host.opens(1, false);
  host.says("CLOSE stream=1 code=1006 why=1");
  host.hears("CLOSED stream=1");
  endpoint.told.expect("closed 1 1006 1 0 ");
  CHECK(seen.accept() == sb::status::closed);
}

TEST(an_endpoint_closes_what_it_has_not_accepted) {
  puppet endpoint;
  endpoint.on_open = [](sb::connection c, const sb::request &) { c.close(1008, "no"); };
  started host(endpoint);
  host.agrees();
  endpoint.told.expect("ready ");
  host.opens(1, false);
  host.hears("CLOSE stream=1 code=1008 reason=no");
  host.says("CLOSE stream=1 code=1008 why=2 reason=no");
  host.hears("CLOSED stream=1");
  endpoint.told.expect("closed 1 1008 2 0 no");
}

TEST(a_close_that_is_not_answered_in_time_is_told_once) {
  puppet endpoint;
  endpoint.on_message = [](sb::connection c, const sb::message &) {
    for (int i = 0; i < 3; i++) c.send_text("x");
  };
  started host(endpoint);
  host.agrees("stream_bytes=1 stream_messages=1 link_bytes=4294967295");
  endpoint.told.expect("ready ");
  host.opens(1);
  host.says(message(1, 1, "go"));
  host.hears(text(1, "x"));
  host.says("CLOSE stream=1 code=1000 why=1");
  endpoint.told.expect("closed 1 1000 1 0 ");
  host.says("CREDIT stream=1 bytes=1 messages=1");
  host.hears(text(1, "x"));
  host.says("RESET stream=1 code=7");
  host.hears_nothing();
  CHECK(endpoint.told.empty());
}

// ---- credit

TEST(messages_wait_for_the_credit_of_their_stream) {
  puppet endpoint;
  std::vector<sb::status> came;
  endpoint.on_message = [&](sb::connection c, const sb::message &) {
    for (int i = 0; i < 4; i++) came.push_back(c.send_text(std::to_string(i)));
    endpoint.told.add("sent");
  };
  started host(endpoint);
  host.agrees("stream_bytes=100 stream_messages=2 link_bytes=4294967295");
  endpoint.told.expect("ready ");
  host.opens(1);
  host.opens(2);
  host.says(message(1, 1, "go"));
  host.hears(text(1, "0"));
  host.hears(text(1, "1"));
  endpoint.told.expect("sent");
  CHECK(came[1] == sb::status::ok && came[2] == sb::status::pressure);
  host.says(message(2, 1, "another"));
  host.hears(text(2, "0"));
  host.hears(text(2, "1"));
  endpoint.told.expect("sent");
  host.says("CREDIT stream=1 messages=1");
  host.hears(text(1, "2"));
  host.hears_nothing();
  host.says("CREDIT stream=1 messages=4294967295");
  host.hears(text(1, "3"));
  endpoint.told.expect("writable 1");
}

TEST(a_message_that_has_begun_goes_on_without_credit_of_its_stream) {
  puppet endpoint;
  endpoint.on_message = [](sb::connection c, const sb::message &) {
    c.send_text(std::string(70000, 'a'));
    c.send_text("b");
  };
  started host(endpoint);
  host.agrees("stream_bytes=1 stream_messages=9 link_bytes=4294967295");
  host.opens(1);
  host.says(message(1, 1, "go"));
  CHECK(host.next_frame() && host.frame().rest.size() == 65536);
  CHECK(host.next_frame() && host.frame().rest.size() == 4464);
  host.says("CREDIT stream=1 bytes=69999");
  host.hears_nothing();
  host.says("CREDIT stream=1 bytes=1");
  host.hears(text(1, "b"));
}

TEST(what_waits_for_a_client_is_bounded) {
  puppet endpoint;
  int taken = 0;
  endpoint.on_message = [&](sb::connection c, const sb::message &) {
    while (sb::is_taken(c.send_binary(std::string(100000, 'x')))) taken++;
    CHECK(c.send_text("x") == sb::status::again);
    CHECK(c.send_text(std::string(5000000, 'x')) == sb::status::too_big);
    CHECK(c.send_text("\xff") == sb::status::invalid);
    endpoint.told.add("full");
  };
  started host(endpoint);
  host.agrees("stream_bytes=1 stream_messages=1 link_bytes=4294967295");
  endpoint.told.expect("ready ");
  host.opens(1);
  host.says(message(1, 1, "go"));
  endpoint.told.expect("full");
  CHECK(taken == 12);  // one on its way, and eleven up to 1 MiB
  host.says("CREDIT stream=1 bytes=4294967295 messages=4294967295");
  for (int i = 0; i < 24; i++) CHECK(host.next_frame());
  endpoint.told.expect("writable 1");
}

TEST(all_wait_for_the_credit_of_the_link) {
  puppet endpoint;
  started host(endpoint);
  host.agrees("stream_bytes=4294967295 stream_messages=4294967295 link_bytes=18");
  host.opens(1);
  host.opens(2);
  host.says(message(1, 1, "a"));
  host.hears(text(1, "a"));  // 17 of 18
  host.says(message(2, 1, "b"));
  host.hears(text(2, "b"));  // it may fall below zero
  host.says(message(1, 2, "c"));
  host.says(message(2, 2, "d"));
  host.hears_nothing();
  host.says("CREDIT bytes=17");
  host.hears(text(1, "c"));
  host.hears_nothing();
  host.says("CREDIT bytes=4294967295");
  host.hears(text(2, "d"));
}

TEST(a_long_message_lets_others_pass) {
  puppet endpoint;
  started host(endpoint);
  host.agrees("stream_bytes=4294967295 stream_messages=4294967295 link_bytes=1");
  host.opens(1);
  host.opens(2);
  host.opens(3);
  host.says(message(1, 1, "x"));
  host.hears(text(1, "x"));
  host.says("DATA stream=2 seq=1 payload=61*200000");
  host.says(message(3, 1, "short"));
  host.hears_nothing();
  host.says("CREDIT bytes=4294967295");
  CHECK(host.next_frame() && host.frame().head.stream == 2 && host.frame().rest.size() == 65536);
  host.hears(text(3, "short"));
  for (int i = 0; i < 3; i++) CHECK(host.next_frame() && host.frame().head.stream == 2);
  CHECK(!host.frame().has(sb::wire::flag::more));
}

TEST(credit_is_given_back_at_half) {
  puppet endpoint;
  endpoint.on_message = [](sb::connection, const sb::message &) {};
  started host(endpoint);
  host.agrees();
  host.opens(1);
  for (int i = 1; i <= 32; i++) host.says(message(1, i, "abc"));
  host.hears("CREDIT stream=1 bytes=96 messages=32");
  host.says("DATA stream=1 seq=33 payload=61*32768");
  host.hears("CREDIT stream=1 bytes=32768 messages=1");
  std::uint32_t given = 0;
  for (int i = 34; given == 0; i++) {
    host.says("DATA stream=1 seq=" + std::to_string(i) + " payload=61*65536");
    CHECK(host.next_frame() && i < 200);
    if (host.frame().head.stream != 0) continue;
    given = static_cast<std::uint32_t>(host.frame().number[0]);
    host.next();
  }
  CHECK(given >= 8388608 && given < 8388608 + 65552);
}

TEST(a_client_that_does_not_read_its_answers_is_not_asked_for_more) {
  puppet endpoint;
  started host(endpoint);
  host.agrees("stream_bytes=1 stream_messages=1 link_bytes=4294967295");
  host.opens(1);
  for (int i = 1; i <= 64; i++) host.says(message(1, i, "a"));
  host.hears(text(1, "a"));
  host.hears_nothing();
  host.says("CREDIT stream=1 bytes=4294967295 messages=4294967295");
  for (int i = 2; i <= 64; i++) host.hears(text(1, "a"));
  host.hears("CREDIT stream=1 bytes=64 messages=64");
}

TEST(a_message_beyond_the_credit_costs_its_stream) {
  puppet endpoint;
  started host(endpoint);
  host.agrees("stream_bytes=1 stream_messages=1 link_bytes=4294967295");
  host.opens(1);
  for (int i = 1; i <= 65; i++) host.says(message(1, i, "a"));
  host.hears(text(1, "a"));
  host.hears("RESET stream=1 code=4 text=a%20message%20began%20without%20credit");
}

// ---- topics

TEST(a_snapshot_is_answered_before_deliveries_begin) {
  puppet endpoint;
  endpoint.on_open = [](sb::connection c, const sb::request &) {
    c.accept();
    sb::subscribe_options how;
    how.snapshot = true;
    how.history = 120;
    how.key = "alice";
    how.left = {true, "gone"};
    CHECK(c.subscribe("feed", how) == sb::status::ok);
  };
  endpoint.on_subscribed = [&](sb::connection c, const sb::snapshot &s) {
    endpoint.told.add(s.topic + " " + s.key + " " + std::to_string(s.seq) + " " +
                      std::to_string(s.members.size()) + " " + s.members[1].metadata);
    for (const auto &one : s.history) c.send_text(one.payload);
  };
  started host(endpoint);
  host.agrees("stream_bytes=1 stream_messages=1 link_bytes=4294967295");
  endpoint.told.expect("ready ");
  host.opens(1);
  host.hears("TOPIC topic=1 name=feed");
  host.hears("SUBSCRIBE stream=1 snapshot=1 topic=1 history_messages=120 key=616c696365 "
             "left=text:676f6e65");
  host.says("SUBSCRIBED stream=1 more=1 topic=1 seq=9 key=616c696365 member=5:: member=101:616c:7b7d "
            "retained=8:text:0:61 retained=9:text:1:62");
  host.says("SUBSCRIBED stream=1 topic=1 seq=9 retained=9:text:0:63");
  endpoint.told.expect("feed alice 9 2 {}");
  host.hears(text(1, "a"));
  host.hears_nothing();
  host.says("CREDIT stream=1 bytes=9 messages=9");
  host.hears(text(1, "bc"));
  host.hears("DELIVER stream=1 topic=1");
}

TEST(a_failed_subscription_is_told_and_not_delivered) {
  puppet endpoint;
  endpoint.on_open = [](sb::connection c, const sb::request &) {
    c.accept();
    c.subscribe("a");
    c.unsubscribe("a");
    CHECK(c.subscribe("") == sb::status::invalid);
  };
  endpoint.on_subscribed = [&](sb::connection, const sb::snapshot &s) {
    endpoint.told.add("status " + std::to_string(s.status));
  };
  started host(endpoint);
  host.agrees();
  endpoint.told.expect("ready ");
  host.opens(1);
  host.hears("TOPIC topic=1 name=a");
  host.hears("SUBSCRIBE stream=1 topic=1");
  host.hears("UNSUBSCRIBE stream=1 topic=1");
  host.says("SUBSCRIBED stream=1 status=6 topic=1");
  endpoint.told.expect("status 6");
  host.hears_nothing();
}

TEST(publications_go_in_their_order_and_in_fragments) {
  puppet endpoint;
  sb::connection seen;
  endpoint.on_open = [&](sb::connection c, const sb::request &) { (seen = c).accept(); };
  started host(endpoint);
  host.agrees("stream_bytes=9 stream_messages=9 link_bytes=30");
  endpoint.told.expect("ready ");
  host.opens(1);
  sb::publish_options how;
  how.retain = true;
  how.except = seen;
  CHECK(endpoint.host().publish_text("t", "one", how) == sb::status::ok);
  host.hears("TOPIC topic=1 name=t");
  host.hears("PUBLISH text=1 retain=1 topic=1 except=1 payload=6f6e65");
  CHECK(endpoint.host().publish_binary("u", std::string(70000, 'x')) == sb::status::pressure);
  host.hears("TOPIC topic=2 name=u");
  CHECK(host.next_frame() && host.frame().rest.size() == 65536 && host.frame().head.flags == 2);
  CHECK(seen.subscribe("u") == sb::status::pressure);
  host.hears_nothing();
  host.says("CREDIT bytes=4294967295");
  CHECK(host.next_frame() && host.frame().rest.size() == 4464 && host.frame().head.flags == 0);
  host.hears("SUBSCRIBE stream=1 topic=2");
}

TEST(topics_that_the_host_does_not_offer_are_refused_here) {
  puppet endpoint;
  sb::connection seen;
  endpoint.on_open = [&](sb::connection c, const sb::request &) { (seen = c).accept(); };
  started host(endpoint);
  host.agrees("stream_bytes=9 stream_messages=9 link_bytes=30", "endpoint=/x");
  host.opens(1);
  CHECK(seen.subscribe("t") == sb::status::unsupported);
  CHECK(endpoint.host().publish_text("t", "x") == sb::status::unsupported);
}

// ---- threads, timers, listening

TEST(sends_of_four_threads_keep_the_order_of_each) {
  constexpr int threads = 4, streams = 3, messages = 4000;
  puppet endpoint;
  std::vector<sb::connection> clients;
  endpoint.on_open = [&](sb::connection c, const sb::request &) {
    clients.push_back(c);
    c.accept();
  };
  started host(endpoint);
  host.agrees("stream_bytes=20000 stream_messages=200 link_bytes=100000");
  for (std::uint32_t id = 1; id <= streams; id++) host.opens(id);
  std::vector<std::thread> senders;
  for (int t = 0; t < threads; t++)
    senders.emplace_back([&clients, t] {
      for (int i = 0; i < messages;) {
        const sb::connection &c = clients[static_cast<std::size_t>(i % streams)];
        const auto came = c.send_text(std::to_string(t) + " " + std::to_string(i));
        if (came == sb::status::again) std::this_thread::yield();
        else if (sb::is_taken(came)) i++;
        else return;
      }
    });
  std::vector<int> last(threads * streams, -1);
  int count = 0, late = 0;
  std::uint32_t link = 0;
  std::vector<std::uint32_t> owed(streams + 1);
  for (; count < threads * messages && host.next_frame(); count++) {
    const auto &f = host.frame();
    const int t = f.rest[0] - '0', i = std::stoi(std::string(f.rest.substr(2)));
    int &before = last[static_cast<std::size_t>(t * streams) + f.head.stream - 1];
    late += i <= before;
    before = i;
    link += static_cast<std::uint32_t>(f.size);
    if (++owed[f.head.stream] == 50) {
      host.says("CREDIT stream=" + std::to_string(f.head.stream) + " bytes=5000 messages=50");
      owed[f.head.stream] = 0;
    }
    if (link > 20000) host.says("CREDIT bytes=" + std::to_string(std::exchange(link, 0)));
  }
  for (auto &one : senders) one.join();
  CHECK(count == threads * messages && late == 0);
}

TEST(handles_outlive_the_link_and_do_nothing) {
  sb::connection seen;
  sb::host_handle far;
  {
    puppet endpoint;
    endpoint.on_open = [&](sb::connection c, const sb::request &) { (seen = c).accept(); };
    started host(endpoint);
    host.agrees();
    host.opens(1);
    far = endpoint.host();
  }
  CHECK(seen.send_text("x") == sb::status::closed && seen.close() == sb::status::closed);
  CHECK(seen.subscribe("t") == sb::status::closed && seen.uid() == 0 && !seen.is_open());
  CHECK(far.publish_text("t", "x") == sb::status::closed && !far);
  CHECK(sb::connection().send_text("x") == sb::status::closed);
}

TEST(timers_and_posted_functions_run_in_the_loop) {
  puppet endpoint;
  int beats = 0;
  sb::timer every = 0;
  every = endpoint.every(1ms, [&] {
    if (++beats < 3) return;
    endpoint.cancel(every);
    endpoint.told.add("three");
  });
  const sb::timer never = endpoint.after(1ms, [&] { endpoint.told.add("never"); });
  endpoint.cancel(never);
  started host(endpoint);
  host.agrees();
  const auto first = [&] {
    endpoint.after(5ms, [&] { endpoint.told.add("after"); });
    throw std::runtime_error("oh");
  };
  endpoint.post(first);
  host.hears("LOG level=1 text=exception%20in%20a%20posted%20function%3a%20oh");
  endpoint.after(50ms, [&] { endpoint.stop(); });
  host.hears("EOF");
  CHECK(host.status() == 0 && beats == 3);
}

struct count {
  int messages = 0;
};
class counter : public sb::endpoint_of<count> {
  void message(sb::connection c, count &session, const sb::message &) override {
    c.send_text(std::to_string(++session.messages));
  }
};

TEST(a_session_belongs_to_its_connection) {
  counter endpoint;
  started host(endpoint);
  host.agrees();
  host.opens(1);
  host.opens(2);
  host.says(message(1, 1, "x"));
  host.hears(text(1, "1"));
  host.says(message(2, 1, "x"));
  host.hears(text(2, "1"));
  host.says(message(1, 2, "x"));
  host.hears(text(1, "2"));
}

class last_words : public sb::endpoint_of<count> {
 public:
  notes told;

 private:
  void message(sb::connection c, count &session, const sb::message &) override {
    for (session.messages = 0; session.messages < 2; session.messages++) c.send_text("x");
  }
  void writable(sb::connection, count &session) override {
    told.add("writable " + std::to_string(session.messages));
  }
  void closed(sb::connection c, count &, const sb::close_info &) override {
    CHECK(c.send_text("y") == sb::status::pressure);
    told.add("closed");
  }
};

TEST(a_session_has_ended_with_closed_though_last_words_wait) {
  last_words endpoint;
  started host(endpoint);
  host.agrees("stream_bytes=9 stream_messages=1 link_bytes=4294967295");
  host.opens(1);
  host.says(message(1, 1, "x"));
  host.hears(text(1, "x"));
  host.writes(meaning::bytes_of("CREDIT stream=1 messages=1") +
              meaning::bytes_of("CLOSE stream=1 code=1000 why=1"));
  host.hears(text(1, "x"));
  endpoint.told.expect("closed");
  host.says("CREDIT stream=1 messages=1");
  host.hears(text(1, "y"));
  host.hears("CLOSED stream=1");
  CHECK(endpoint.told.empty());
}

TEST(an_endpoint_that_listens_serves_several_links) {
  ::unsetenv("SWBD_FD");
  const std::string path = "/tmp/switchboard-cpp-" + std::to_string(::getpid());
  counter endpoint;
  for (int round = 0; round < 2; round++) {  // the second finds the socket of the first
    std::thread serving([&] { CHECK(sb::serve(endpoint, path) == 0); });
    host first(connect_to(path)), second(connect_to(path));
    for (host *one : {&first, &second}) {
      one->agrees();
      one->opens(1);
      one->says(message(1, 1, "x"));
      one->hears(text(1, "1"));
    }
    first.hang_up();
    second.says(message(1, 2, "x"));
    second.hears(text(1, "2"));
    endpoint.stop();
    serving.join();
  }
  ::unlink(path.c_str());
}

int main() {
  return check::run_all();
}
