#include <sluice/capture/queue.hpp>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace sluice::capture {
namespace {

constexpr std::size_t smallest_capacity = 4096;
constexpr std::size_t longest_piece = std::size_t{64} * 1024;  // readers of capture files have limits of their own

// How a record lies in memory; its data and its note follow.
struct stored {
  std::int64_t time;
  std::uint64_t connection;
  std::uint64_t missing_records;
  std::uint64_t missing_bytes;
  std::uint32_t data;
  std::uint32_t note;
  event what;
  std::uint8_t lines;
};

// Copies bytes out of several parts, one after the other.
class gatherer {
 public:
  explicit gatherer(std::span<const const_bytes> parts) noexcept : parts_(parts) {}

  void copy(std::byte* to, std::size_t n) noexcept {
    advance(n, [&](const_bytes piece) {
      std::memcpy(to, piece.data(), piece.size());
      to += piece.size();
    });
  }
  void skip(std::size_t n) noexcept {
    advance(n, [](const_bytes) {});
  }

 private:
  template <typename Use>
  void advance(std::size_t n, Use use) noexcept {
    while (n > 0) {
      const const_bytes rest = parts_.front().subspan(at_);
      const const_bytes piece = rest.first(std::min(rest.size(), n));
      if (!piece.empty()) use(piece);
      n -= piece.size();
      at_ += piece.size();
      if (piece.size() != rest.size()) continue;
      parts_ = parts_.subspan(1);
      at_ = 0;
    }
  }

  std::span<const const_bytes> parts_;
  std::size_t at_ = 0;
};

}  // namespace

class queue::state {
 public:
  state(scheduler& owner, queue_options options) : owner_(owner), options_(std::move(options)), half_(options_.capacity / 2) {
    if (options_.capacity < smallest_capacity) throw std::invalid_argument("sluice::capture::queue: capacity is below 4096");
    filled_ = std::make_unique<std::byte[]>(half_);
    spare_ = std::make_unique<std::byte[]>(half_);
    const auto today = options_.epoch ? options_.epoch->time_since_epoch()
                                      : std::chrono::system_clock::now().time_since_epoch() - owner_.now().time_since_epoch();
    epoch_ = std::chrono::duration_cast<std::chrono::nanoseconds>(today);
  }

  void add(record made, std::span<const const_bytes> parts, std::size_t bytes) noexcept {
    made.time = now();
    const std::size_t kept = options_.max_data == 0 ? bytes : std::min(bytes, options_.max_data);
    if (kept != bytes) {
      ++counters_.cut.records;
      counters_.cut.bytes += bytes - kept;
    }
    const std::uint64_t missing = made.missing_bytes + (bytes - kept);
    gatherer data(parts);
    std::size_t left = kept;
    do {
      const std::size_t piece = std::min(left, longest_piece);
      left -= piece;
      made.missing_bytes = left == 0 ? missing : 0;
      keep_or_drop(made, data, piece);
    } while (left > 0);
  }

  // What could not be kept since the last record has its place behind it.
  void tell_drops() noexcept {
    if (untold_.records == 0) return;
    record told;
    told.what = event::dropped;
    told.time = now();
    told.missing_records = untold_.records;
    told.missing_bytes = untold_.bytes;
    gatherer nothing{std::span<const const_bytes>()};
    keep(told, nothing, 0, 0);
    untold_ = {};
  }

  std::unique_ptr<std::byte[]> take(std::size_t& size) noexcept {
    if (spare_ == nullptr) return nullptr;
    tell_drops();
    size = std::exchange(used_, 0);
    return size == 0 ? nullptr : std::exchange(filled_, std::move(spare_));
  }
  void give_back(std::unique_ptr<std::byte[]> memory) noexcept {
    if (spare_ == nullptr) spare_ = std::move(memory);
  }

  void on_records(std::function<void()> told) { told_ = std::move(told); }
  std::size_t size() const noexcept { return used_; }
  bool is_urgent() const noexcept { return used_ >= half_ / 2; }
  const queue_counters& counters() const noexcept { return counters_; }

