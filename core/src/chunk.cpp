#include <sluice/detail/chunk.hpp>

#include <algorithm>
#include <cstring>
#include <new>

namespace sluice::detail {

chunk_pool::~chunk_pool() {
  while (free_ != nullptr) {
    chunk* next = free_->next;
    ::operator delete(free_);
    free_ = next;
  }
}

chunk* chunk_pool::take() {
  void* memory = nullptr;
  if (free_ != nullptr) {
    chunk* head = free_;
    free_ = head->next;
    --count_;
    memory = head;
  } else {
    memory = ::operator new(sizeof(chunk));
  }
  auto* fresh = ::new (memory) chunk;
  fresh->next = nullptr;
  fresh->begin = fresh->end = 0;
  if (++in_use_ > most_) [[unlikely]]
    cross();
  return fresh;
}

void chunk_pool::watch(watcher& told, std::size_t high, std::optional<std::size_t> low) noexcept {
  watcher_ = &told;
  most_ = high / chunk::chunk_bytes;
  below_ = low ? *low / chunk::chunk_bytes + 1 : 0;
  if (in_use_ > most_ || in_use_ < below_) cross();
}

void chunk_pool::unwatch() noexcept {
  watcher_ = nullptr;
  most_ = never_above;
  below_ = 0;
}

void chunk_pool::cross() noexcept {
  watcher* const told = watcher_;
  unwatch();
  told->mark_crossed();
}

void chunk_pool::give(chunk* unused) noexcept {
  if (--in_use_ < below_) [[unlikely]]
    cross();
  if (count_ >= keep) {
    ::operator delete(unused);
    return;
  }
  unused->next = free_;
  free_ = unused;
  ++count_;
}

void chunk_queue::append(chunk_pool& pool, const_bytes data) { append(pool, {}, data); }

void chunk_queue::append(chunk_pool& pool, const_bytes first, const_bytes second) {
  const std::size_t total = first.size() + second.size();
  if (total == 0) return;
  const std::size_t here = last_ == nullptr ? 0 : std::min(last_->room(), total);
  chunk* added = nullptr;  // everything that can fail comes before the first byte is copied
  chunk* tail = nullptr;
  for (std::size_t missing = total - here; missing > 0; missing -= std::min(missing, chunk::capacity)) {
    chunk* fresh = nullptr;
    try {
      fresh = pool.take();
    } catch (...) {
      while (added != nullptr) {
        chunk* next = added->next;
        pool.give(added);
        added = next;
      }
      throw;
    }
    (tail == nullptr ? added : tail->next) = fresh;
    tail = fresh;
  }
  size_ += total;
  if (added != nullptr) (last_ == nullptr ? first_ : last_->next) = added;
  chunk* to = here > 0 ? last_ : added;
  for (const_bytes data : {first, second}) {
    while (!data.empty()) {
      if (to->room() == 0) to = to->next;
      const std::size_t n = std::min(to->room(), data.size());
      std::memcpy(to->data + to->end, data.data(), n);
      to->end += static_cast<std::uint32_t>(n);
      data = data.subspan(n);
    }
  }
  if (tail != nullptr) last_ = tail;
}

void chunk_queue::consume(chunk_pool& pool, std::size_t n) noexcept {
  size_ -= n;
  while (first_ != nullptr) {
    const std::size_t here = std::min<std::size_t>(n, first_->end - first_->begin);
    first_->begin += static_cast<std::uint32_t>(here);
    n -= here;
    if (first_->begin != first_->end) return;
    chunk* next = first_->next;
    pool.give(first_);
    first_ = next;
  }
  last_ = nullptr;
}

std::size_t chunk_queue::gather(std::span<const_bytes> parts, std::size_t skip) const noexcept {
  std::size_t count = 0;
  for (const chunk* at = first_; at != nullptr && count < parts.size(); at = at->next) {
    const const_bytes used = at->used();
    if (skip >= used.size()) {
      skip -= used.size();
      continue;
    }
    parts[count++] = used.subspan(skip);
    skip = 0;
  }
  return count;
}

std::size_t chunk_queue::gather_from(place& at, std::span<const_bytes> parts) const noexcept {
  std::size_t count = 0;
  while (count < parts.size()) {
    if (at.in == nullptr || at.offset == at.in->end) {
      const chunk* const following = at.in == nullptr ? first_ : at.in->next;
      if (following == nullptr) break;
      at = {following, following->begin};
    }
    parts[count++] = {at.in->data + at.offset, at.in->data + at.in->end};
    at.offset = at.in->end;
  }
  return count;
}

void chunk_queue::splice(chunk_queue& other) noexcept {
  if (other.first_ == nullptr) return;
  (last_ == nullptr ? first_ : last_->next) = other.first_;
  last_ = other.last_;
  size_ += other.size_;
  other.first_ = other.last_ = nullptr;
  other.size_ = 0;
}

}  // namespace sluice::detail
