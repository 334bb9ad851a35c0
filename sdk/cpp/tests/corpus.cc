// The reader over a corpus: the vectors, cut and changed in every way that a seeded generator finds.
// It is run with sanitizers, which are the check; what is read must also be written again.
#include "meaning.hpp"

namespace wire = switchboard::wire;

static std::string spec;

// Numerical Recipes' generator: the same corpus on every machine.
static std::uint32_t next() {
  static std::uint32_t state = 20261122;
  state = state * 1664525 + 1013904223;
  return state >> 8;
}

// Bytes in a place of their own, so that a sanitizer sees each step beyond them.
static void read_all(const std::string &given, wire::side from) {
  const std::vector<char> bytes(given.begin(), given.end());
  std::string_view left(bytes.data(), bytes.size());
  wire::assembly assembly;
  wire::frame frame;
  wire::fault fault;
  const wire::parser parser(from);
  while (!left.empty()) {
    const auto result = parser.parse(left, frame, fault);
    if (result == wire::parser::result::incomplete) return;
    if (result == wire::parser::result::fault) {
      CHECK(fault.code != switchboard::error::none && !fault.sentence.empty());
      if (fault.link) return;
      left.remove_prefix(fault.size);
      continue;
    }
    if (frame.row) {
      CHECK(!meaning::of(frame).empty());
      std::string again;
      meaning::write(again, frame);
      wire::frame same;
      if (again.size() <= 262144)
        CHECK(parser.parse(again, same, fault) == wire::parser::result::frame);
      if (frame.row->kind == wire::type::data) assembly.push(frame, 4096);
    }
    left.remove_prefix(frame.size);
  }
}

static std::vector<meaning::vector> corpus() {
  std::vector<meaning::vector> all;
  for (const char *file : {"link.txt", "stream.txt", "topics.txt", "read.txt", "bad.txt",
                           "bad-fragments.txt", "conversation-client-closes.txt",
                           "conversation-endpoint-closes.txt"})
    for (const auto &one : meaning::read_file(spec + "/vectors/" + file))
      if (one.bytes.size() < 2000) all.push_back(one);
  return all;
}

TEST(every_cut_of_every_vector_is_read) {
  for (const auto &one : corpus())
    for (std::size_t size = 0; size <= one.bytes.size(); size++)
      read_all(one.bytes.substr(0, size), one.side);
}

// With its length made right, a cut body is a frame.
TEST(every_cut_body_of_every_vector_is_read) {
  for (const auto &one : corpus())
    for (std::size_t size = wire::header_bytes; size < one.bytes.size(); size++) {
      std::string cut = one.bytes.substr(0, size), len;
      wire::put_number(len, size - wire::header_bytes, 4);
      read_all(cut.replace(0, 4, len), one.side);
    }
}

TEST(every_changed_byte_of_every_vector_is_read) {
  for (const auto &one : corpus())
    for (std::size_t at = 0; at < one.bytes.size(); at++)
      for (const int change : {0x01, 0x80, 0xff}) {
        std::string changed = one.bytes;
        changed[at] = static_cast<char>(changed[at] ^ change);
        read_all(changed, one.side);
      }
}

TEST(mixed_and_mangled_vectors_are_read) {
  const auto all = corpus();
  for (int round = 0; round < 100000; round++) {
    std::string bytes;
    const wire::side from = next() % 2 ? wire::side::host : wire::side::endpoint;
    for (std::uint32_t i = next() % 3 + 1; i > 0; i--) bytes += all[next() % all.size()].bytes;
    for (std::uint32_t i = next() % 5; i > 0 && !bytes.empty(); i--) {
      const std::size_t at = next() % bytes.size();
      switch (next() % 4) {
        case 0: bytes[at] = static_cast<char>(next()); break;
        case 1: bytes.erase(at, next() % 8); break;
        case 2: bytes.insert(at, next() % 8, static_cast<char>(next())); break;
        default: bytes.insert(at, bytes.substr(next() % bytes.size(), next() % 32)); break;
      }
    }
    read_all(bytes, from);
  }
}

int main(int argc, char **argv) {
  spec = argc > 1 ? argv[1] : "sdk/spec";
  return check::run_all();
}
