#pragma once

#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <string>

#include <sluice/protocol.hpp>
#include <sluice/transport.hpp>

#include "certificates.hpp"

// OpenSSL's own server of TLS 1.3, whose only ticket takes several records, for what ours never sends. From `hold` on its records wait for `send`.
class raw_server final : public sluice::protocol {
 public:
  explicit raw_server(const certificates::made& own) : context_(SSL_CTX_new(TLS_server_method()), SSL_CTX_free), ssl_(nullptr, SSL_free) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> chain(BIO_new_mem_buf(own.certificate.data(), -1), BIO_free);
    const std::unique_ptr<BIO, decltype(&BIO_free)> text(BIO_new_mem_buf(own.key.data(), -1), BIO_free);
    const std::unique_ptr<X509, decltype(&X509_free)> leaf(PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr), X509_free);
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(PEM_read_bio_PrivateKey(text.get(), nullptr, nullptr, nullptr),
                                                                  EVP_PKEY_free);
    SSL_CTX_use_certificate(context_.get(), leaf.get());
    SSL_CTX_use_PrivateKey(context_.get(), key.get());
    SSL_CTX_set_num_tickets(context_.get(), 1);
    SSL_CTX_set_session_ticket_cb(context_.get(), fill_ticket, take_ticket, nullptr);
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_max_send_fragment(ssl(), 512);
    SSL_set_bio(ssl(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(ssl());
  }

  SSL* ssl() const { return ssl_.get(); }
  const std::string& received() const { return received_; }
  bool heard_goodbye() const { return (SSL_get_shutdown(ssl()) & SSL_RECEIVED_SHUTDOWN) != 0; }

  void hold() { holding_ = true; }
  // One record of those that wait.
  void send_one() {
    constexpr std::size_t header = 5;
    const auto at = [this](std::size_t i) { return std::size_t{static_cast<unsigned char>(waiting_.at(i))}; };
    const std::size_t size = header + (at(3) << 8 | at(4));
    transport_->write(std::string_view(waiting_).substr(0, size));
    waiting_.erase(0, size);
  }
  // All that wait, and those that follow at once.
  void send() {
    holding_ = false;
    flush();
  }

  void connection_made(sluice::transport& made) override { transport_ = &made; }
  void data_received(sluice::const_bytes data) override {
    BIO_write(SSL_get_rbio(ssl()), data.data(), static_cast<int>(data.size()));
    char plain[16384];
    int n = 0;
    while ((n = SSL_read(ssl(), plain, sizeof plain)) > 0) received_.append(plain, static_cast<std::size_t>(n));
    flush();
  }
  void connection_lost(std::error_code) override { transport_ = nullptr; }

 private:
  static int fill_ticket(SSL* ssl, void*) {
    const std::string much(1500, 't');
    return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), much.data(), much.size());
  }
  static SSL_TICKET_RETURN take_ticket(SSL*, SSL_SESSION*, const unsigned char*, std::size_t, SSL_TICKET_STATUS, void*) {
    return SSL_TICKET_RETURN_IGNORE_RENEW;
  }
  void flush() {
    char records[16384];
    int n = 0;
    while ((n = BIO_read(SSL_get_wbio(ssl()), records, sizeof records)) > 0) waiting_.append(records, static_cast<std::size_t>(n));
    if (holding_ || transport_ == nullptr || waiting_.empty()) return;
    transport_->write(waiting_);
    waiting_.clear();
  }

  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
  sluice::transport* transport_ = nullptr;
  std::string received_;
  std::string waiting_;
  bool holding_ = false;
};
