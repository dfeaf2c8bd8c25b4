#include "tls/ocsp.hpp"

#include <utility>

#include "tls/certificate.hpp"
#include "tls/problem.hpp"

namespace sluice::tls::detail {
namespace {

constexpr long clock_skew = 300;                // seconds that the two clocks may differ
constexpr long oldest_without_end = 7 * 86400;  // seconds, of a response that does not say when there is a newer one

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
  const long oldest = next_update == nullptr ? oldest_without_end : -1;
  if (OCSP_check_validity(this_update, next_update, clock_skew, oldest) != 1) return ocsp_verdict::useless;
  if (status == V_OCSP_CERTSTATUS_REVOKED) return ocsp_verdict::revoked;
  return status == V_OCSP_CERTSTATUS_GOOD ? ocsp_verdict::good : ocsp_verdict::useless;
}

// Of all that the response answers, what it says of this one.
OCSP_SINGLERESP* answer_for(OCSP_BASICRESP& basic, const ASN1_INTEGER* serial) noexcept {
  for (int i = 0; i < OCSP_resp_count(&basic); ++i) {
    OCSP_SINGLERESP* const each = OCSP_resp_get0(&basic, i);
    ASN1_INTEGER* found = nullptr;
    OCSP_id_get0_info(nullptr, nullptr, nullptr, &found, const_cast<OCSP_CERTID*>(OCSP_SINGLERESP_get0_id(each)));
    if (ASN1_INTEGER_cmp(found, serial) == 0) return each;
  }
  return nullptr;
}

}  // namespace

std::optional<staple> read_staple(std::string der, const X509& leaf) {
  const ocsp_basic_ptr basic = parse(reinterpret_cast<const unsigned char*>(der.data()), static_cast<long>(der.size()));
  OCSP_SINGLERESP* const answer = basic == nullptr ? nullptr : answer_for(*basic, X509_get0_serialNumber(&leaf));
  clear_errors();
  if (answer == nullptr) return std::nullopt;
  ASN1_GENERALIZEDTIME* this_update = nullptr;
  ASN1_GENERALIZEDTIME* next_update = nullptr;
  OCSP_single_get0_status(answer, nullptr, nullptr, &this_update, &next_update);
  const std::time_t until = next_update != nullptr ? time_of(*next_update) : time_of(*this_update) + oldest_without_end;
  return staple{std::move(der), until};
}

bool must_be_stapled(const X509& leaf) noexcept {
  const tls_feature_ptr features(static_cast<TLS_FEATURE*>(X509_get_ext_d2i(&leaf, NID_tlsfeature, nullptr, nullptr)));
  for (int i = 0; i < sk_ASN1_INTEGER_num(features.get()); ++i)
    if (ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features.get(), i)) == TLSEXT_TYPE_status_request) return true;
  return false;
}

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
