// crowd - joins every client to one topic and echoes, and sends more to those that ask for more.
//
// What a client is follows from its query: nothing: it is echoed; "feed": it speaks to all; "flood":
// it speaks to the members of a second topic, and to each of "streams" by a message of its own.
#include <switchboard/endpoint.hpp>

#include <map>
#include <sstream>
#include <unordered_set>

namespace sb = switchboard;

enum class role { echo, feed, flood, member, stream, figures };

role role_of(std::string_view query) {
  if (query == "feed") return role::feed;
  if (query == "flood") return role::flood;
  if (query == "member") return role::member;
  if (query == "stream") return role::stream;
  return query == "figures" ? role::figures : role::echo;
}

struct client {
  role is = role::echo;
};

class crowd : public sb::endpoint_of<client> {
 private:
  void open(sb::connection c, client &who, const sb::request &asked) override {
    who.is = role_of(asked.query);
    c.accept();
    if (who.is == role::figures) return;
    c.subscribe("feed");
    if (who.is == role::flood || who.is == role::member) c.subscribe("flood");
    if (who.is == role::stream) streams_.insert(c);
  }

  void message(sb::connection c, client &who, const sb::message &m) override {
    switch (who.is) {
      case role::echo: return count(echo(c, m));
      case role::feed: return count(publish("feed", m));
      case role::flood: return flood(m);
      case role::figures: c.send_text(figures()); return;
      case role::member:
      case role::stream: return;
    }
  }

  void closed(sb::connection c, client &who, const sb::close_info &how) override {
    streams_.erase(c);
    if (who.is == role::member || who.is == role::stream) ends_[how.code]++;
  }

  static sb::status echo(sb::connection c, const sb::message &m) {
    return m.is_text() ? c.send_text(m.text()) : c.send_binary(m.bytes());
  }

  sb::status publish(std::string_view topic, const sb::message &m) {
    return m.is_text() ? host().publish_text(topic, m.text())
                       : host().publish_binary(topic, m.bytes());
  }

  // One that takes no more gets nothing more, so what it has has no gap.
  void flood(const sb::message &m) {
    count(publish("flood", m));
    for (auto one = streams_.begin(); one != streams_.end();) {
      const bool taken = sb::is_taken(echo(*one, m));
      if (taken) sent_++;
      else full_++;
      one = taken ? std::next(one) : streams_.erase(one);
    }
  }

  void count(sb::status what) {
    if (!sb::is_taken(what)) refused_++;
  }

  // Since the figures before.
  std::string figures() {
    std::ostringstream out;
    out << "{\"refused\":" << refused_ << ",\"sent\":" << sent_ << ",\"full\":" << full_
        << ",\"ends\":{";
    const char *gap = "";
    for (const auto &[code, times] : ends_) {
      out << gap << '"' << code << "\":" << times;
      gap = ",";
    }
    out << "}}";
    refused_ = sent_ = full_ = 0;
    ends_.clear();
    return out.str();
  }

  std::unordered_set<sb::connection> streams_;
  std::map<unsigned, unsigned> ends_;  // by close code, of those that ask for more
  unsigned long refused_ = 0;          // echoes and publications that were not taken
  unsigned long sent_ = 0;             // messages for "streams" that were
  unsigned long full_ = 0;             // clients for which too much waited
};

int main() {
  sb::options how;
  how.name = "crowd";
  return sb::serve<crowd>({}, how);
}
