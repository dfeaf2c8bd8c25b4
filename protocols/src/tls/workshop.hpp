#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include <sluice/bytes.hpp>
#include <sluice/detail/attachment.hpp>
#include <sluice/scheduler.hpp>
#include <sluice/timer.hpp>
#include <sluice/tls/layer.hpp>

#include "tls/openssl.hpp"

namespace sluice::tls::detail {

class handshake_gate;
class record_io;

// Memory for what comes out of OpenSSL in one go: all plaintext of one read, or all records of one send.
struct work_buffer {
  static constexpr std::size_t size = 144 * 1024;  // a read of 128 KiB, and a record that was begun before
  work_buffer* next;
  std::byte data[size];
};

// What all TLS connections of one scheduler share: buffers, the one BIO, and the list of those that were busy lately.
class workshop final : public sluice::detail::attachment {
 public:
  explicit workshop(sluice::scheduler& owner);
  ~workshop() override;

  // Null for want of memory.
  work_buffer* take() noexcept;
  void give(work_buffer* unused) noexcept;

  // A reference for an `SSL` of its own.
  BIO* share_bio() noexcept;

  // The connection holds buffers of OpenSSL from now on; they are taken away when it was silent for a while.
  void list(layer& busy) noexcept;
  void unlist(layer& gone) noexcept;

  handshake_gate& gate() noexcept { return *gate_; }

  record_io* current() const noexcept { return current_; }

 private:
  friend class record_scope;
  void sweep();

  bio_ptr bio_;
  std::unique_ptr<handshake_gate> gate_;
  record_io* current_ = nullptr;  // whose records the BIO reads and writes at the moment
  work_buffer* free_ = nullptr;
  layer* first_active_ = nullptr;
  timer sweep_;
};

// A work buffer for the time of a scope.
class work_lease {
 public:
  explicit work_lease(workshop& from) noexcept : from_(from), buffer_(from.take()) {}
  work_lease(const work_lease&) = delete;
  work_lease& operator=(const work_lease&) = delete;
  ~work_lease() {
    if (buffer_ != nullptr) from_.give(buffer_);
  }
  explicit operator bool() const noexcept { return buffer_ != nullptr; }
  mutable_bytes bytes() const noexcept { return {buffer_->data, work_buffer::size}; }

 private:
  workshop& from_;
  work_buffer* buffer_;
};

// The two ends of OpenSSL's BIO during one event: records that arrived, and records that go down together when it is over.
class record_io {
 public:
  record_io(workshop& shop, transport& lower, const_bytes input = {}) noexcept : shop_(shop), lower_(lower), input_(input) {}
  record_io(const record_io&) = delete;
  record_io& operator=(const record_io&) = delete;
  ~record_io() {
    if (output_ != nullptr) shop_.give(output_);
  }

  workshop& shop() const noexcept { return shop_; }
  std::size_t read(std::byte* to, std::size_t size) noexcept;
  // False for want of memory.
  bool write(const_bytes records) noexcept;

  // Hands down what was written.
  void flush() noexcept;
  // A whole record more, with what it costs, still goes with the rest.
  bool has_room() const noexcept { return work_buffer::size - used_ >= most_record; }
  // The transport below did not take something: it is closing.
  bool dropped() const noexcept { return dropped_; }
  bool has_input() const noexcept { return !input_.empty(); }
  // Bytes that went down, and are about to.
  std::size_t written() const noexcept { return written_; }

 private:
  static constexpr std::size_t most_record = 16 * 1024 + 512;

  void hand_down(const_bytes records) noexcept;

  workshop& shop_;
  transport& lower_;
  const_bytes input_;
  work_buffer* output_ = nullptr;
  std::size_t used_ = 0;
  std::size_t written_ = 0;
  bool dropped_ = false;
};

// While it lives the BIO works for `io`. Layers above layers take turns.
class record_scope {
 public:
  explicit record_scope(record_io& io) noexcept : shop_(io.shop()), before_(std::exchange(shop_.current_, &io)) {}
  record_scope(const record_scope&) = delete;
  record_scope& operator=(const record_scope&) = delete;
  ~record_scope() { shop_.current_ = before_; }

 private:
  workshop& shop_;
  record_io* before_;
};

}  // namespace sluice::tls::detail
