#pragma once

#include <openssl/ssl.h>

#include <functional>
#include <memory>
#include <string>

#include <sluice/protocol.hpp>
#include <sluice/transport.hpp>

// OpenSSL's own client, for what ours never does. Believes whoever answers.
class raw_client final : public sluice::protocol {
 public:
  explicit raw_client(int version) : context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free), ssl_(nullptr, SSL_free) {
    SSL_CTX_set_max_proto_version(context_.get(), version);
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl_.get());
  }

  SSL* ssl() const { return ssl_.get(); }
  bool lost() const { return lost_; }

  void connection_made(sluice::transport& made) override {
    transport_ = &made;
    SSL_do_handshake(ssl());
    flush();
  }
  void data_received(sluice::const_bytes data) override {
    BIO_write(SSL_get_rbio(ssl()), data.data(), static_cast<int>(data.size()));
    char plain[16384];
    while (SSL_read(ssl(), plain, sizeof plain) > 0) {
    }
    flush();
  }
  void connection_lost(std::error_code) override { lost_ = true; }

  void flush() {
    char records[16384];
    int n = 0;
    while ((n = BIO_read(SSL_get_wbio(ssl()), records, sizeof records)) > 0)
      transport_->write(std::string_view(records, static_cast<std::size_t>(n)));
  }

 private:
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
  sluice::transport* transport_ = nullptr;
  bool lost_ = false;
};
