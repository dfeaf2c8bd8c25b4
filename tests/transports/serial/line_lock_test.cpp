#include "serial/line_lock.hpp"

#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "../socket_kit.hpp"

using namespace sluice;
using serial::lock_file;

namespace {

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

// A process that was and is no more.
int dead_process() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return child;
}

struct folder_with_device {
  folder_with_device() : device(folder / "ttyX7") { write(device, ""); }
  result<lock_file> take() const { return lock_file::take(device, folder / ""); }
  std::string file() const { return folder / "LCK..ttyX7"; }

  socket_kit::temporary_folder folder;
  std::string device;
};

}  // namespace

TEST_CASE("Z4 a lock file holds the number of this process in ten columns, as other programs read it, and goes with its object") {
  const folder_with_device at;
  {
    const auto taken = at.take();
    REQUIRE(taken);
    std::string number = std::to_string(::getpid());
    number.insert(0, 10 - number.size(), ' ');
    CHECK(text_of(at.file()) == number + "\n");
  }
  CHECK_FALSE(std::filesystem::exists(at.file()));
}

TEST_CASE("Z4 a lock file is named after the device that a link leads to") {
  const folder_with_device at;
  const std::string link = at.folder / "by-id-link";
  std::filesystem::create_symlink(at.device, link);
  const auto taken = lock_file::take(link, at.folder / "");
  REQUIRE(taken);
  CHECK(std::filesystem::exists(at.file()));
}

TEST_CASE("Z4 a lock file of a process that lives is respected, and names it") {
  const folder_with_device at;
  const auto first = at.take();
  REQUIRE(first);
  const auto second = at.take();
  CHECK(second.error() == serial::errc::port_busy);
  CHECK(second.detail().find("held by process " + std::to_string(::getpid())) != std::string::npos);
  CHECK(second.detail().find("LCK..ttyX7") != std::string::npos);
}

TEST_CASE("Z4 a lock file of a process that is gone is replaced") {
  const folder_with_device at;
  write(at.file(), "  " + std::to_string(dead_process()) + "\n");
  const auto taken = at.take();
  CHECK(taken);
  CHECK(text_of(at.file()).find(std::to_string(::getpid())) != std::string::npos);
}

TEST_CASE("Z4 a lock file that names nobody is respected: somebody may be writing it") {
  const folder_with_device at;
  write(at.file(), "who knows\n");
  const auto taken = at.take();
  CHECK(taken.error() == serial::errc::port_busy);
  CHECK(text_of(at.file()) == "who knows\n");
}

TEST_CASE("Z4 a lock file that cannot be made is an error with its name") {
  const folder_with_device at;
  const auto taken = lock_file::take(at.device, at.folder / "no-such-folder");
  CHECK(taken.error() == std::errc::no_such_file_or_directory);
  CHECK(taken.detail().find("no-such-folder/LCK..ttyX7") != std::string::npos);
}
