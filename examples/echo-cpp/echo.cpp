// echo - sends every message back as it came; "close 4001 enough" closes with that code and reason.
#include <switchboard/endpoint.hpp>

#include <charconv>
#include <iostream>

namespace sb = switchboard;

class echo : public sb::endpoint {
  void message(sb::connection c, const sb::message &m) override {
    if (!m.is_text())
      c.send_binary(m.bytes());
    else if (!close_if_asked(c, m.text()))
      c.send_text(m.text());
  }

  // What stands here goes into the host's log.
  void closed(sb::connection c, const sb::close_info &end) override {
    std::cout << "client " << c.uid() << " has ended with " << end.code << ' ' << end.reason
              << std::endl;
  }

  // False if it is no such wish, or if no endpoint may close like that: then it is an echo too.
  static bool close_if_asked(sb::connection c, std::string_view text) {
    constexpr std::string_view wish = "close ";
    if (text.substr(0, wish.size()) != wish) return false;
    const char *begin = text.data() + wish.size(), *end = text.data() + text.size();
    std::uint16_t code = 0;
    const char *reason = std::from_chars(begin, end, code).ptr;
    if (reason != end && *reason++ != ' ') return false;
    return c.close(code, {reason, static_cast<std::size_t>(end - reason)}) == sb::status::ok;
  }
};

int main() {
  sb::options how;
  how.name = "echo";
  return sb::serve<echo>({}, how);
}
