#include <sluice/tls/schemes.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <sluice/loop.hpp>
#include <sluice/tls/layer.hpp>
#include <sluice/transport_ref.hpp>

#include "tls/scheme_options.hpp"

namespace sluice::tls {
namespace {

// One attempt: the connection below, then the handshake.
struct progress_of_attempt {
  connect_handler done;
  transport_ref layer;
  bool over = false;

  void tell(const result<transport&>& outcome) {
    over = true;
    if (const connect_handler handler = std::exchange(done, nullptr)) handler(outcome);
  }
};

// What `connecting` holds until the handshake is over.
class attempt final : public connecting::attempt {
 public:
  attempt(connecting below, std::shared_ptr<progress_of_attempt> state) : below_(std::move(below)), state_(std::move(state)) {}
  ~attempt() override {
    if (detached_ || state_->over) return;
    state_->done = nullptr;
    below_.cancel();
    state_->layer.abort();
  }
  bool in_progress() const noexcept override { return !state_->over; }
  void detach(std::unique_ptr<connecting::attempt> self) noexcept override {
    std::move(below_).detach();
    detached_ = true;
    self.reset();
  }

 private:
  connecting below_;
  std::shared_ptr<progress_of_attempt> state_;
  bool detached_ = false;
};

std::unique_ptr<server> listen_below(const scheme_table& below, std::string_view scheme, loop& owner, const endpoint& at,
                                     protocol_factory factory, const scheme_options& program) {
  endpoint lower = at.with_scheme(scheme);
  server_options wanted = detail::take_server_options(lower);
  wanted.on_failure = program.on_server_failure;
  const context settings = context::server(wanted);
  if (program.made != nullptr) program.made->push_back(settings);
  return below.listen(owner, lower, wrap<layer>(owner, std::move(factory), settings));
}

// The factory is called once, when the connection below is there.
protocol_factory client_factory(loop& owner, protocol_factory upper, const context& settings, std::string name,
                                std::shared_ptr<progress_of_attempt> state) {
  return [&owner, upper = std::move(upper), settings, name = std::move(name), state = std::move(state)]() -> protocol_ptr {
    protocol_ptr above = upper();
    if (above == nullptr) return nullptr;
    connection_options options;
    options.server_name = name;
    options.done = [state](const result<transport&>& outcome) { state->tell(outcome); };
    auto made = std::make_unique<layer>(owner, std::move(above), settings, std::move(options));
    state->layer = transport_ref(*made);
    return made;
  };
}

connecting connect_below(const scheme_table& below, std::string_view scheme, loop& owner, const endpoint& to, protocol_factory factory,
                         connect_handler done, const scheme_options& program) {
  endpoint lower = to.with_scheme(scheme);
  detail::client_choice chosen = detail::take_client_options(lower);
  chosen.options.on_failure = program.on_client_failure;
  std::string name = chosen.name.empty() ? std::string(to.host()) : std::move(chosen.name);
  const auto state = std::make_shared<progress_of_attempt>();
  state->done = std::move(done);
  const auto below_done = [state](const result<transport&>& outcome) {
    if (!outcome) state->tell(outcome);
  };
  connecting begun = below.connect(
      owner, lower, client_factory(owner, std::move(factory), context::client(chosen.options), std::move(name), state), below_done);
  return connecting(std::make_unique<attempt>(std::move(begun), state));
}

// The table as it is now answers for what is below.
bool add_over(scheme_table& table, const std::shared_ptr<const scheme_table>& below, const std::string& name, const std::string& inner,
              const std::shared_ptr<const scheme_options>& options) {
  if ((", " + below->names() + ',').find(", " + inner + ',') == std::string::npos) return false;
  table.add(
      name,
      [below, inner, options](loop& owner, const endpoint& at, protocol_factory factory) {
        return listen_below(*below, inner, owner, at, std::move(factory), *options);
      },
      [below, inner, options](loop& owner, const endpoint& to, protocol_factory factory, connect_handler done) {
        return connect_below(*below, inner, owner, to, std::move(factory), std::move(done), *options);
      });
  return true;
}

}  // namespace

void add_scheme(scheme_table& table, scheme_options options) {
  const auto below = std::make_shared<const scheme_table>(table);
  const auto shared = std::make_shared<const scheme_options>(std::move(options));
  const bool over_tcp = add_over(table, below, "tls", "tcp", shared);
  const bool over_unix = add_over(table, below, "tls+unix", "unix", shared);
  if (!over_tcp && !over_unix) throw std::invalid_argument("tls::add_scheme: the table has neither tcp nor unix to put TLS over");
}

}  // namespace sluice::tls
