#pragma once

#include <sluice/fan_out.hpp>

#include <cstddef>
#include <optional>
#include <string>

namespace bridge {

struct settings {
  std::string first;
  std::string second;
  bool connect = false;
  bool many = false;
  bool reconnect = false;
  sluice::overflow policy = sluice::overflow::disconnect;
  std::size_t queue = std::size_t{256} * 1024;
  unsigned drain = 5;
  std::optional<unsigned> silence;
  std::string capture;
  std::size_t capture_size = 0;
  unsigned capture_keep = 0;
};

}  // namespace bridge
