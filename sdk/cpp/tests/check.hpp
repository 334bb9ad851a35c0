// check.hpp - tests with names, and a count at the end.
#ifndef SWITCHBOARD_TESTS_CHECK_HPP
#define SWITCHBOARD_TESTS_CHECK_HPP

#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

namespace check {

struct test {
  const char *name;
  void (*run)();
};

inline std::vector<test> &tests() {
  static std::vector<test> all;
  return all;
}

struct registered {
  registered(const char *name, void (*run)()) { tests().push_back({name, run}); }
};

[[noreturn]] inline void fail(const std::string &what) { throw std::runtime_error(what); }

inline std::string shown(const std::string &text) {
  return text.size() > 300 ? text.substr(0, 300) + "..." : text;
}

inline void equal(const std::string &found, const std::string &wanted, const std::string &where) {
  if (found != wanted)
    fail(where + "\n    wanted: " + shown(wanted) + "\n    found:  " + shown(found));
}

// Runs all of them and says how many went well; the exit status of main.
inline int run_all() {
  int passed = 0, failed = 0;
  for (const test &one : tests()) {
    try {
      one.run();
      passed++;
    } catch (const std::exception &e) {
      failed++;
      std::printf("FAILED %s: %s\n", one.name, e.what());
    }
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed != 0;
}

}  // namespace check

#define TEST(name)                                               \
  static void name();                                            \
  static const check::registered registered_##name(#name, name); \
  static void name()

#define CHECK(condition)                                                                  \
  do {                                                                                    \
    if (!(condition)) check::fail("line " + std::to_string(__LINE__) + ": " + #condition); \
  } while (0)

#endif  // SWITCHBOARD_TESTS_CHECK_HPP
