#include "tls/workshop.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <new>

#include "tls/slow_handshake.hpp"
#include "tls/ssl_session.hpp"

namespace sluice::tls::detail {
namespace {

constexpr auto sweep_period = std::chrono::seconds(1);

int bio_read(BIO* bio, char* to, int size) {
  BIO_clear_retry_flags(bio);
  record_io* const io = static_cast<workshop*>(BIO_get_data(bio))->current();
  const std::size_t n = io == nullptr ? 0 : io->read(reinterpret_cast<std::byte*>(to), static_cast<std::size_t>(size));
  if (n != 0) return static_cast<int>(n);
  BIO_set_retry_read(bio);
  return -1;
}

int bio_write(BIO* bio, const char* from, int size) {
  BIO_clear_retry_flags(bio);
  record_io* const io = static_cast<workshop*>(BIO_get_data(bio))->current();
  return io != nullptr && io->write({reinterpret_cast<const std::byte*>(from), static_cast<std::size_t>(size)}) ? size : -1;
}

long bio_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

// One for the process; OpenSSL has it until the end.
const BIO_METHOD* method() {
  static const BIO_METHOD* const made = [] {
    BIO_METHOD* const fresh = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "sluice");
    if (fresh == nullptr) throw std::bad_alloc();
    BIO_meth_set_read(fresh, bio_read);
    BIO_meth_set_write(fresh, bio_write);
    BIO_meth_set_ctrl(fresh, bio_control);
    return fresh;
  }();
  return made;
}

}  // namespace

workshop::workshop(sluice::scheduler& owner)
    : bio_(BIO_new(method())), gate_(std::make_unique<handshake_gate>()), sweep_(owner, [this] { sweep(); }) {
  if (bio_ == nullptr) throw std::bad_alloc();
  BIO_set_data(bio_.get(), this);
  BIO_set_init(bio_.get(), 1);
}

workshop::~workshop() {
  while (free_ != nullptr) delete std::exchange(free_, free_->next);
}

work_buffer* workshop::take() noexcept {
  if (free_ == nullptr) return new (std::nothrow) work_buffer;
  return std::exchange(free_, free_->next);
}

void workshop::give(work_buffer* unused) noexcept {
  unused->next = free_;
  free_ = unused;
}

BIO* workshop::share_bio() noexcept {
  BIO_up_ref(bio_.get());
  return bio_.get();
}

void workshop::list(layer& busy) noexcept {
  if (!sweep_.is_running()) sweep_.start(sweep_period);
  busy.listed_ = true;
  busy.previous_active_ = nullptr;
  busy.next_active_ = first_active_;
  if (first_active_ != nullptr) first_active_->previous_active_ = &busy;
  first_active_ = &busy;
}

void workshop::unlist(layer& gone) noexcept {
  if (!gone.listed_) return;
  gone.listed_ = false;
  (gone.previous_active_ == nullptr ? first_active_ : gone.previous_active_->next_active_) = gone.next_active_;
  if (gone.next_active_ != nullptr) gone.next_active_->previous_active_ = gone.previous_active_;
  if (first_active_ == nullptr) sweep_.stop();
}

void workshop::sweep() {
  for (layer* each = first_active_; each != nullptr;) {
    layer& looked_at = *each;
    each = each->next_active_;
    if (std::exchange(looked_at.active_, false) || !looked_at.release_buffers()) continue;
    unlist(looked_at);
  }
  if (first_active_ != nullptr) sweep_.start(sweep_period);
}

std::size_t record_io::read(std::byte* to, std::size_t size) noexcept {
  const std::size_t n = std::min(size, input_.size());
  if (n != 0) std::memcpy(to, input_.data(), n);
  input_ = input_.subspan(n);
  return n;
}

bool record_io::write(const_bytes records) noexcept {
  written_ += records.size();
  if (records.size() > work_buffer::size - used_) flush();
  if (records.size() > work_buffer::size) {
    hand_down(records);
    return true;
  }
  if (output_ == nullptr) output_ = shop_.take();
  if (output_ == nullptr) return false;
  std::memcpy(output_->data + used_, records.data(), records.size());
  used_ += records.size();
  return true;
}

void record_io::flush() noexcept {
  if (used_ == 0) return;
  const std::size_t n = std::exchange(used_, 0);
  hand_down({output_->data, n});
}

void record_io::hand_down(const_bytes records) noexcept {
  if (lower_.write(records) == write_status::dropped) dropped_ = true;
}

}  // namespace sluice::tls::detail
