// The example examples/feed-cpp as the host starts it. Argument: the program.
#include <sys/wait.h>

#include <regex>

#include "stand_in.hpp"

using namespace stand_in;

static const char *program;

static int start(pid_t &child) {
  int fds[2];
  CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
  child = ::fork();
  if (child == 0) {
    ::dup2(fds[1], 3);
    ::setenv("SWBD_FD", "3", 1);
    ::execl(program, program, static_cast<char *>(nullptr));
    ::_exit(127);
  }
  ::close(fds[1]);
  return fds[0];
}

static bool is_sample(const std::string &text) {
  static const std::regex form(
      R"(\{"time":\d{13},"memory":\{"total":[1-9]\d*,"available":[1-9]\d*\},)"
      R"("net":\{"in":\d+,"out":\d+\},"cpu":[01]\.\d{4},"load":\[\d+\.\d\d,\d+\.\d\d,\d+\.\d\d\]\})");
  return std::regex_match(text, form);
}

// The next frame that is no publication, which come all the time.
static std::string next(host &host) {
  std::string words;
  do words = host.next();
  while (words.rfind("PUBLISH ", 0) == 0);
  return words;
}

TEST(the_feed_is_published_and_goes_at_a_pace_of_ones_own) {
  pid_t child = 0;
  host host(start(child));
  host.agrees();
  check::equal(host.next(), "TOPIC topic=1 name=feed", "heard");
  CHECK(host.next_frame() && host.frame().row->kind == sb::wire::type::publish);
  CHECK(host.frame().has(sb::wire::flag::retain) && is_sample(std::string(host.frame().rest)));

  host.says("OPEN stream=1 conn_uid=1 target=/feed");
  check::equal(next(host), "ACCEPT stream=1", "heard");
  check::equal(next(host), "SUBSCRIBE stream=1 snapshot=1 topic=1 history_messages=240", "heard");
  host.says("SUBSCRIBED stream=1 topic=1 seq=2 member=1:: retained=1:text:0:61 retained=2:text:0:62");
  check::equal(next(host), "DATA stream=1 text=1 payload=61", "heard");
  check::equal(next(host), "DATA stream=1 text=1 payload=62", "heard");
  check::equal(next(host), "DELIVER stream=1 topic=1", "heard");

  int number = 0;
  for (const char *wrong : {"", "{}", "{\"every\": 249}", "{\"every\": 60001}", "{\"every\": 1e3}",
                            "{\"every\": 10 00}", "{\"every\": 1000} x", "[1]"}) {
    host.says("DATA stream=1 seq=" + std::to_string(++number) + " text=1 payload=" +
              meaning::hex(wrong));
    const std::string answer = next(host);
    CHECK(answer.find("payload=" + meaning::hex("{\"error\":")) != std::string::npos);
  }
  host.says("DATA stream=1 seq=" + std::to_string(++number) + " text=1 payload=" +
            meaning::hex(" {\"every\" : 250}"));
  check::equal(next(host), "UNSUBSCRIBE stream=1 topic=1", "heard");
  for (int i = 0; i < 2; i++) {
    CHECK(next(host).rfind("DATA stream=1 text=1", 0) == 0);
    CHECK(is_sample(std::string(host.frame().rest)));
  }
  host.says("CLOSE stream=1 code=1001 why=1");
  std::string words;
  do words = next(host);
  while (words.rfind("DATA ", 0) == 0);
  check::equal(words, "CLOSED stream=1", "heard");

  host.hang_up();
  int status = -1;
  CHECK(::waitpid(child, &status, 0) == child && status == 0);
}

int main(int argc, char **argv) {
  if (argc < 2) return 64;
  program = argv[1];
  return check::run_all();
}
