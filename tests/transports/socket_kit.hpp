#pragma once

#include <sluice/address.hpp>
#include <sluice/loop.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

// What the tests of socket transports share: waiting, peers that are no sluice, and counts of what is left open.
namespace socket_kit {

// Runs `owner` until `done()`, which is asked after each of its iterations. False, with a failed check, if it takes half a minute, or if
// nothing is left that could bring it about.
bool run_until(sluice::loop& owner, const std::function<bool()>& done);

// How often `owner` wakes up while it is left alone for `span`: a handful of times, unless something spins.
std::uint64_t iterations_during(sluice::loop& owner, std::chrono::milliseconds span);

// Waits until the system reports one of `events` (of poll) for `descriptor`; what it reports.
short wait_for(int descriptor, short events);

int open_descriptors();

// The first thing in a test: checks at its end that as many descriptors are open as at its start.
class descriptor_balance {
 public:
  descriptor_balance();
  descriptor_balance(const descriptor_balance&) = delete;
  descriptor_balance& operator=(const descriptor_balance&) = delete;
  ~descriptor_balance();

 private:
  int start_;
};

// A blocking stream socket without a library around it. Calls that get stuck fail the test after half a minute.
class raw_socket {
 public:
  raw_socket() noexcept = default;
  explicit raw_socket(int adopted) noexcept : descriptor_(adopted) {}
  raw_socket(raw_socket&& other) noexcept;
  raw_socket& operator=(raw_socket&& other) noexcept;
  ~raw_socket() { close(); }

  // Bound and nothing else: who connects to it is refused, and nobody else gets its address.
  static raw_socket bound_to(const sluice::address& at);
  static raw_socket listening_at(const sluice::address& at, int backlog = 16);
  static raw_socket connected_to(const sluice::address& to);

  raw_socket accept() const;
  sluice::address local_address() const;

  void send(std::string_view text) const;
  void send_urgent(char byte) const;
  // Exactly `n` bytes, fewer only if the connection ends.
  std::string receive(std::size_t n);
  // What comes until the connection ends.
  std::string receive_all();
  // The errno that the last `receive` or `receive_all` ended with; 0 for an orderly end.
  int error() const noexcept { return error_; }

  void end_output() const;
  // So that the peer gets a reset.
  void reset();
  void close() noexcept;
  // The number, for whoever is to have it.
  int release() noexcept { return std::exchange(descriptor_, -1); }
  int get() const noexcept { return descriptor_; }

 private:
  int descriptor_ = -1;
  int error_ = 0;
};

// As above, for datagrams.
class raw_datagrams {
 public:
  struct datagram {
    std::string data;
    sluice::address from;
  };

  // Bound to `at`, port 0 included; a Unix address without a name is left unbound.
  explicit raw_datagrams(const sluice::address& at);

  sluice::address local_address() const { return socket_.local_address(); }
  int get() const noexcept { return socket_.get(); }
  void send_to(std::string_view text, const sluice::address& to) const;
  // The next one, which has to come.
  datagram receive() const;
  // None is waiting.
  bool is_empty() const;
  void close() noexcept { socket_.close(); }

 private:
  raw_socket socket_;
};

// A folder for socket files, removed with all that is in it.
class temporary_folder {
 public:
  temporary_folder();
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;
  ~temporary_folder();

  std::string operator/(std::string_view name) const { return (path_ / name).string(); }
  // Its own, which no other has.
  std::string name() const { return path_.filename().string(); }

 private:
  std::filesystem::path path_;
};

// Numbers in a row, so that a byte that is lost, repeated or moved shows.
std::string numbered(std::size_t size);

}  // namespace socket_kit
