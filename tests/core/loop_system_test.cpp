#include <sluice/loop.hpp>

#include <sluice/error.hpp>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include <doctest/doctest.h>

using namespace sluice;

namespace {

// Closes standard input for as long as it lives.
class without_input {
 public:
  without_input() : kept_(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)) { ::close(STDIN_FILENO); }
  without_input(const without_input&) = delete;
  without_input& operator=(const without_input&) = delete;
  ~without_input() {
    if (kept_ == -1) return;
    ::dup2(kept_, STDIN_FILENO);
    ::close(kept_);
  }

 private:
  int kept_;
};

bool is_dev_null(int descriptor) {
  struct stat found {};
  struct stat expected {};
  return ::fstat(descriptor, &found) == 0 && ::stat("/dev/null", &expected) == 0 && found.st_rdev == expected.st_rdev;
}

}  // namespace

TEST_CASE("an active handle of one's own keeps a loop running") {
  loop one;
  uv_timer_t own;
  uv_timer_init(one.native_handle(), &own);
  bool fired = false;
  own.data = &fired;
  const auto on_expiry = [](uv_timer_t* handle) {
    *static_cast<bool*>(handle->data) = true;
    uv_close(reinterpret_cast<uv_handle_t*>(handle), nullptr);
  };
  uv_timer_start(&own, on_expiry, 1, 0);
  one.run();
  CHECK(fired);
}

TEST_CASE("a handle of one's own that was left open is closed and reported, and does not keep the destructor waiting") {
  uv_timer_t own;
  std::optional<loop> one(std::in_place);
  std::vector<std::string> errors;
  one->on_error([&](const error_event& event) { errors.push_back(describe(event)); });
  uv_timer_init(one->native_handle(), &own);
  uv_timer_start(
      &own, [](uv_timer_t*) { FAIL("the loop has ended"); }, 60'000, 0);
  one.reset();
  CHECK(errors == std::vector<std::string>{"sluice: leak: a handle of libuv's loop was left open: timer: " +
                                           make_error_code(errc::leaked).message()});
}

TEST_CASE("a loop that cannot have a descriptor throws and says which call failed") {
  const int lowest_free = dup(0);
  close(lowest_free);
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit tight{static_cast<rlim_t>(lowest_free), limit.rlim_max};
  setrlimit(RLIMIT_NOFILE, &tight);
  std::optional<std::system_error> error;
  try {
    const loop one;
  } catch (const std::system_error& caught) {
    error.emplace(caught);
  }
  setrlimit(RLIMIT_NOFILE, &limit);
  REQUIRE(error);
  CHECK(error->code() == std::errc::too_many_files_open);
  CHECK(std::string(error->what()).starts_with("sluice::loop: uv_loop_init"));
}

TEST_CASE("a closed standard descriptor becomes /dev/null before the loop takes a descriptor, and stays that") {
  const without_input closed;
  std::optional<loop> one(std::in_place);
  CHECK(is_dev_null(STDIN_FILENO));
  one->run();
  one.reset();
  CHECK(is_dev_null(STDIN_FILENO));
}
