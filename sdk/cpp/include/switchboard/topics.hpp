// switchboard/topics.hpp - the numbers that stand for topics on one link.
#ifndef SWITCHBOARD_TOPICS_HPP
#define SWITCHBOARD_TOPICS_HPP

#include <list>
#include <unordered_map>

#include "frame.hpp"

namespace switchboard::detail {

// Names get numbers as they are used. When there are too many, those that were not used for the
// longest time give theirs up.
class topic_table {
 public:
  // The number of a name, announced in `out` if it is new; 0 if all numbers are in use. `uses` is
  // the number of frames that will still name it: `release` counts them down.
  std::uint32_t acquire(std::string &out, std::string_view name, int uses) {
    auto found = numbers_.find(std::string(name));
    if (found == numbers_.end()) {
      if (numbers_.size() >= wire::topics_max && !give_up_one(out)) return 0;
      if (next_ == 0xffffffff) return 0;
      const std::uint32_t number = next_++;
      order_.push_back(number);
      topics_.emplace(number, entry{std::string(name), 0, std::prev(order_.end())});
      found = numbers_.emplace(name, number).first;
      wire::frame_writer(out, wire::type::topic).u32(number).bytes(name);
    }
    entry &one = topics_.at(found->second);
    one.uses += uses;
    order_.splice(order_.end(), order_, one.place);
    return found->second;
  }

  void release(std::uint32_t number) {
    const auto found = topics_.find(number);
    if (found != topics_.end() && found->second.uses > 0) found->second.uses--;
  }

  std::string name(std::uint32_t number) const {
    const auto found = topics_.find(number);
    return found == topics_.end() ? std::string() : found->second.name;
  }

 private:
  struct entry {
    std::string name;
    int uses;
    std::list<std::uint32_t>::iterator place;
  };

  bool give_up_one(std::string &out) {
    for (auto number = order_.begin(); number != order_.end(); ++number) {
      const auto found = topics_.find(*number);
      if (found->second.uses > 0) continue;
      wire::frame_writer(out, wire::type::topic).u32(*number);
      numbers_.erase(found->second.name);
      topics_.erase(found);
      order_.erase(number);
      return true;
    }
    return false;
  }

  std::unordered_map<std::string, std::uint32_t> numbers_;
  std::unordered_map<std::uint32_t, entry> topics_;
  std::list<std::uint32_t> order_;  // longest unused first
  std::uint32_t next_ = 1;
};

}  // namespace switchboard::detail

#endif  // SWITCHBOARD_TOPICS_HPP