 private:
  std::chrono::nanoseconds now() const noexcept { return epoch_ + (options_.clock ? options_.clock() : owner_.now()).time_since_epoch(); }

  void keep_or_drop(const record& made, gatherer& data, std::size_t bytes) noexcept {
    const std::size_t note = std::min(made.note.size(), longest_piece);
    if (has_room(bytes + note)) {
      tell_drops();
      keep(made, data, bytes, note);
      ++counters_.records;
      counters_.bytes += bytes;
    } else {
      data.skip(bytes);
      count(counters_.full, bytes);
      count(untold_, bytes);
    }
    if (told_) told_();
  }

  static void count(queue_counters::lost& where, std::size_t bytes) noexcept {
    ++where.records;
    where.bytes += bytes;
  }

  // Leaves enough, so that a word about what is dropped always finds room.
  bool has_room(std::size_t content) const noexcept {
    const std::size_t words = untold_.records == 0 ? 1 : 2;
    return (1 + words) * sizeof(stored) + content <= half_ - used_;
  }

  void keep(const record& made, gatherer& data, std::size_t bytes, std::size_t note) noexcept {
    const stored head{made.time.count(),
                      made.connection,
                      made.missing_records,
                      made.missing_bytes,
                      static_cast<std::uint32_t>(bytes),
                      static_cast<std::uint32_t>(note),
                      made.what,
                      made.lines};
    std::byte* const place = filled_.get() + used_;
    std::memcpy(place, &head, sizeof head);
    data.copy(place + sizeof head, bytes);
    if (note != 0) std::memcpy(place + sizeof head + bytes, made.note.data(), note);
    used_ += sizeof head + bytes + note;
  }

  scheduler& owner_;
  queue_options options_;
  std::size_t half_;
  std::chrono::nanoseconds epoch_{0};
  std::unique_ptr<std::byte[]> filled_;
  std::unique_ptr<std::byte[]> spare_;  // null while a batch is out
  std::size_t used_ = 0;                // of filled_
  queue_counters counters_;
  queue_counters::lost untold_;
  std::function<void()> told_;
};

std::optional<record> batch::next() noexcept {
  if (at_ == size_) return std::nullopt;
  stored head;
  const std::byte* const place = memory_.get() + at_;
  std::memcpy(&head, place, sizeof head);
  record made;
  made.what = head.what;
  made.time = std::chrono::nanoseconds(head.time);
  made.connection = head.connection;
  made.lines = head.lines;
  made.data = {place + sizeof head, head.data};
  made.note = as_text({place + sizeof head + head.data, head.note});
  made.missing_records = head.missing_records;
  made.missing_bytes = head.missing_bytes;
  at_ += sizeof head + head.data + head.note;
  return made;
}

queue::queue(scheduler& owner, queue_options options) : state_(detail::local_ptr<state>::make(owner, std::move(options))) {}
queue::queue(const queue&) noexcept = default;
queue& queue::operator=(const queue&) noexcept = default;
queue::~queue() = default;

void queue::add(const record& made) noexcept { state_->add(made, {&made.data, 1}, made.data.size()); }

void queue::add(const record& made, std::span<const const_bytes> parts, std::size_t bytes) noexcept { state_->add(made, parts, bytes); }

std::optional<batch> queue::take() noexcept {
  std::size_t size = 0;
  auto memory = state_->take(size);
  if (memory == nullptr) return std::nullopt;
  return batch(std::move(memory), size);
}

void queue::give_back(batch done) noexcept { state_->give_back(std::move(done.memory_)); }

void queue::on_records(std::function<void()> told) { state_->on_records(std::move(told)); }

std::size_t queue::size() const noexcept { return state_->size(); }

bool queue::is_urgent() const noexcept { return state_->is_urgent(); }

const queue_counters& queue::counters() const noexcept { return state_->counters(); }

}  // namespace sluice::capture
