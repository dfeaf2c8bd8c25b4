#include <sluice/fan_out.hpp>

#include <utility>

namespace sluice {

// Where a walk over the sinks goes on; one may begin inside another.
struct fan_out::walker {
  sink* next;
  walker* outer;
};

class fan_out::source final : public protocol {
 public:
  source(const detail::local_ptr<fan_out*>& hub, source_handler on_end) : hub_(hub), on_end_(std::move(on_end)) {}
  ~source() override {
    if (*hub_ != nullptr && connection_ != nullptr && (*hub_)->source_.get() == connection_) (*hub_)->clear_source();
  }

 private:
  void connection_made(transport& made) override {
    connection_ = &made;
    if (*hub_ != nullptr) (*hub_)->set_source(made);
  }
  void data_received(const_bytes data) override {
    if (*hub_ != nullptr) (*hub_)->write(data);
  }
  void connection_lost(std::error_code reason) override {
    connection_ = nullptr;
    if (on_end_ != nullptr) on_end_(reason);
  }

  detail::local_ptr<fan_out*> hub_;
  source_handler on_end_;
  transport* connection_ = nullptr;
};

fan_out::fan_out(scheduler& owner) : owner_(owner), self_(detail::local_ptr<fan_out*>::make(this)) {}

fan_out::~fan_out() {
  clear_source();
  on_ready_ = nullptr;
  while (first_ != nullptr) first_->leave();
  *self_ = nullptr;
}

// Sinks may come and go while one is visited; those that come are not.
template <typename Visit>
void fan_out::walk(Visit visit) {
  const std::uint64_t began = ++round_;
  walker here{first_, walking_};
  walking_ = &here;
  while (here.next != nullptr) {
    sink& at = *here.next;
    here.next = at.next_;
    if (at.joined_in_ < began) visit(at);
  }
  walking_ = here.outer;
}

void fan_out::write(const_bytes message) {
  if (message.empty()) return;
  if (writing_) {
    owner_.report_misuse(0, "fan_out::write from inside a sink's pause_writing");
    return;
  }
  const cork_guard turn(owner_);
  writing_ = true;
  walk([&](sink& each) { each.take(message); });
  writing_ = false;
}

void fan_out::for_each_sink(const std::function<void(sink&)>& visit) { walk(visit); }

void fan_out::close_sinks() {
  walk([](sink& each) { each.close(); });
}

void fan_out::set_source(transport& from) {
  clear_source();
  source_ = transport_ref(from);
  if (is_blocked()) from.hold_for_sink(true);
}

void fan_out::clear_source() {
  if (transport* const before = source_.get()) before->hold_for_sink(false);
  source_ = {};
}

protocol_ptr fan_out::make_source(source_handler on_end) { return std::make_unique<source>(self_, std::move(on_end)); }

void fan_out::join(sink& joined) noexcept {
  joined.previous_ = last_;
  (last_ == nullptr ? first_ : last_->next_) = &joined;
  last_ = &joined;
  joined.joined_in_ = round_;
  ++count_;
}

void fan_out::leave(sink& gone) noexcept {
  for (walker* each = walking_; each != nullptr; each = each->outer)
    if (each->next == &gone) each->next = gone.next_;
  (gone.previous_ == nullptr ? first_ : gone.previous_->next_) = gone.next_;
  (gone.next_ == nullptr ? last_ : gone.next_->previous_) = gone.previous_;
  gone.previous_ = gone.next_ = nullptr;
  --count_;
}

// Called once for each sink that begins or ceases to hold the source.
void fan_out::block(bool on) {
  const bool before = is_blocked();
  on ? ++blocked_ : --blocked_;
  if (before == is_blocked()) return;
  if (transport* const held = source_.get()) held->hold_for_sink(on);
  if (on || on_ready_ == nullptr) return;
  detail::unique_function call = [ready = on_ready_] { ready(); };
  owner_.run_turn(call, error_source::scheduled, "fan_out::on_ready");
}

}  // namespace sluice
