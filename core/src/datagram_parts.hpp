#pragma once

#include <exception>

#include <sluice/datagram_transport.hpp>
#include <sluice/error.hpp>

#include "datagram_cork.hpp"
#include "thread_check.hpp"

// What the source files of the datagram engine share.

namespace sluice {

// The one boundary between the engine and callbacks: nothing that a callback throws passes it (rules X4, X9). True if nothing was thrown.
template <typename F>
inline bool datagram_transport::guarded(const char* callback, F&& function) noexcept {
  try {
    function();
    return true;
  } catch (...) {
    scheduler_->report({error_source::callback, id(), errc::protocol_threw, std::current_exception(), callback});
    return false;
  }
}

}  // namespace sluice
