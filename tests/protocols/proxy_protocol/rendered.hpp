#pragma once

#include <sluice/proxy_protocol/header.hpp>
#include <sluice/testing/verify_decoder.hpp>

#include <string>

// A header in words: two that differ look different.
struct header_renderer {
  std::string operator()(const sluice::proxy_protocol::header& one) const {
    namespace proxy = sluice::proxy_protocol;
    std::string out = one.format == proxy::version::v1 ? "v1" : "v2";
    out += one.command == proxy::command::local ? " local" : "";
    out += one.carrier == proxy::carrier::unspecified ? " unspecified" : one.carrier == proxy::carrier::datagram ? " datagram" : "";
    if (!one.source.empty()) out.append(" ").append(one.source.to_string()).append(" to ").append(one.destination.to_string());
    for (const auto each : one.tlvs)
      out.append(" ")
          .append(std::to_string(static_cast<int>(each.type)))
          .append("=")
          .append(sluice::testing::quoted(sluice::as_text(each.value)));
    return out;
  }
};
