#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <sluice/bytes.hpp>

namespace sluice::detail {

// A piece of pooled memory: header and data together fill `chunk_bytes`.
struct chunk {
  static constexpr std::size_t chunk_bytes = 16 * 1024;
  static constexpr std::size_t capacity = chunk_bytes - sizeof(void*) - 2 * sizeof(std::uint32_t);

  chunk* next;
  std::uint32_t begin;
  std::uint32_t end;
  std::byte data[capacity];

  const_bytes used() const noexcept { return {data + begin, data + end}; }
  std::size_t room() const noexcept { return capacity - end; }
};
static_assert(sizeof(chunk) == chunk::chunk_bytes);

// Free chunks of one scheduler. Keeps up to `keep` of them, gives the rest back to the heap.
class chunk_pool {
 public:
  static constexpr std::size_t keep = 256;

  // Told once when the chunks in use have risen above or fallen to a mark, from inside `take` or `give`; then it has to watch anew.
  class watcher {
   public:
    virtual void mark_crossed() noexcept = 0;

   protected:
    ~watcher() = default;
  };

  chunk_pool() = default;
  chunk_pool(const chunk_pool&) = delete;
  chunk_pool& operator=(const chunk_pool&) = delete;
  ~chunk_pool();

  chunk* take();  // throws std::bad_alloc
  void give(chunk* unused) noexcept;
  std::size_t free_chunks() const noexcept { return count_; }
  std::size_t bytes_in_use() const noexcept { return in_use_ * chunk::chunk_bytes; }

  // Above `high` bytes in use, or at `low` bytes or below.
  void watch(watcher& told, std::size_t high, std::optional<std::size_t> low) noexcept;
  void unwatch() noexcept;

 private:
  void cross() noexcept;

  static constexpr std::size_t never_above = static_cast<std::size_t>(-1);

  chunk* free_ = nullptr;
  std::size_t count_ = 0;
  std::size_t in_use_ = 0;
  std::size_t most_ = never_above;  // chunks in use above which the watcher is told
  std::size_t below_ = 0;           // and below which
  watcher* watcher_ = nullptr;
};

// First in, first out, in chunks of a pool, which is passed in so that an idle queue is three words.
class chunk_queue {
 public:
  chunk_queue() = default;
  chunk_queue(const chunk_queue&) = delete;
  chunk_queue& operator=(const chunk_queue&) = delete;

  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }

  // Throws std::bad_alloc with nothing added.
  void append(chunk_pool& pool, const_bytes data);
  void append(chunk_pool& pool, const_bytes first, const_bytes second);
  // Frees `n` <= size() bytes at the front.
  void consume(chunk_pool& pool, std::size_t n) noexcept;
  void clear(chunk_pool& pool) noexcept { consume(pool, size_); }
  // Views of what comes `skip` bytes after the front, at most `parts.size()` of them; valid until consumed.
  std::size_t gather(std::span<const_bytes> parts, std::size_t skip = 0) const noexcept;
  // The place behind the last byte now, and views of what was appended since, `at` being moved behind them. Bytes before a place that is
  // still in use must not be consumed.
  struct place {
    const chunk* in = nullptr;  // null: the queue was empty
    std::uint32_t offset = 0;
  };
  place end() const noexcept { return last_ == nullptr ? place{} : place{last_, last_->end}; }
  std::size_t gather_from(place& at, std::span<const_bytes> parts) const noexcept;
  const_bytes front() const noexcept { return first_ == nullptr ? const_bytes{} : first_->used(); }
  // Moves everything of `other` behind what is here.
  void splice(chunk_queue& other) noexcept;

 private:
  chunk* first_ = nullptr;
  chunk* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace sluice::detail
