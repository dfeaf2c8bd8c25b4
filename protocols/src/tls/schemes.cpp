#include <sluice/tls/schemes.hpp>

#include <algorithm>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <sluice/loop.hpp>
#include <sluice/tls/layer.hpp>
#include <sluice/transport_ref.hpp>

#include "tls/scheme_options.hpp"

namespace sluice::tls {
namespace {

// What the rows of one table have in common. Connections with the same options share a context, so that no file is read again for them and
// their sessions are resumed.
class shared_contexts {
 public:
  explicit shared_contexts(scheme_options options) : options_(std::move(options)) { clients_.reserve(most_clients + 1); }

  context make_server(endpoint& from) {
    server_options settings = detail::take_server_options(from);
    settings.on_failure = options_.on_server_failure;
    context made = context::server(settings);
    if (options_.made != nullptr) options_.made->push_back(made);
    return made;
  }

  // That of `chosen.key`, the newest in front; what throws leaves everything as it was.
  context client(detail::client_choice chosen) {
    const std::lock_guard lock(guard_);
    const auto found = std::ranges::find(clients_, chosen.key, &client_entry::key);
    if (found != clients_.end()) {
      std::rotate(clients_.begin(), found, found + 1);
      return clients_.front().made;
    }
    client_entry entry{chosen.key, {}};
    chosen.options.on_failure = options_.on_client_failure;
    entry.made = detail::make_client(std::move(chosen));
    if (options_.made != nullptr) options_.made->push_back(entry.made);
    clients_.insert(clients_.begin(), std::move(entry));
    if (clients_.size() > most_clients) forget_oldest();
    return clients_.front().made;
  }

 private:
  static constexpr std::size_t most_clients = 16;
  struct client_entry {
    detail::client_choice::key_type key;
    context made;
  };

  // Connections that were begun with it have it still.
  void forget_oldest() {
    const context oldest = std::move(clients_.back().made);
    clients_.pop_back();
    if (options_.made == nullptr) return;
    std::erase_if(*options_.made, [&oldest](const context& each) { return each && each.native_handle() == oldest.native_handle(); });
  }

  scheme_options options_;
  std::mutex guard_;
  std::vector<client_entry> clients_;
};

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
                                     protocol_factory factory, shared_contexts& contexts) {
  endpoint lower = at.with_scheme(scheme);
  const context settings = contexts.make_server(lower);
  return below.listen(owner, lower, wrap<layer>(owner, std::move(factory), settings));
}

// The zone of an IPv6 address says by which interface it is reached, and is no part of a name (RFC 6874, section 3).
std::string name_of(std::string_view host) {
  const bool is_ipv6 = host.find(':') != host.npos;
  return std::string(is_ipv6 ? host.substr(0, host.find('%')) : host);
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
                         connect_handler done, shared_contexts& contexts) {
  endpoint lower = to.with_scheme(scheme);
  detail::client_choice chosen = detail::take_client_options(lower);
  std::string name = chosen.name.empty() ? name_of(to.host()) : std::move(chosen.name);
  const auto state = std::make_shared<progress_of_attempt>();
  state->done = std::move(done);
  const auto below_done = [state](const result<transport&>& outcome) {
    if (!outcome) state->tell(outcome);
  };
  const context settings = contexts.client(std::move(chosen));
  connecting begun = below.connect(owner, lower, client_factory(owner, std::move(factory), settings, std::move(name), state), below_done);
  return connecting(std::make_unique<attempt>(std::move(begun), state));
}

// The table as it is now answers for what is below.
bool add_over(scheme_table& table, const std::shared_ptr<const scheme_table>& below, const std::string& name, const std::string& inner,
              const std::shared_ptr<shared_contexts>& contexts) {
  if ((", " + below->names() + ',').find(", " + inner + ',') == std::string::npos) return false;
  table.add(
      name,
      [below, inner, contexts](loop& owner, const endpoint& at, protocol_factory factory) {
        return listen_below(*below, inner, owner, at, std::move(factory), *contexts);
      },
      [below, inner, contexts](loop& owner, const endpoint& to, protocol_factory factory, connect_handler done) {
        return connect_below(*below, inner, owner, to, std::move(factory), std::move(done), *contexts);
      });
  return true;
}

}  // namespace

void add_scheme(scheme_table& table, scheme_options options) {
  const auto below = std::make_shared<const scheme_table>(table);
  const auto contexts = std::make_shared<shared_contexts>(std::move(options));
  const bool over_tcp = add_over(table, below, "tls", "tcp", contexts);
  const bool over_unix = add_over(table, below, "tls+unix", "unix", contexts);
  if (!over_tcp && !over_unix) throw std::invalid_argument("tls::add_scheme: the table has neither tcp nor unix to put TLS over");
}

}  // namespace sluice::tls
