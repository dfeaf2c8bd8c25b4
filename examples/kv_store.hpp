#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <limits>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

/// Keys, values and deadlines. Entries live in numbered slots and never move, so a number is a cursor: a scan sees each key that is there
/// from its beginning to its end, once, however many others come and go.
class kv_store {
 public:
  using time = std::chrono::milliseconds;
  static constexpr auto never = time::max();
  static constexpr std::size_t all = std::numeric_limits<std::size_t>::max();

  struct entry {
    std::string key, value;
    time deadline = never;
    bool is_used = false;
  };

  /// What is due at `now` is gone from here on.
  void set_time(time now) { now_ = now; }
  time now() const { return now_; }
  std::size_t size() const { return index_.size(); }
  std::size_t with_deadline() const { return with_deadline_; }

  /// Null: there is no such key.
  entry* find(std::string_view key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return nullptr;
    if (!is_due(slots_[found->second])) return &slots_[found->second];
    take_away(found->second);
    return nullptr;
  }

  /// Finds the key, or adds it with an empty value.
  entry& at(std::string_view key) {
    if (entry* present = find(key)) return *present;
    if (free_.empty()) free_.push_back((slots_.emplace_back(), slots_.size() - 1));
    entry& added = slots_[free_.back()];
    added.key = key;
    added.is_used = true;
    index_.emplace(added.key, free_.back());
    free_.pop_back();
    return added;
  }

  bool erase(std::string_view key) {
    const bool is_present = find(key) != nullptr;
    if (is_present) take_away(index_.find(key)->second);
    return is_present;
  }

  void clear() { index_.clear(), slots_.clear(), free_.clear(), with_deadline_ = 0; }

  void set_deadline(entry& target, time deadline) {
    if (target.deadline != never) --with_deadline_;
    if (deadline != never) ++with_deadline_;
    target.deadline = deadline;
  }

  /// Calls `visit` with the entries in `count` slots from `cursor` on. Returns the cursor to go on with, 0 at the end.
  template <class Visit>
  std::size_t scan(std::size_t cursor, std::size_t count, Visit visit) const {
    for (; cursor < slots_.size() && count > 0; ++cursor, --count)
      if (slots_[cursor].is_used && !is_due(slots_[cursor])) visit(slots_[cursor]);
    return cursor < slots_.size() ? cursor : 0;
  }

  /// Looks at the next `count` slots and takes away what is due, so that memory returns even if nobody asks for a key again.
  void sweep(std::size_t count) {
    for (; count > 0 && with_deadline_ > 0; --count, ++next_swept_) {
      if (next_swept_ >= slots_.size()) next_swept_ = 0;
      if (is_due(slots_[next_swept_])) take_away(next_swept_);
    }
  }

 private:
  bool is_due(const entry& candidate) const { return candidate.deadline <= now_; }

  void take_away(std::size_t slot) {
    set_deadline(slots_[slot], never);
    index_.erase(slots_[slot].key);
    slots_[slot] = entry();
    free_.push_back(slot);
  }

  std::deque<entry> slots_;
  std::vector<std::size_t> free_;
  std::unordered_map<std::string_view, std::size_t> index_;  // its keys are those of the slots
  std::size_t with_deadline_ = 0, next_swept_ = 0;
  time now_{0};
};
