// Stands in for a fuzzing engine: gives a target every input that it finds, once, in the order of their names. Works with any compiler.

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

namespace {

namespace fs = std::filesystem;

/// The files in each of these folders, and each of these that is a file. A folder may be missing: a target without regressions has none.
std::vector<fs::path> inputs_in(const std::vector<std::string>& places) {
  std::vector<fs::path> found;
  for (const auto& place : places) {
    if (fs::is_regular_file(place)) found.emplace_back(place);
    if (!fs::is_directory(place)) continue;
    for (const auto& entry : fs::directory_iterator(place))
      if (entry.is_regular_file()) found.push_back(entry.path());
  }
  std::ranges::sort(found);
  return found;
}

/// An exact allocation, so that a sanitizer sees the first byte read beyond it.
std::vector<unsigned char> content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  std::vector<unsigned char> content{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  content.shrink_to_fit();
  return content;
}

int replay(const std::vector<std::string>& places) {
  const auto inputs = inputs_in(places);
  for (const auto& input : inputs) {
    std::printf("%s\n", input.c_str());
    std::fflush(stdout);  // the last name is the one that failed
    const auto content = content_of(input);
    LLVMFuzzerTestOneInput(content.data(), content.size());
  }
  std::printf("%zu inputs replayed\n", inputs.size());
  if (!inputs.empty()) return 0;
  std::fprintf(stderr, "no input in");
  for (const auto& place : places) std::fprintf(stderr, " %s", place.c_str());
  std::fprintf(stderr, "; a target needs at least one, or this test checks nothing\n");
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return replay({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
