// feed - the machine's own figures, four times a second, for all clients or at a client's own pace.
#include <switchboard/endpoint.hpp>

#include <array>
#include <fstream>
#include <regex>
#include <sstream>

using namespace std::chrono_literals;
namespace sb = switchboard;

constexpr auto beat = 250ms;
constexpr std::uint32_t history_messages = 1min / beat;  // as long as the plots of the demo
constexpr const char *topic = "feed";

// ---- what the kernel says

struct cpu_times {
  double busy = 0, all = 0;
};

struct net_bytes {
  double in = 0, out = 0;
};

// The first line of /proc/stat: "cpu user nice system idle iowait irq softirq steal ...".
cpu_times read_cpu() {
  std::ifstream in("/proc/stat");
  std::string name;
  std::array<double, 8> ticks{};
  in >> name;
  for (double &one : ticks) in >> one;
  cpu_times times;
  for (const double one : ticks) times.all += one;
  times.busy = times.all - ticks[3] - ticks[4];
  return times;
}

// Lines of /proc/meminfo: "MemTotal:  16314264 kB".
double read_memory(const std::string &wanted) {
  std::ifstream in("/proc/meminfo");
  double kib = 0;
  for (std::string name, unit; in >> name >> kib && std::getline(in, unit);)
    if (name == wanted) return kib * 1024;
  return 0;
}

std::array<double, 3> read_load() {
  std::ifstream in("/proc/loadavg");
  std::array<double, 3> load{};
  for (double &one : load) in >> one;
  return load;
}

// All interfaces of /proc/net/dev but the loopback: "eth0: in packets ... (8 columns) out ...".
net_bytes read_net() {
  std::ifstream in("/proc/net/dev");
  net_bytes sum;
  for (std::string line; std::getline(in, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos || line.find("lo:") != std::string::npos) continue;
    std::istringstream columns(line.substr(colon + 1));
    std::array<double, 9> column{};
    for (double &one : column) columns >> one;
    sum.in += column[0];
    sum.out += column[8];
  }
  return sum;
}

// ---- what is made of it

// Shares and rates are those since the sample before.
class sampler {
 public:
  std::string json() {
    const auto now = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - last_).count();
    const cpu_times cpu = read_cpu();
    const net_bytes net = read_net();
    const std::array<double, 3> load = read_load();
    const double ticks = cpu.all - cpu_.all;
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::now().time_since_epoch());

    std::ostringstream out;
    out.setf(std::ios::fixed);
    out.precision(0);
    out << "{\"time\":" << ms.count();
    out << ",\"memory\":{\"total\":" << read_memory("MemTotal:")
        << ",\"available\":" << read_memory("MemAvailable:") << "}";
    out << ",\"net\":{\"in\":" << rate(net.in - net_.in, seconds)
        << ",\"out\":" << rate(net.out - net_.out, seconds) << "}";
    out.precision(4);
    out << ",\"cpu\":" << (ticks > 0 ? std::clamp((cpu.busy - cpu_.busy) / ticks, 0.0, 1.0) : 0);
    out.precision(2);
    out << ",\"load\":[" << load[0] << ',' << load[1] << ',' << load[2] << "]}";
    last_ = now;
    cpu_ = cpu;
    net_ = net;
    return out.str();
  }

 private:
  static double rate(double bytes, double seconds) {
    return seconds > 0 ? std::max(bytes, 0.0) / seconds : 0;
  }

  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  cpu_times cpu_ = read_cpu();
  net_bytes net_ = read_net();
};

// The pace that {"every": 1000} asks for; zero if it is anything else.
std::chrono::milliseconds read_pace(std::string_view text) {
  static const std::regex form(R"(\s*\{\s*"every"\s*:\s*([1-9][0-9]{2,4})\s*\}\s*)");
  std::cmatch found;
  if (text.size() > 100 || !std::regex_match(text.begin(), text.end(), found, form)) return 0ms;
  const int number = std::stoi(found[1]);
  return std::chrono::milliseconds(number >= 250 && number <= 60000 ? number : 0);
}

// ---- who gets it

struct client {
  sb::timer own_pace = 0;
};

class feed : public sb::endpoint_of<client> {
 public:
  feed() {
    every(beat, [this] {
      latest_ = figures_.json();
      sb::publish_options how;
      how.retain = true;
      host().publish_text(topic, latest_, how);
    });
  }

 private:
  void open(sb::connection c, client &, const sb::request &) override {
    c.accept();
    sb::subscribe_options how;
    how.snapshot = true;
    how.history = history_messages;
    c.subscribe(topic, how);
  }

  // A new client sees the last minute before what comes.
  void subscribed(sb::connection c, client &, const sb::snapshot &now) override {
    if (now.status != 0) c.close(1013, "no room");
    for (const auto &one : now.history) c.send_text(one.payload);
  }

  void message(sb::connection c, client &who, const sb::message &m) override {
    const std::chrono::milliseconds pace = m.is_text() ? read_pace(m.text()) : 0ms;
    if (pace == 0ms) {
      c.send_text("{\"error\":\"send {\\\"every\\\": 1000}, from 250 to 60000 milliseconds\"}");
      return;
    }
    c.unsubscribe(topic);
    cancel(who.own_pace);
    // What a slow client does not take it does not get: the next sample is a newer one.
    who.own_pace = every(pace, [this, c] { c.send_text(latest_); });
  }

  void closed(sb::connection, client &who, const sb::close_info &) override {
    cancel(who.own_pace);
  }

  sampler figures_;
  std::string latest_ = figures_.json();
};

int main() {
  sb::options how;
  how.name = "feed";
  return sb::serve<feed>({}, how);
}
