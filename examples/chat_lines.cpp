// A chat of lines: what one client says, all others hear. Try it with two of `socat - tcp:127.0.0.1:7575`. Usage: chat_lines ENDPOINT

#include <sluice/framing/framed.hpp>
#include <sluice/framing/line.hpp>
#include <sluice/schemes.hpp>

#include <cstdio>
#include <memory>
#include <set>
#include <string>

namespace {

using sluice::as_bytes;
using sluice::const_bytes;

class member;

class room {
 public:
  void enter(member& who);
  void leave(member& who);
  void say(const member& speaker, const_bytes line);

 private:
  std::set<member*> members_;
};

class member final : public sluice::framing::framed<sluice::framing::line_decoder> {
 public:
  explicit member(room& place) : framed(sluice::framing::line_decoder({.max_length = 1024})), room_(place) {}

  const std::string& name() const { return name_; }

  // A line for everybody may be written in the turn of one member's input: it leaves in one call per transport when the turn ends.
  void hear(const std::string& name, const_bytes line) { transport().writev({{as_bytes(name), as_bytes(": "), line, as_bytes("\n")}}); }

 private:
  void connection_made(sluice::transport& transport) override {
    framed::connection_made(transport);
    auto options = transport.options();
    options.max_write_buffer = 256 * 1024;  // whoever does not read is cut off here; the others never wait for him
    transport.set_options(options);
    transport.write("your name?\n");
  }

  void message_received(const_bytes line) override {
    if (!name_.empty()) return room_.say(*this, line);
    name_ = std::string(sluice::as_text(line));
    if (name_.empty()) {
      transport().write("your name?\n");
    } else {
      room_.enter(*this);
    }
  }

  void framing_failed(std::error_code error) override {
    transport().write("error: " + error.message() + "\n");
    framed::framing_failed(error);
  }

  // What the others say is not this member's doing, so his input need not wait for it.
  sluice::backpressure pause_writing() override { return sluice::backpressure::handled; }
  void resume_writing() override {}

  void connection_lost(std::error_code) override {
    if (!name_.empty()) room_.leave(*this);
  }

  room& room_;
  std::string name_;
};

void room::enter(member& who) {
  members_.insert(&who);
  say(who, as_bytes("(came in)"));
}

void room::leave(member& who) {
  say(who, as_bytes("(left)"));
  members_.erase(&who);
}

void room::say(const member& speaker, const_bytes line) {
  for (member* each : members_)
    if (each != &speaker) each->hear(speaker.name(), line);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || argv[1][0] == '-') {
    std::fprintf(stderr, "usage: %s ENDPOINT, for example tcp://127.0.0.1:7575\n", argv[0]);
    return 2;
  }
  try {
    room place;
    sluice::loop loop;
    const auto server = sluice::listen(loop, argv[1], [&] { return std::make_unique<member>(place); });
    std::printf("listening on %s\n", server->sockets().front().to_string().c_str());
    std::fflush(stdout);
    loop.run();
  } catch (const std::system_error& error) {
    std::fprintf(stderr, "chat_lines: %s\n", error.what());
    return 2;
  }
}
