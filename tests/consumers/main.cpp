// A user's program: a server, and a client of it in the same loop, which says hello, hears it back and leaves.
#include <sluice/tcp.hpp>

#include <cstdio>
#include <memory>
#include <string>

namespace {

class echo final : public sluice::protocol {
 public:
  void connection_made(sluice::transport& transport) override { transport_ = &transport; }
  void data_received(sluice::const_bytes data) override { transport_->write(data); }

 private:
  sluice::transport* transport_ = nullptr;
};

class visitor final : public sluice::protocol {
 public:
  explicit visitor(std::string& heard) : heard_(heard) {}
  void connection_made(sluice::transport& transport) override {
    transport.write(sluice::as_bytes("hello"));
    transport.write_eof();
  }
  void data_received(sluice::const_bytes data) override { heard_ += sluice::as_text(data); }

 private:
  std::string& heard_;
};

}  // namespace

int main() {
  sluice::loop loop;
  std::string heard;
  sluice::tcp::server server(loop, [] { return std::make_unique<echo>(); });
  const auto where = server.listen({"127.0.0.1", 0});
  const auto make_visitor = [&] { return std::make_unique<visitor>(heard); };
  const auto attempt = sluice::tcp::connect(loop, where, make_visitor, [&](auto) { server.close(); });
  loop.run();
  std::printf("heard %s\n", heard.c_str());
  return heard == "hello" ? 0 : 1;
}
