// Echoes through TLS by Asio, in its plainest form: asio_tls tls://127.0.0.1:PORT CERTIFICATE KEY, where PORT may be 0.

#include <asio.hpp>
#include <asio/ssl.hpp>

#include <array>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace {

using asio::ip::tcp;
using asio::ssl::stream_base;

class connection : public std::enable_shared_from_this<connection> {
 public:
  connection(tcp::socket socket, asio::ssl::context& context) : stream_(std::move(socket), context) {}

  void start() {
    stream_.next_layer().set_option(tcp::no_delay(true));
    stream_.async_handshake(stream_base::server, [self = shared_from_this()](const asio::error_code& error) {
      if (!error) self->read();
    });
  }

 private:
  void read() {
    stream_.async_read_some(asio::buffer(buffer_), [self = shared_from_this()](const asio::error_code& error, std::size_t size) {
      error ? self->end() : self->write(size);
    });
  }

  void write(std::size_t size) {
    asio::async_write(stream_, asio::buffer(buffer_.data(), size), [self = shared_from_this()](const asio::error_code& error, std::size_t) {
      if (!error) self->read();
    });
  }

  void end() {
    stream_.async_shutdown([self = shared_from_this()](const asio::error_code&) {});
  }

  asio::ssl::stream<tcp::socket> stream_;
  std::array<char, 16 * 1024> buffer_{};  // a record: it never reads more at once
};

void accept(tcp::acceptor& listener, asio::ssl::context& context) {
  listener.async_accept([&](const asio::error_code& error, tcp::socket socket) {
    if (!error) std::make_shared<connection>(std::move(socket), context)->start();
    accept(listener, context);
  });
}

void serve(unsigned short port, const char* certificate, const char* key) {
  asio::io_context loop(1);
  asio::ssl::context context(asio::ssl::context::tls_server);
  context.use_certificate_chain_file(certificate);
  context.use_private_key_file(key, asio::ssl::context::pem);
  tcp::acceptor listener(loop, {asio::ip::address_v4::loopback(), port});
  listener.listen(1024);
  std::printf("listening on tls://127.0.0.1:%d\n", listener.local_endpoint().port());
  std::fflush(stdout);
  accept(listener, context);
  loop.run();
}

}  // namespace

int main(int argc, char** argv) {
  constexpr std::string_view place = "tls://127.0.0.1:";
  if (argc != 4 || !std::string_view(argv[1]).starts_with(place)) {
    std::fprintf(stderr, "usage: asio_tls tls://127.0.0.1:PORT CERTIFICATE KEY\n");
    return 2;
  }
  try {
    serve(static_cast<unsigned short>(std::stoul(argv[1] + place.size())), argv[2], argv[3]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "asio_tls: %s\n", error.what());
    return 1;
  }
}
