#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

#include "tls_pair.hpp"

// What a client hears of a server that `prepare` has set up.
struct verdict {
  std::error_code code;
  std::string detail;

  bool says(std::string_view part) const { return detail.find(part) != std::string::npos; }
};

inline verdict ask(const std::function<void(tls_pair&)>& prepare) {
  tls_pair pair;
  prepare(pair);
  pair.connect();
  pair.scheduler.advance(std::chrono::minutes(1));
  const bool good = !pair.client_code;
  CHECK(pair.client.events().empty() != good);
  return {pair.client_code, pair.client_error};
}

// Why there is no context for these options, "no error" if there is.
template <typename Options = sluice::tls::server_options>
std::string error_of(const Options& options) {
  try {
    if constexpr (std::is_same_v<Options, sluice::tls::server_options>)
      sluice::tls::context::server(options);
    else
      sluice::tls::context::client(options);
    return "no error";
  } catch (const std::system_error& error) {
    CHECK(error.code().category() == sluice::tls::tls_category());
    return error.what();
  }
}

// A variable of the environment, for the time of a scope.
class environment_variable {
 public:
  environment_variable(std::string name, const std::string& value) : name_(std::move(name)) {
    if (const char* const before = std::getenv(name_.c_str())) before_ = before;
    ::setenv(name_.c_str(), value.c_str(), 1);
  }
  environment_variable(const environment_variable&) = delete;
  environment_variable& operator=(const environment_variable&) = delete;
  ~environment_variable() { before_ ? ::setenv(name_.c_str(), before_->c_str(), 1) : ::unsetenv(name_.c_str()); }

 private:
  std::string name_;
  std::optional<std::string> before_;
};
