#include "traffic.hpp"

#include <sluice/error.hpp>
#include <sluice/info.hpp>
#include <sluice/local.hpp>

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <utility>

namespace faults {
namespace {

using namespace sluice;
using testing::callback;
using testing::callback_oracle;

constexpr std::size_t number_bytes = sizeof(std::uint32_t);
constexpr std::size_t bytes_per_descriptor = 5000;

std::uint64_t mix(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// The stream of `key` from `place` on.
void fill(mutable_bytes out, std::uint64_t key, std::size_t place) noexcept {
  for (std::size_t i = 0; i < out.size();) {
    const std::uint64_t block = mix(key + (place + i) / 8);
    for (std::size_t at = (place + i) % 8; at < 8 && i < out.size(); ++at, ++i) out[i] = static_cast<std::byte>(block >> (8 * at));
  }
}

bool is_of(const_bytes bytes, std::uint64_t key, std::size_t place) noexcept {
  std::array<std::byte, 4096> expected;
  while (!bytes.empty()) {
    const std::size_t n = std::min(bytes.size(), expected.size());
    fill({expected.data(), n}, key, place);
    if (std::memcmp(bytes.data(), expected.data(), n) != 0) return false;
    bytes = bytes.subspan(n);
    place += n;
  }
  return true;
}

}  // namespace

const char* to_string(medium over) noexcept {
  switch (over) {
    case medium::tcp: return "tcp";
    case medium::local: return "unix";
    case medium::local_with_descriptors: return "unix with descriptors";
  }
  return "unknown";
}

template <typename Base>
class traffic_end::face : public Base {
 public:
  explicit face(traffic_end& end) : end_(end) {}

  void connection_made(transport& made) override {
    const callback_oracle::scope running(end_.oracle_, callback::made, &made);
    end_.made(made);
  }
  eof eof_received() override {
    const callback_oracle::scope running(end_.oracle_, callback::eof, end_.connection_);
    return end_.peer_ended();
  }
  backpressure pause_writing() override {
    const callback_oracle::scope running(end_.oracle_, callback::pause, end_.connection_);
    return end_.pause();
  }
  void resume_writing() override {
    const callback_oracle::scope running(end_.oracle_, callback::resume, end_.connection_);
    end_.resume();
  }
  void connection_lost(std::error_code reason) override {
    const callback_oracle::scope running(end_.oracle_, callback::lost, end_.connection_);
    end_.lost(reason);
  }

 protected:
  void take(const_bytes bytes) {
    const callback_oracle::scope running(end_.oracle_, callback::data, end_.connection_, bytes.size());
    end_.data(bytes);
  }

 private:
  traffic_end& end_;
};

class traffic_end::plain_face final : public face<sluice::protocol> {
 public:
  using face::face;
  void data_received(const_bytes bytes) override { take(bytes); }
};

class traffic_end::buffered_face final : public face<buffered_protocol> {
 public:
  using face::face;
  mutable_bytes get_buffer(std::size_t) override { return buffer_; }
  void buffer_updated(std::size_t n) override { take(const_bytes(buffer_).first(n)); }

