#pragma once

#include <sluice/capture/queue.hpp>
#include <sluice/capture/text.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What the tests of captures share.
namespace capture_kit {

using lines = std::vector<std::string>;

// What is recorded is told in lines without the date, which is the first of January 1970 wherever the epoch is 0.
inline std::string line_of(const sluice::capture::record& made) {
  std::string text;
  append_text(text, made);
  constexpr std::string_view date = "1970-01-01 00:00:";
  if (text.starts_with(date)) text.erase(0, date.size());
  text.pop_back();
  return text;
}

inline lines lines_of(sluice::capture::batch& from) {
  lines made;
  while (const auto each = from.next()) made.push_back(line_of(*each));
  return made;
}

// All that the queue has.
inline lines drain(sluice::capture::queue& from) {
  auto taken = from.take();
  if (!taken) return {};
  lines made = lines_of(*taken);
  from.give_back(std::move(*taken));
  return made;
}

// The same without the times.
inline lines without_times(lines of) {
  for (std::string& each : of) each.erase(0, each.find(' ') + 1);
  return of;
}

// Times of a manual scheduler are those of the record.
inline sluice::capture::queue_options from_zero() {
  sluice::capture::queue_options options;
  options.epoch = std::chrono::system_clock::time_point();
  return options;
}

inline sluice::capture::record made(sluice::capture::event what, std::string_view data = {}, std::uint64_t connection = 1) {
  sluice::capture::record result;
  result.what = what;
  result.connection = connection;
  result.data = sluice::as_bytes(data);
  return result;
}

class folder {
 public:
  folder() {
    std::string name = (std::filesystem::temp_directory_path() / "sluice-capture-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  folder(const folder&) = delete;
  folder& operator=(const folder&) = delete;
  ~folder() { std::filesystem::remove_all(path_); }

  std::string operator/(std::string_view name) const { return (path_ / name).string(); }
  // Sorted.
  lines names() const {
    lines found;
    for (const auto& each : std::filesystem::directory_iterator(path_)) found.push_back(each.path().filename().string());
    std::sort(found.begin(), found.end());
    return found;
  }

 private:
  std::filesystem::path path_;
};

inline std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace capture_kit
