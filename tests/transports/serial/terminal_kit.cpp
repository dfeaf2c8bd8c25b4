#include "terminal_kit.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>

namespace terminal_kit {

far_end::far_end() : master_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
  REQUIRE(master_.is_open());
  REQUIRE(::grantpt(get()) == 0);
  REQUIRE(::unlockpt(get()) == 0);
  std::array<char, 128> name{};
  REQUIRE(::ptsname_r(get(), name.data(), name.size()) == 0);
  path_ = name.data();
}

void far_end::send(std::string_view text) const { REQUIRE(::write(get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())); }

std::string far_end::receive(std::size_t n) const {
  std::string text(n, '\0');
  for (std::size_t have = 0; have < n;) {
    pollfd ready{get(), POLLIN, 0};
    REQUIRE(::poll(&ready, 1, 30'000) == 1);
    const ssize_t got = ::read(get(), text.data() + have, n - have);
    REQUIRE(got > 0);
    have += static_cast<std::size_t>(got);
  }
  return text;
}

std::size_t far_end::waiting() const noexcept {
  int n = 0;
  ::ioctl(get(), FIONREAD, &n);
  return static_cast<std::size_t>(n);
}

}  // namespace terminal_kit
