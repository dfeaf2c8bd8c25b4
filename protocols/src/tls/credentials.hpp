#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <sluice/tls/context.hpp>

#include "tls/ocsp.hpp"
#include "tls/openssl.hpp"

// From files and text to OpenSSL's objects. All throw `std::system_error` with a text that names the file.

namespace sluice::tls::detail {

// The whole of a regular file: others may have no end, or let the loop wait.
std::string read_file(const std::string& path);

// What an `identity` stands for.
struct credentials {
  certificate_ptr leaf;
  certificates_ptr chain;
  key_ptr key;
  staple ocsp;
  std::string name;  // of the file, for messages
};
credentials load(const identity& from);
// False for one that was left empty.
bool is_given(const identity& one) noexcept;
bool is_given(const trust& one) noexcept;

// The store of those who are believed; shared by reference count.
using store_ptr = std::unique_ptr<X509_STORE, openssl_deleter<X509_STORE_free>>;
store_ptr load(const trust& from);

// The certificates of all CA files and texts, whose names a server tells its clients.
certificates_ptr authorities(const trust& from);

}  // namespace sluice::tls::detail
