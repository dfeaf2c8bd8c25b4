#pragma once

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/ssl.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include <sluice/protocol.hpp>
#include <sluice/transport.hpp>

// OpenSSL's client of TLS 1.3, whose records behind the handshake are made by hand: what no implementation sends, in an order that none chooses.
class record_smith final : public sluice::protocol {
 public:
  record_smith() : context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free), ssl_(nullptr, SSL_free) {
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_3_VERSION);
    SSL_CTX_set_ciphersuites(context_.get(), "TLS_AES_128_GCM_SHA256");
    SSL_CTX_set_keylog_callback(context_.get(), note_secret);
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_app_data(ssl(), this);
    SSL_set_bio(ssl(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl());
  }

  // Of KeyUpdate (RFC 8446, section 4.6.3), which wants no answer.
  static constexpr std::string_view first_part{"\x18\x00\x00\x01", 4};
  static constexpr std::string_view rest{"\x00", 1};

  // Each is one record.
  std::string message(std::string_view part) { return record('\x16', part); }
  std::string data(std::string_view text) { return record('\x17', text); }
  std::string goodbye() { return record('\x15', {"\x01\x00", 2}); }
  std::string fatal_alert() { return record('\x15', {"\x02\x50", 2}); }
  // Behind the rest of KeyUpdate.
  void use_next_key() {
    secret_ = expand("traffic upd", secret_.size());
    sequence_ = 0;
  }

  const std::string& received() const { return received_; }
  bool heard_goodbye() const { return (SSL_get_shutdown(ssl()) & SSL_RECEIVED_SHUTDOWN) != 0; }

  void connection_made(sluice::transport& made) override {
    transport_ = &made;
    SSL_do_handshake(ssl());
    flush();
  }
  void data_received(sluice::const_bytes bytes) override {
    BIO_write(SSL_get_rbio(ssl()), bytes.data(), static_cast<int>(bytes.size()));
    std::array<char, 16384> plain;
    for (int n = 0; (n = SSL_read(ssl(), plain.data(), static_cast<int>(plain.size()))) > 0;)
      received_.append(plain.data(), static_cast<std::size_t>(n));
    flush();
  }
  sluice::eof eof_received() override { return sluice::eof::keep_open; }

 private:
  SSL* ssl() const { return ssl_.get(); }

  void flush() {
    std::array<char, 16384> records;
    for (int n = 0; (n = BIO_read(SSL_get_wbio(ssl()), records.data(), static_cast<int>(records.size()))) > 0;)
      transport_->write(std::string_view(records.data(), static_cast<std::size_t>(n)));
  }

  static void note_secret(const SSL* ssl, const char* line) {
    const std::string_view text(line);
    if (!text.starts_with("CLIENT_TRAFFIC_SECRET_0 ")) return;
    const std::string_view digits = text.substr(text.rfind(' ') + 1);
    std::string& secret = static_cast<record_smith*>(SSL_get_app_data(ssl))->secret_;
    for (std::size_t i = 0; i < digits.size(); i += 2)
      secret += static_cast<char>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16));
  }

  // HKDF-Expand-Label without context (RFC 8446, section 7.1).
  std::string expand(std::string_view label, std::size_t size) const {
    const std::string whole = "tls13 " + std::string(label);
    std::string info{'\0', static_cast<char>(size), static_cast<char>(whole.size())};
    info += whole + '\0';
    std::string made(size, '\0');
    const std::unique_ptr<EVP_KDF, decltype(&EVP_KDF_free)> kind(EVP_KDF_fetch(nullptr, "HKDF", nullptr), EVP_KDF_free);
    const std::unique_ptr<EVP_KDF_CTX, decltype(&EVP_KDF_CTX_free)> work(EVP_KDF_CTX_new(kind.get()), EVP_KDF_CTX_free);
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    std::string digest = "SHA256";
    std::string key = secret_;
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode), OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key.data(), key.size()),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.data(), info.size()), OSSL_PARAM_construct_end()};
    if (EVP_KDF_derive(work.get(), bytes_of(made), size, parameters) != 1) throw std::runtime_error("no key");
    return made;
  }

  static unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

  // RFC 8446, section 5.2, with AES-128-GCM.
  std::string record(char type, std::string_view content) {
    constexpr std::size_t tag_size = 16;
    std::string key = expand("key", 16);
    std::string nonce = expand("iv", 12);
    for (std::size_t i = 0; i < 8; ++i) nonce[11 - i] = static_cast<char>(nonce[11 - i] ^ static_cast<char>(sequence_ >> (8 * i)));
    ++sequence_;
    std::string inner = std::string(content) + type;
    const std::size_t size = inner.size() + tag_size;
    std::string header{'\x17', '\x03', '\x03', static_cast<char>(size >> 8), static_cast<char>(size)};
    std::string sealed(inner.size(), '\0');
    std::string tag(tag_size, '\0');
    const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> work(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
    int n = 0;
    const bool good = EVP_EncryptInit_ex(work.get(), EVP_aes_128_gcm(), nullptr, bytes_of(key), bytes_of(nonce)) == 1 &&
                      EVP_EncryptUpdate(work.get(), nullptr, &n, bytes_of(header), static_cast<int>(header.size())) == 1 &&
                      EVP_EncryptUpdate(work.get(), bytes_of(sealed), &n, bytes_of(inner), static_cast<int>(inner.size())) == 1 &&
                      EVP_EncryptFinal_ex(work.get(), nullptr, &n) == 1 &&
                      EVP_CIPHER_CTX_ctrl(work.get(), EVP_CTRL_GCM_GET_TAG, static_cast<int>(tag_size), tag.data()) == 1;
    if (!good) throw std::runtime_error("no record");
    return header + sealed + tag;
  }

  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
  sluice::transport* transport_ = nullptr;
  std::string secret_;
  std::uint64_t sequence_ = 0;
  std::string received_;
};
