// The golden vectors, and the table of section 6, against the headers.
#include "meaning.hpp"

namespace wire = switchboard::wire;

static std::string spec;  // the directory

static const char *const good[] = {"link.txt", "stream.txt", "topics.txt",
                                   "conversation-client-closes.txt",
                                   "conversation-endpoint-closes.txt"};

static wire::frame read_one(const meaning::vector &one, std::string_view bytes) {
  wire::frame frame;
  wire::fault fault;
  const auto result = wire::parser(one.side, wire::frame_bytes_max_ceiling).parse(bytes, frame, fault);
  if (result != wire::parser::result::frame) check::fail(one.name + ": " + fault.sentence);
  return frame;
}

TEST(frames_mean_what_the_vectors_say) {
  for (const char *file : good)
    for (const auto &one : meaning::read_file(spec + "/vectors/" + file)) {
      const wire::frame frame = read_one(one, one.bytes);
      CHECK(frame.size == one.bytes.size());
      check::equal(meaning::of(frame), meaning::written_out(one.words), one.name);
    }
}

TEST(what_was_read_is_written_to_the_same_bytes) {
  for (const char *file : good)
    for (const auto &one : meaning::read_file(spec + "/vectors/" + file)) {
      std::string again;
      meaning::write(again, read_one(one, one.bytes));
      check::equal(meaning::hex(again), meaning::hex(one.bytes), one.name);
    }
}

TEST(the_meaning_is_written_to_the_same_bytes) {
  for (const char *file : good)
    for (const auto &one : meaning::read_file(spec + "/vectors/" + file))
      check::equal(meaning::hex(meaning::bytes_of(one.words)), meaning::hex(one.bytes), one.name);
}

// Values may stand in another order there than in the words.
static std::string sorted(const std::string &words) {
  auto parts = meaning::split(words, ' ');
  std::stable_sort(parts.begin(), parts.end(), [](const std::string &a, const std::string &b) {
    return a.substr(0, a.find('=')) < b.substr(0, b.find('='));
  });
  std::string out;
  for (const std::string &part : parts) out += part + " ";
  return out;
}

TEST(what_nobody_writes_is_taken_all_the_same) {
  for (const auto &one : meaning::read_file(spec + "/vectors/read.txt"))
    check::equal(sorted(meaning::of(read_one(one, one.bytes))), sorted(one.words), one.name);
}

TEST(a_frame_that_is_cut_is_incomplete) {
  for (const char *file : good)
    for (const auto &one : meaning::read_file(spec + "/vectors/" + file))
      for (std::size_t size = 0; size < std::min<std::size_t>(one.bytes.size(), 600); size++) {
        wire::frame frame;
        wire::fault fault;
        const wire::parser parser(one.side, wire::frame_bytes_max_ceiling);
        CHECK(parser.parse(std::string_view(one.bytes).substr(0, size), frame, fault) ==
              wire::parser::result::incomplete);
      }
}

static std::string answer(bool link, std::uint32_t stream, switchboard::error code) {
  const std::string end = " code=" + std::to_string(static_cast<int>(code));
  return link ? "GOAWAY" + end : "RESET stream=" + std::to_string(stream) + end;
}

// Without the word for the fault, which is the implementation's own.
static std::string wanted(const meaning::vector &one) {
  return one.words.substr(0, one.words.find(" error="));
}

TEST(bad_frames_are_refused_with_the_right_answer) {
  for (const auto &one : meaning::read_file(spec + "/vectors/bad.txt")) {
    wire::frame frame;
    wire::fault fault;
    const auto result = wire::parser(one.side).parse(one.bytes, frame, fault);
    if (result != wire::parser::result::fault) check::fail(one.name + " was taken");
    check::equal(answer(fault.link, fault.stream, fault.code), wanted(one), one.name);
  }
}

