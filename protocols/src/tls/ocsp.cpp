#include "tls/ocsp.hpp"

namespace sluice::tls::detail {
namespace {

constexpr long clock_skew = 300;  // seconds that the two clocks may differ

ocsp_basic_ptr parse(const unsigned char* der, long size) noexcept {
  const ocsp_response_ptr response(d2i_OCSP_RESPONSE(nullptr, &der, size));
  if (response == nullptr || OCSP_response_status(response.get()) != OCSP_RESPONSE_STATUS_SUCCESSFUL) return nullptr;
  return ocsp_basic_ptr(OCSP_response_get1_basic(response.get()));
}

ocsp_verdict judge(OCSP_BASICRESP& basic, X509& leaf, X509& issuer) noexcept {
  const ocsp_id_ptr id(OCSP_cert_to_id(nullptr, &leaf, &issuer));
  int status = V_OCSP_CERTSTATUS_UNKNOWN;
  int reason = 0;
  ASN1_GENERALIZEDTIME* this_update = nullptr;
  ASN1_GENERALIZEDTIME* next_update = nullptr;
  if (id == nullptr || OCSP_resp_find_status(&basic, id.get(), &status, &reason, nullptr, &this_update, &next_update) != 1)
    return ocsp_verdict::useless;
  if (OCSP_check_validity(this_update, next_update, clock_skew, -1) != 1) return ocsp_verdict::useless;
  if (status == V_OCSP_CERTSTATUS_REVOKED) return ocsp_verdict::revoked;
  return status == V_OCSP_CERTSTATUS_GOOD ? ocsp_verdict::good : ocsp_verdict::useless;
}

}  // namespace

ocsp_verdict look_at_stapled_response(SSL& ssl) noexcept {
  const unsigned char* der = nullptr;
  const long size = SSL_get_tlsext_status_ocsp_resp(&ssl, &der);
  if (der == nullptr || size <= 0) return ocsp_verdict::missing;
  STACK_OF(X509)* const chain = SSL_get0_verified_chain(&ssl);
  if (sk_X509_num(chain) < 1) return ocsp_verdict::useless;
  const ocsp_basic_ptr basic = parse(der, size);
  if (basic == nullptr || OCSP_basic_verify(basic.get(), chain, SSL_CTX_get_cert_store(SSL_get_SSL_CTX(&ssl)), 0) != 1)
    return ocsp_verdict::useless;
  return judge(*basic, *sk_X509_value(chain, 0), *sk_X509_value(chain, sk_X509_num(chain) > 1 ? 1 : 0));
}

}  // namespace sluice::tls::detail
