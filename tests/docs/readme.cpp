// The program of README.md.
#include <sluice/tcp.hpp>

class echo final : public sluice::protocol {
 public:
  void connection_made(sluice::transport& transport) override { transport_ = &transport; }
  void data_received(sluice::const_bytes data) override { transport_->write(data); }

 private:
  sluice::transport* transport_ = nullptr;
};

int main() {
  sluice::loop loop;
  sluice::tcp::server server(loop, [] { return std::make_unique<echo>(); });
  server.listen({"127.0.0.1", 7777});
  loop.run();
}
