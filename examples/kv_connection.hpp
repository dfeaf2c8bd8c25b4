#pragma once

#include <sluice/framing/framed.hpp>
#include <sluice/info.hpp>
#include <sluice/redis/request_decoder.hpp>

#include "kv_commands.hpp"

/// One client. If it does not read its replies it is held by the watermarks, without a line here; if a single request makes more of them
/// than `kv_service::max_unsent`, it is cut off.
class kv_connection final : public sluice::framing::framed<sluice::redis::request_decoder>, public sluice::redis::session {
 public:
  explicit kv_connection(kv_service& owner) : framed(sluice::redis::request_decoder({.max_bulk = owner.max_bulk})), service_(owner) {}

  void connection_made(sluice::transport& made) override {
    framed::connection_made(made);
    auto options = made.options();
    options.max_write_buffer = service_.max_unsent;
    made.set_options(options);
    if (const auto peer = made.info<sluice::peer_address>()) address = peer->value.to_string();
    if (const auto local = made.info<sluice::local_address>()) local_address = local->value.to_string();
    service_.sessions.add(*this, kv_time(made.scheduler()));
  }
  sluice::shutdown_action shutting_down() override { return sluice::shutdown_action::handled; }  // the service sees who is quiet
  void connection_lost(std::error_code) override { service_.sessions.remove(*this); }

  void writev(std::span<const sluice::const_bytes> chunks) override { transport().writev(chunks); }
  void end() override { transport().close(); }
  void kill() override { transport().abort(); }
  std::size_t unsent() const override { return transport().get_write_buffer_size(); }

 private:
  void message_received(message_type request) override { service_.execute(*this, request, kv_time(transport().scheduler())); }

  void framing_failed(std::error_code) override {
    if (!decoder().error_text().empty()) sluice::redis::write_error(*this, {"ERR ", decoder().error_text()});
    end();
  }

  kv_service& service_;
};
