#pragma once

#include <sluice/resolver.hpp>

#include <compare>
#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::detail {

// What was asked for. Host names are the same in upper and lower case, and kept in lower case.
struct name_key {
  name_key(std::string_view name, ip_family wanted);

  std::string host;
  ip_family family;
  friend auto operator<=>(const name_key&, const name_key&) = default;
};

using name_answer = std::shared_ptr<const result<std::vector<address>>>;

// Answers, each until its time is over; where there is no room, the one that was not asked for the longest time goes.
class name_cache {
 public:
  // Null if there is none that is good at `now`.
  name_answer find(const name_key& key, time_point now);
  void put(const name_key& key, name_answer answer, time_point good_until);
  void set_limit(std::size_t most);
  void clear() noexcept;
  // In every family.
  void forget(std::string_view host);
  std::size_t size() const noexcept { return by_key_.size(); }

 private:
  struct entry {
    name_key key;
    name_answer answer;
    time_point good_until;
  };
  using place = std::list<entry>::iterator;

  void erase(place at);
  void shrink_to(std::size_t most);

  std::size_t limit_ = 0;
  std::list<entry> entries_;  // the one that was asked for last in front
  std::map<name_key, place> by_key_;
};

}  // namespace sluice::detail
