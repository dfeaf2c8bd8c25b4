#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sluice/deferred_call.hpp>
#include <sluice/executor.hpp>

#include "tls/ssl_session.hpp"

namespace sluice::tls {
class layer;
}

namespace sluice::tls::detail {

// A handshake's step on a thread of the executor. It owns the session meanwhile, so that the layer may go.
struct handshake_step {
  std::unique_ptr<ssl_session> session;
  std::string input;        // what is left of it came behind the handshake
  std::string first_bytes;  // of `input`
  std::string output;
  outcome result = outcome::wants_input;

  void run() noexcept { result = session->handshake_apart(input, output); }
};

// What only a handshake has that cannot go on at once.
struct slow_handshake {
  slow_handshake() = default;
  slow_handshake(const slow_handshake&) = delete;
  slow_handshake& operator=(const slow_handshake&) = delete;
  ~slow_handshake() { job.abandon(); }

  std::string kept;                   // what came meanwhile, and of one that waits for its turn its first bytes
  std::optional<deferred_call> turn;  // of such a one, scheduled when it has come
  std::shared_ptr<handshake_step> step;
  executor_job job;
};

// Lets in as many handshakes of each context as may be under way, in the order in which they came. For one scheduler.
class handshake_gate {
 public:
  // True: it is in, and has to leave. False: it waits for `next`, or leaves before.
  bool enter(const context_state& of, layer& who);
  // The next one that may come in now, and is counted as such; null if nobody waits.
  layer* leave(const context_state& of) noexcept;
  void give_up(const context_state& of, const layer& who) noexcept;

 private:
  struct place {
    const context_state* of;
    std::size_t inside;
    std::vector<layer*> waiting;  // the first is next
  };
  place* find(const context_state& of) noexcept;

  std::vector<place> places_;
};

}  // namespace sluice::tls::detail
