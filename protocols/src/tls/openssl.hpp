#pragma once

#include <memory>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/pkcs12.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

// Owners of OpenSSL's objects.

namespace sluice::tls::detail {

template <auto Free>
struct openssl_deleter {
  template <typename T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};

struct certificates_deleter {
  void operator()(STACK_OF(X509) * all) const noexcept { sk_X509_pop_free(all, X509_free); }
};

using bio_ptr = std::unique_ptr<BIO, openssl_deleter<BIO_free>>;
using certificate_ptr = std::unique_ptr<X509, openssl_deleter<X509_free>>;
using certificates_ptr = std::unique_ptr<STACK_OF(X509), certificates_deleter>;
using key_ptr = std::unique_ptr<EVP_PKEY, openssl_deleter<EVP_PKEY_free>>;
using pkcs12_ptr = std::unique_ptr<PKCS12, openssl_deleter<PKCS12_free>>;
using ssl_context_ptr = std::unique_ptr<SSL_CTX, openssl_deleter<SSL_CTX_free>>;
using ssl_ptr = std::unique_ptr<SSL, openssl_deleter<SSL_free>>;
using ssl_session_ptr = std::unique_ptr<SSL_SESSION, openssl_deleter<SSL_SESSION_free>>;
using names_ptr = std::unique_ptr<GENERAL_NAMES, openssl_deleter<GENERAL_NAMES_free>>;
using tls_feature_ptr = std::unique_ptr<TLS_FEATURE, openssl_deleter<TLS_FEATURE_free>>;
using ocsp_response_ptr = std::unique_ptr<OCSP_RESPONSE, openssl_deleter<OCSP_RESPONSE_free>>;
using ocsp_basic_ptr = std::unique_ptr<OCSP_BASICRESP, openssl_deleter<OCSP_BASICRESP_free>>;
using ocsp_id_ptr = std::unique_ptr<OCSP_CERTID, openssl_deleter<OCSP_CERTID_free>>;

}  // namespace sluice::tls::detail
