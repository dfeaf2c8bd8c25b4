#include <sluice/hand_over.hpp>

#include <sluice/detail/hand_over_machine.hpp>
#include <sluice/detail/time_span.hpp>
#include <sluice/error.hpp>
#include <sluice/local.hpp>
#include <sluice/timer.hpp>

#include <cerrno>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

#include "socket/adopt.hpp"
#include "socket/socket.hpp"

namespace sluice::hand_over {
namespace {

using detail::hand_over_word;

std::error_code check(int socket) {
  return detail::prepare_listening(socket, [](const address& own) { return own.is_ip() || own.is_unix(); });
}

local::options line_options(const options& settings) {
  if (settings.ready_timeout.count() <= 0)
    throw std::invalid_argument("sluice: ready_timeout is " + std::to_string(settings.ready_timeout.count()) + " ms; expected more than 0");
  local::options result;
  result.mode = settings.mode;
  result.max_connections = 1;
  return result;
}

}  // namespace

struct offer::state : std::enable_shared_from_this<state> {
  class line;

  state(loop& on, std::function<void()> done, const options& settings)
      : owner(on),
        handed_over(std::move(done)),
        ready_timeout(detail::bounded(settings.ready_timeout)),
        door(
            on, [this] { return make_line(); }, line_options(settings)) {}

  protocol_ptr make_line();
  std::vector<int> sockets() const;
  void let_go();

  loop& owner;
  std::function<void()> handed_over;
  duration ready_timeout;
  std::vector<server*> servers;
  line* successor = nullptr;  // who is connected and has not become ready
  local::server door;
};

// The connection to a successor.
class offer::state::line final : public protocol {
 public:
  explicit line(std::weak_ptr<state> of) : of_(std::move(of)) {}

  void withdraw() {
    transport_->write(line_of(hand_over_word::withdrawn));
    part();
    transport_->close();
  }

 private:
  void connection_made(transport& made) override {
    transport_ = &made;
    const auto of = of_.lock();
    if (of == nullptr) return made.abort();
    of->successor = this;
    if (const auto error = pass(of->sockets())) return fail(error, "listening sockets cannot be passed");
    timeout_ = std::make_unique<timer>(of->owner, [this] {
      report(errc::timed_out, "the successor does not become ready");
      withdraw();
    });
    timeout_->start(of->ready_timeout);
  }

  std::error_code pass(const std::vector<int>& sockets) {
    transport_->write(line_of(hand_over_word::greeting));
    for (const int each : sockets) {
      if (const auto error = check(each)) return error;
      descriptor copy = detail::duplicate(each);
      if (!copy.is_open()) return system_error(errno);
      if (const auto error = local::send_descriptors(*transport_, {&copy, 1}, as_bytes(line_of(hand_over_word::socket)))) return error;
    }
    transport_->write(line_of(hand_over_word::all));
    return {};
  }

  void data_received(const_bytes data) override {
    const auto word = reader_.next(data);
    if (!word || transport_->is_closing()) return;
    if (*word != hand_over_word::ready || !data.empty()) return fail(errc::malformed_message, "the successor says something unknown");
    const auto of = part();
    if (of != nullptr) of->let_go();
    transport_->write(line_of(hand_over_word::closed));
    transport_->close();
  }

  shutdown_action shutting_down() override {
    part();
    return shutdown_action::close;
  }

  void connection_lost(std::error_code reason) override {
    if (is_successor()) fail(reason ? reason : make_error_code(errc::closed), "the successor ended before it was ready");
  }

  bool is_successor() const {
    const auto of = of_.lock();
    return of != nullptr && of->successor == this;
  }

  // From now on it is nobody's successor.
  std::shared_ptr<state> part() {
    timeout_.reset();
    auto of = of_.lock();
    if (of != nullptr && of->successor == this) of->successor = nullptr;
    return of;
  }

  void report(std::error_code error, const char* problem) const {
    transport_->scheduler().report(
        {error_source::accept, transport_->id(), error, nullptr, std::string(problem) + "; this process goes on serving"});
  }

  void fail(std::error_code error, const char* problem) {
    report(error, problem);
    part();
    transport_->abort();
  }

  std::weak_ptr<state> of_;
  transport* transport_ = nullptr;
  detail::hand_over_reader reader_;
  std::unique_ptr<timer> timeout_;
};

protocol_ptr offer::state::make_line() { return std::make_unique<line>(weak_from_this()); }

// Of the servers, and last the one that successors come to.
std::vector<int> offer::state::sockets() const {
  std::vector<int> result;
  for (const server* each : servers)
    for (const int socket : each->descriptors()) result.push_back(socket);
  for (const int socket : door.descriptors()) result.push_back(socket);
  return result;
}

void offer::state::let_go() {
  for (server* each : std::exchange(servers, {})) each->close(waiting_clients::leave);
  door.close(waiting_clients::leave);
  owner.call_soon([self = shared_from_this()] {
    if (self->handed_over) self->handed_over();
  });
}

offer::offer(loop& owner, const address& at, std::function<void()> handed_over, options settings)
    : state_(std::make_shared<state>(owner, std::move(handed_over), settings)) {
  if (at.path().empty()) throw std::system_error(errc::bad_address, "offering at " + at.to_string() + ", which is no socket file");
  state_->door.listen(at);
}

offer::~offer() { close(); }

void offer::add(server& serving) {
  for (const int each : serving.descriptors())
    if (const auto error = check(each)) throw std::system_error(error, "offering descriptor " + std::to_string(each));
  state_->servers.push_back(&serving);
}

void offer::close() {
  state_->servers.clear();
  state_->door.close(waiting_clients::refuse);
  if (state_->successor != nullptr) state_->successor->withdraw();
}

}  // namespace sluice::hand_over
