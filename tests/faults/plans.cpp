#include "plans.hpp"

#include <algorithm>
#include <utility>

namespace faults {
namespace {

constexpr fault receiving[] = {{.most = 1}, {EAGAIN}, {EINTR}, {ECONNRESET}, {ENOMEM}, {ENOBUFS}, {ETIMEDOUT}};
constexpr fault sending[] = {{.most = 1}, {EAGAIN}, {EINTR}, {EPIPE}, {ECONNRESET}, {ENOBUFS}, {ENOMEM}};
constexpr fault accepting[] = {{EAGAIN}, {EINTR}, {ECONNABORTED}, {EPROTO}, {EPERM}, {EMFILE}, {ENFILE}, {ENOBUFS}, {ENOMEM}};
constexpr fault connecting[] = {{EINTR}, {ECONNREFUSED}, {ENETUNREACH}, {EADDRNOTAVAIL}, {EAGAIN}, {ENOBUFS}};
constexpr fault making[] = {{EMFILE}, {ENFILE}, {ENOBUFS}, {ENOMEM}};
constexpr fault asking[] = {{ENOBUFS}};
constexpr fault ending[] = {{ENOTCONN}};
constexpr fault waiting[] = {{EINTR}};

}  // namespace

std::span<const fault> possible(call which) noexcept {
  switch (which) {
    case call::receive:
    case call::receive_message: return receiving;
    case call::send:
    case call::send_message: return sending;
    case call::accept: return accepting;
    case call::connect: return connecting;
    case call::make_socket: return making;
    case call::get_option:
    case call::set_option: return asking;
    case call::end_output: return ending;
    case call::wait:
    case call::wake: return waiting;
  }
  return {};
}

bool is_shortage(int error) noexcept { return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM; }

storm::storm(std::uint32_t seed) : random_(seed) {
  constexpr std::size_t distances[] = {2, 5, 20, 100};
  constexpr std::size_t rarities[] = {0, 10, 50, 300};
  mean_distance_ = distances[below(std::size(distances))];
  fatal_one_in_ = rarities[below(std::size(rarities))];
  shortage_allowed_ = below(4) == 0;
  until_next_ = below(2 * mean_distance_);
}

fault storm::decide(call which, int, std::size_t bytes) {
  if (until_next_ != 0) {
    --until_next_;
    return {};
  }
  until_next_ = 1 + below(2 * mean_distance_);
  const fault chosen = choose(which, bytes);
  if (chosen) ++struck_[static_cast<std::size_t>(which)];
  if (chosen.error != 0 && !is_transient(which, chosen.error)) answered_[static_cast<std::size_t>(chosen.error)] = true;
  return chosen;
}

fault storm::choose(call which, std::size_t bytes) {
  const auto all = possible(which);
  const auto is_fatal = [which](fault each) { return each.error != 0 && !is_transient(which, each.error); };
  const auto harmless = static_cast<std::size_t>(std::find_if(all.begin(), all.end(), is_fatal) - all.begin());
  const bool fatal = fatal_one_in_ != 0 && below(fatal_one_in_) == 0;
  if (!fatal && harmless == 0) return {};
  fault chosen = fatal ? all[below(all.size())] : all[below(harmless)];
  if (chosen.most != 0) chosen.most = 1 + below(below(2) == 0 ? 8 : std::max<std::size_t>(bytes, 1));
  if (which == call::accept && is_shortage(chosen.error) && !std::exchange(shortage_allowed_, false)) return {};
  return chosen;
}

bool storm::has_answered(int error) const noexcept {
  return error > 0 && error < static_cast<int>(answered_.size()) && answered_[static_cast<std::size_t>(error)];
}

fault single_fault::decide(call which, int, std::size_t) {
  if (count_++ != n_) return {};
  const auto all = possible(which);
  call_ = which;
  if (variant_ < all.size()) fault_ = all[variant_];
  return fault_;
}

}  // namespace faults
