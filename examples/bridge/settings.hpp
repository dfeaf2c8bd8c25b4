#pragma once

#include <sluice/fan_out.hpp>

#include <cstddef>
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
};

}  // namespace bridge