 private:
  std::array<std::byte, 3000> buffer_;
};

traffic_end::traffic_end(exchange& owner, side which, std::uint32_t number)
    : owner_(owner), side_(which), number_(number), oracle_([this](const std::string& rule) { complain(rule); }) {
  if (owner_.below(3) == 0)
    face_ = std::make_unique<buffered_face>(*this);
  else
    face_ = std::make_unique<plain_face>(*this);
}

traffic_end::~traffic_end() = default;

protocol_ptr traffic_end::protocol() { return borrow(*face_); }

std::uint64_t traffic_end::key_of(side sender) const noexcept {
  return mix((std::uint64_t{owner_.seed} << 32) + 2 * number_ + (sender == side::client ? 0 : 1));
}

// Small ones are as frequent as large ones.
std::size_t traffic_end::size_of(side sender) const noexcept {
  const std::uint64_t drawn = mix(key_of(sender));
  const std::size_t most = owner_.largest >> (drawn % 10);
  return number_bytes + (drawn >> 8) % (most + 1);
}

void traffic_end::made(transport& connection) {
  made_ = true;
  connection_ = &connection;
  watch(connection.info<native_descriptor>()->value, log_);
  if (side_ == side::client) produce();
}

void traffic_end::data(const_bytes bytes) {
  owner_.bytes_checked += bytes.size();
  if (passes_descriptors()) check_descriptors(bytes.size());
  check(read_number(bytes));
  if (owner_.below(16) == 0) {
    connection_->pause_reading();
    later(&traffic_end::go_on_reading);
  }
  if (side_ == side::server && number_ != unknown) produce();
}

// Takes what belongs to the number off the front.
const_bytes traffic_end::read_number(const_bytes bytes) {
  if (side_ == side::client) return bytes;
  for (; !bytes.empty() && received_ < number_bytes; bytes = bytes.subspan(1))
    number_read_ |= std::to_integer<std::uint32_t>(bytes[0]) << (8 * received_++);
  if (received_ == number_bytes) number_ = number_read_;
  return bytes;
}

void traffic_end::check(const_bytes bytes) {
  if (bytes.empty()) return;
  const side sender = other(side_);
  if (!is_of(bytes, key_of(sender), received_)) complain("wrong bytes from " + std::to_string(received_) + " on");
  received_ += bytes.size();
  if (received_ > size_of(sender)) complain("more bytes than were sent");
}

void traffic_end::check_descriptors(std::size_t count) {
  for (std::size_t place = received_; place < received_ + count; ++place) {
    if (place % bytes_per_descriptor != 0) continue;
    const descriptor passed = local::take_descriptor(*connection_);
    struct stat found {};
    if (::fstat(passed.get(), &found) != 0 || found.st_size != static_cast<off_t>(place))
      complain("the descriptor of byte " + std::to_string(place) + " is not there");
    ++owner_.descriptors_checked;
  }
}

eof traffic_end::peer_ended() {
  eof_seen_ = true;
  return output_ended_ || number_ == unknown ? eof::close : eof::keep_open;
}

// The server's end goes on reading, else two that are full would wait for each other.
backpressure traffic_end::pause() {
  paused_ = true;
  return side_ == side::client && owner_.below(2) == 0 ? backpressure::hold_reading : backpressure::handled;
}

void traffic_end::resume() {
  paused_ = false;
  produce();
}

void traffic_end::lost(std::error_code reason) {
  if (passes_descriptors() && !reason && local::take_descriptor(*connection_)) complain("a descriptor more than were sent");
  lost_ = true;
  reason_ = reason;
  struck_ = log_;
  connection_ = nullptr;
}

void traffic_end::hurry() {
  if (connection_ != nullptr && log_.error != 0) connection_->abort();
}

void traffic_end::produce() {
  if (connection_ == nullptr) return;
  while (!paused_ && !output_ended_ && sent_ < size_of(side_)) {
    if (!write_some()) return;
    if (owner_.below(8) == 0) {
      later(&traffic_end::produce);
      return;
    }
  }
  if (sent_ < size_of(side_) || std::exchange(output_ended_, true)) return;
  connection_->write_eof();
}

// False: the transport takes no more.
bool traffic_end::write_some() {
  static std::array<std::byte, 40'000> memory;
  const std::size_t most = owner_.below(4) == 0 ? memory.size() : 600;
  std::size_t size = std::min(size_of(side_) - sent_, 1 + owner_.below(most));
  if (passes_descriptors()) size = std::min(size, bytes_per_descriptor - sent_ % bytes_per_descriptor);
  const mutable_bytes bytes(memory.data(), size);
  fill(bytes, key_of(side_), sent_);
  for (std::size_t place = sent_; side_ == side::client && place < number_bytes && place < sent_ + size; ++place)
    bytes[place - sent_] = static_cast<std::byte>(number_ >> (8 * place));
  const std::size_t place = sent_;
  sent_ += size;  // now, as writing may call pause() and that may write
  if (passes_descriptors() && place % bytes_per_descriptor == 0) return write_with_descriptor(bytes, place);
  if (owner_.below(3) != 0) return connection_->write(bytes) != write_status::dropped;
  const const_bytes parts[] = {bytes.first(size / 2), {}, bytes.subspan(size / 2)};
  return connection_->writev(parts) != write_status::dropped;
}

bool traffic_end::write_with_descriptor(const_bytes bytes, std::size_t place) {
  descriptor file(::memfd_create("sluice", MFD_CLOEXEC));
  if (::ftruncate(file.get(), static_cast<off_t>(place)) != 0) complain("no file to pass");
  const std::error_code error = local::send_descriptors(*connection_, {&file, 1}, bytes);
  if (error == std::errc::not_enough_memory)
    connection_->abort();
  else if (error && error != errc::closed)
    complain("send_descriptors: " + error.message());
  return !error && !connection_->is_closing();
}

void traffic_end::later(void (traffic_end::*what)()) {
  const auto call = [this, what] {
    if (!lost_) (this->*what)();
  };
  try {
    owner_.below(2) == 0 ? owner_.loop.call_soon(call) : static_cast<void>(owner_.loop.post(call));
  } catch (const std::bad_alloc&) {
    connection_->abort();  // nobody would go on with it
  }
}

void traffic_end::go_on_reading() { connection_->resume_reading(); }

void traffic_end::complain(const std::string& what) {
  owner_.complaints.push_back(std::string(side_ == side::client ? "client " : "server ") + std::to_string(number_) + ": " + what);
}

}  // namespace faults
