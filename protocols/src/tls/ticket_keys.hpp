#pragma once

#include <array>
#include <chrono>
#include <mutex>

#include "tls/openssl.hpp"

namespace sluice::tls::detail {

// What session tickets are encrypted with: a key that is used, and the one before it, whose tickets are still taken. Any thread.
class ticket_keys {
 public:
  explicit ticket_keys(std::chrono::seconds lifetime) noexcept : lifetime_(lifetime) {}
  ~ticket_keys();

  // The next ticket gets a new key.
  void rotate() noexcept;

  // OpenSSL's callback for one ticket, with the meaning of its arguments and result. `single_use`: who comes back with it gets a fresh one
  // for the next time (RFC 8446, appendix C.4).
  int encrypt(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac) noexcept;
  int decrypt(const unsigned char* name, const unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, bool single_use) noexcept;

 private:
  struct key {
    std::array<unsigned char, 16> name{};
    std::array<unsigned char, 32> cipher{};
    std::array<unsigned char, 32> mac{};
    std::chrono::steady_clock::time_point made{};
    bool usable = false;
  };
  bool renew() noexcept;
  bool is_old(const key& one) const noexcept;
  static bool set_up(key& with, EVP_MAC_CTX* mac) noexcept;

  std::mutex guard_;
  std::chrono::seconds lifetime_;
  key current_;
  key previous_;
};

}  // namespace sluice::tls::detail
