#pragma once

#include <sluice/loop.hpp>
#include <sluice/protocol.hpp>
#include <sluice/transport.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <sluice/testing/callback_oracle.hpp>

#include "interposer.hpp"

// Connections that carry pseudo-random bytes both ways, where each end knows every byte that the other has to send.
namespace faults {

enum class medium : std::uint8_t {
  tcp,
  local,
  local_with_descriptors  // one goes with every few thousand bytes, and has to be there when its byte is
};
const char* to_string(medium over) noexcept;

enum class side : std::uint8_t {
  client,
  server
};

// What the ends of one exchange share.
struct exchange {
  sluice::loop& loop;
  medium over;
  std::uint32_t seed;
  std::size_t largest;  // bytes of one stream
  std::mt19937 random;
  std::vector<std::string> complaints = {};
  std::uint64_t bytes_checked = 0;
  std::uint64_t descriptors_checked = 0;

  std::size_t below(std::size_t n) { return random() % n; }
};

// One end of a connection. A client begins its stream with the number of the connection; a server learns from it what to send.
class traffic_end {
 public:
  static constexpr std::uint32_t unknown = 0xffffffff;

  // A server's end begins with `number` unknown.
  traffic_end(exchange& owner, side which, std::uint32_t number = unknown);
  traffic_end(const traffic_end&) = delete;
  traffic_end& operator=(const traffic_end&) = delete;
  ~traffic_end();

  sluice::protocol_ptr protocol();

  side which() const noexcept { return side_; }
  std::uint32_t number() const noexcept { return number_; }
  bool was_made() const noexcept { return made_; }
  bool is_lost() const noexcept { return lost_; }
  std::error_code reason() const noexcept { return reason_; }
  // What had struck it when it was lost.
  strike struck() const noexcept { return lost_ ? struck_ : log_; }
  bool was_ever_struck() const noexcept { return log_.has_struck(); }
  // All that the peer had to send has come, and then its end.
  bool is_complete() const noexcept { return eof_seen_ && number_ != unknown && received_ == size_of(other(side_)); }
  // Ends what was struck and still waits for the peer. The reason is known by then.
  void hurry();

 private:
  template <typename Base>
  class face;
  class plain_face;
  class buffered_face;

  static constexpr side other(side of) noexcept { return of == side::client ? side::server : side::client; }
  std::uint64_t key_of(side sender) const noexcept;
  std::size_t size_of(side sender) const noexcept;
  bool passes_descriptors() const noexcept { return owner_.over == medium::local_with_descriptors; }

  void made(sluice::transport& connection);
  void data(sluice::const_bytes bytes);
  sluice::const_bytes read_number(sluice::const_bytes bytes);
  void check(sluice::const_bytes bytes);
  void check_descriptors(std::size_t count);
  sluice::eof peer_ended();
  sluice::backpressure pause();
  void resume();
  void lost(std::error_code reason);

  void produce();
  bool write_some();
  bool write_with_descriptor(sluice::const_bytes bytes, std::size_t place);
  void later(void (traffic_end::*what)());
  void go_on_reading();
  void complain(const std::string& what);

  exchange& owner_;
  side side_;
  std::uint32_t number_;
  std::uint32_t number_read_ = 0;  // what has come of it
  std::unique_ptr<sluice::protocol> face_;
  sluice::testing::callback_oracle oracle_;
  sluice::transport* connection_ = nullptr;
  std::size_t sent_ = 0;
  std::size_t received_ = 0;
  bool made_ = false;
  bool paused_ = false;
  bool output_ended_ = false;
  bool eof_seen_ = false;
  bool lost_ = false;
  std::error_code reason_;
  strike log_;
  strike struck_;
};

}  // namespace faults
