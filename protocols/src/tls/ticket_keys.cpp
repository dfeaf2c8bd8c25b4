#include "tls/ticket_keys.hpp"

#include <algorithm>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

namespace sluice::tls::detail {

ticket_keys::~ticket_keys() {
  OPENSSL_cleanse(&current_, sizeof current_);
  OPENSSL_cleanse(&previous_, sizeof previous_);
}

void ticket_keys::rotate() noexcept {
  const std::lock_guard lock(guard_);
  current_.made = {};
  if (current_.usable) renew();
}

bool ticket_keys::is_old(const key& one) const noexcept {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::steady_clock::now() - one.made) >= lifetime_;
}

bool ticket_keys::renew() noexcept {
  key fresh;
  if (RAND_bytes(fresh.name.data(), static_cast<int>(fresh.name.size())) != 1 ||
      RAND_bytes(fresh.cipher.data(), static_cast<int>(fresh.cipher.size())) != 1 ||
      RAND_bytes(fresh.mac.data(), static_cast<int>(fresh.mac.size())) != 1)
    return false;
  fresh.made = std::chrono::steady_clock::now();
  fresh.usable = true;
  previous_ = current_;
  current_ = fresh;
  return true;
}

bool ticket_keys::set_up(key& with, EVP_MAC_CTX* mac) noexcept {
  char digest[] = "SHA256";
  const OSSL_PARAM settings[] = {OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, with.mac.data(), with.mac.size()),
                                 OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(mac, settings) == 1;
}

int ticket_keys::encrypt(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac) noexcept {
  const std::lock_guard lock(guard_);
  if ((!current_.usable || is_old(current_)) && !renew()) return -1;
  std::ranges::copy(current_.name, name);
  if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
  return EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, current_.cipher.data(), iv) == 1 && set_up(current_, mac) ? 1 : -1;
}

int ticket_keys::decrypt(const unsigned char* name, const unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                         bool single_use) noexcept {
  const std::lock_guard lock(guard_);
  for (key* const each : {&current_, &previous_}) {
    if (!each->usable || !std::equal(each->name.begin(), each->name.end(), name)) continue;
    if (EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, each->cipher.data(), iv) != 1 || !set_up(*each, mac)) return -1;
    return each == &current_ && !is_old(*each) && !single_use ? 1 : 2;  // 2: the client gets a fresh ticket
  }
  return 0;
}

}  // namespace sluice::tls::detail
