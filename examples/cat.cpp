// Joins standard input and output to a client endpoint: cat ENDPOINT
//
//     printf 'GET / HTTP/1.0\r\n\r\n' | cat tcp://localhost:80
//     cat 'tls://127.0.0.1:4433?ca=ca.pem&name=localhost'
//
// The end of standard input ends what is sent; the end of what comes back ends standard output; both together end the program, with 0. A peer
// that cannot be told of the end of standard input, as over TLS 1.2, is listened to until it ends by itself, and a line, which never does, until
// it has been silent for a second. When anything goes wrong it says what, and ends with 1.

#include <sluice/couple.hpp>
#include <sluice/error.hpp>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "program_schemes.hpp"

namespace {

class joining {
 public:
  explicit joining(std::string endpoint) : endpoint_(std::move(endpoint)) {}

  bool run() {
    to_endpoint_ = schemes_.table.connect(loop_, endpoint_, once(std::move(halves_.second)), [this](const auto& made) { connected(made); });
    loop_.run();
    return !failed_;
  }

 private:
  // Factories are copied; a half of a coupling is for one connection.
  static sluice::protocol_factory once(sluice::protocol_ptr half) {
    return [shared = std::make_shared<sluice::protocol_ptr>(std::move(half))] { return std::move(*shared); };
  }

  sluice::coupled_protocols make_halves() {
    sluice::couple_options how;
    if (!never_ends(sluice::endpoint(endpoint_))) how.silence_of_second = sluice::duration::max();
    sluice::coupling_handler on_end = [this](const sluice::coupling_report& report) { ended(report); };
    return sluice::make_coupling(loop_, std::move(on_end), how);
  }

  // Nothing is read before there is somebody to read it for.
  void connected(const sluice::result<sluice::transport&>& made) {
    if (!made) return fail(made.detail());
    to_terminal_ = schemes_.table.connect(loop_, "stdio:", once(std::move(halves_.first)), [this](const auto& joined) {
      if (!joined) fail(joined.detail());
    });
  }

  void ended(const sluice::coupling_report& how) {
    if (how.first && how.first != sluice::errc::cancelled) fail("standard input or output: " + how.first.message());
    if (how.second && how.second != sluice::errc::cancelled) fail(endpoint_ + ": " + how.second.message());
  }

  void fail(const std::string& why) {
    failed_ = true;
    std::fprintf(stderr, "cat: %s\n", why.c_str());
  }

  std::string endpoint_;
  bool failed_ = false;
  sluice::loop loop_;
  program_schemes schemes_{"cat", loop_};
  sluice::coupled_protocols halves_ = make_halves();
  sluice::connecting to_endpoint_;
  sluice::connecting to_terminal_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || argv[1][0] == '-') {
    std::fprintf(stderr, "usage: %s ENDPOINT, for example tcp://localhost:7000\n", argv[0]);
    return 2;
  }
  try {
    return joining(argv[1]).run() ? 0 : 1;
  } catch (const std::system_error& error) {
    std::fprintf(stderr, "cat: %s\n", error.what());
    return 2;
  }
}