TEST(bad_fragments_are_refused_with_the_right_answer) {
  for (const auto &one : meaning::read_file(spec + "/vectors/bad-fragments.txt")) {
    wire::assembly assembly;
    std::string found;
    for (std::string_view left = one.bytes; !left.empty();) {
      if (!found.empty()) check::fail(one.name + ": refused too early");
      const wire::frame frame = read_one(one, left);
      const auto taken = assembly.push(frame, 1024);
      if (taken.code != switchboard::error::none) found = answer(false, frame.head.stream, taken.code);
      left.remove_prefix(frame.size);
    }
    check::equal(found, wanted(one), one.name);
  }
}

TEST(streams_move_as_the_table_of_section_6_says) {
  const std::vector<std::string> states = {"Opening", "Open", "Asked", "Ending", "Gone"};
  std::ifstream in(spec + "/endpoint-protocol.md");
  int cells = 0;
  for (std::string line; std::getline(in, line);) {
    const auto column = meaning::split(line, '|');
    if (column.size() != 8 || (column[1].rfind(" h ", 0) != 0 && column[1].rfind(" e ", 0) != 0))
      continue;
    const bool host = column[1][1] == 'h';
    const std::string name = column[1].substr(3, column[1].size() - 4);
    for (std::size_t i = 0; i < states.size(); i++) {
      auto state = static_cast<wire::stream_state>(i);
      for (const wire::layout &row : wire::layouts) {
        if (row.name != name) continue;
        const auto step = host ? wire::host_step(state, row.kind) : wire::endpoint_step(state, row.kind);
        const std::string found = step == wire::step::error    ? "error"
                                  : step == wire::step::ignore ? "ignored"
                                                               : states[static_cast<std::size_t>(state)];
        check::equal(" " + found + " ", column[i + 2], column[1] + states[i]);
        cells++;
      }
    }
  }
  CHECK(cells == 22 * 5);
}

TEST(text_is_utf8_or_it_is_refused) {
  const auto check_text = [](const std::string &text, bool well) {
    for (std::size_t shift = 0; shift < 10; shift++) {
      CHECK(wire::is_utf8(std::string(shift, 'a') + text) == well);
      CHECK(wire::is_utf8(std::string(shift, 'a') + text + "aaaaaaaaa") == well);
    }
  };
  for (const char *text : {"", "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf",
                           "\xee\x80\x80", "\xf4\x8f\xbf\xbf", "\xe0\xa0\x80", "\xf0\x90\x80\x80"})
    check_text(text, true);
  for (const char *text : {"\x80", "\xc3", "\xc0\x80", "\xc1\xbf", "\xe2\x82", "\xed\xa0\x80",
                           "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe0\x9f\xbf",
                           "\xf0\x8f\xbf\xbf", "\xff", "\xc3\x28"})
    check_text(text, false);
}

TEST(a_window_may_fall_below_zero_and_is_paid_by_credit) {
  wire::window window(10, 2);
  window.spend(100, 1);
  CHECK(!window.is_open());
  window.add(90, 0);
  CHECK(!window.is_open());
  window.add(1, 0);
  CHECK(window.is_open());
  window.spend(1, 1);
  window.add(100, 0);
  CHECK(!window.is_open());
  window.add(0, wire::uncounted);
  CHECK(window.is_open());
  window.spend(1000, 1);
  CHECK(!window.is_open());
  window.add(wire::uncounted, 0);
  CHECK(window.is_open());
}

TEST(credit_goes_back_at_half_of_the_window) {
  wire::grant grant(100, 10);
  CHECK(grant.received(60, true));
  grant.done(49, 0);
  CHECK(!grant.is_due());
  grant.done(11, 1);
  CHECK(grant.is_due());
  std::uint32_t bytes = 0, messages = 0;
  grant.give(bytes, messages);
  CHECK(bytes == 60 && messages == 1 && !grant.is_due());
  for (int i = 0; i < 10; i++) CHECK(grant.received(0, true));
  CHECK(!grant.received(0, true));
}

int main(int argc, char **argv) {
  spec = argc > 1 ? argv[1] : "sdk/spec";
  return check::run_all();
}
