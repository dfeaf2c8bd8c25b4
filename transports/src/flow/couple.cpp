#include <sluice/couple.hpp>

#include <sluice/error.hpp>

#include <memory>
#include <stdexcept>
#include <utility>

#include "coupled_ends.hpp"

namespace sluice {
namespace {

using shared_ends = detail::local_ptr<detail::coupled_ends>;

// One of the two protocols.
class coupled_protocol final : public protocol {
 public:
  coupled_protocol(shared_ends ends, std::size_t at) noexcept : ends_(std::move(ends)), at_(at) {}
  ~coupled_protocol() override { ends_->left(at_); }

 private:
  void connection_made(transport& made) override { ends_->made(at_, made); }
  void data_received(const_bytes data) override { ends_->received(at_, data); }
  eof eof_received() override {
    ends_->input_ended(at_);
    return eof::keep_open;
  }
  backpressure pause_writing() override {
    ends_->above_mark(at_);
    return backpressure::handled;
  }
  void resume_writing() override { ends_->at_low_mark(at_); }
  void connection_lost(std::error_code reason) override { ends_->lost(at_, reason); }

  shared_ends ends_;
  std::size_t at_;
};

}  // namespace

coupling::coupling(shared_ends ends) noexcept : ends_(std::move(ends)) {}
coupling::coupling() noexcept = default;
coupling::coupling(const coupling&) noexcept = default;
coupling& coupling::operator=(const coupling&) noexcept = default;
coupling::~coupling() = default;

transport* coupling::first() const noexcept { return ends_ ? ends_->connection(0) : nullptr; }
transport* coupling::second() const noexcept { return ends_ ? ends_->connection(1) : nullptr; }
bool coupling::is_open() const noexcept { return ends_ && !ends_->is_over(); }
coupling_report coupling::report() const noexcept { return ends_ ? ends_->report() : coupling_report(); }

void coupling::close() const {
  for (transport* const end : {first(), second()})
    if (end != nullptr) end->close();
}

void coupling::abort() const {
  for (transport* const end : {first(), second()})
    if (end != nullptr) end->abort();
}

coupled_protocols make_coupling(scheduler& owner, coupling_handler on_end, const couple_options& settings) {
  const shared_ends ends = shared_ends::make(owner, std::move(on_end), settings);
  auto first = std::make_unique<coupled_protocol>(ends, 0);
  return {std::move(first), std::make_unique<coupled_protocol>(ends, 1), coupling(ends)};
}

coupling couple(transport& first, transport& second, std::error_code& error, coupling_handler on_end, const_bytes unread_of_first,
                const_bytes unread_of_second, const couple_options& settings) {
  if (&first == &second || &first.scheduler() != &second.scheduler())
    throw std::invalid_argument("sluice::couple: the two ends are one, or of two schedulers; expected two transports of one scheduler");
  coupled_protocols halves = make_coupling(first.scheduler(), std::move(on_end), settings);
  error = first.set_protocol(std::move(halves.first), unread_of_first);
  if (!error) error = second.set_protocol(std::move(halves.second), unread_of_second);
  return halves.joint;
}

coupling couple(transport& first, transport& second, coupling_handler on_end, const_bytes unread_of_first, const_bytes unread_of_second,
                const couple_options& settings) {
  std::error_code error;
  coupling made = couple(first, second, error, std::move(on_end), unread_of_first, unread_of_second, settings);
  if (error) throw std::system_error(error, "sluice::couple");
  return made;
}

}  // namespace sluice
