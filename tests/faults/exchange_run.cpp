#include "exchange_run.hpp"

#include <sluice/error.hpp>
#include <sluice/local.hpp>
#include <sluice/tcp.hpp>
#include <sluice/timer.hpp>

#include <algorithm>
#include <new>
#include <utility>

#include "watcher_table.hpp"

namespace faults {
namespace {

using namespace sluice;
using namespace std::chrono_literals;
using socket_kit::run_until;

bool tells(std::error_code reason, const strike& of) {
  return (of.error != 0 && reason == system_error(of.error)) || (of.soft_error != 0 && reason == system_error(of.soft_error));
}

bool is_gone_or_orderly(std::error_code reason) { return !reason || reason == condition::peer_gone; }

local::options local_options(medium over) { return {.receive_descriptors = over == medium::local_with_descriptors ? std::size_t{200} : 0}; }

std::unique_ptr<server> make_server(loop& owner, medium over, const socket_kit::temporary_folder& folder, protocol_factory factory) {
  if (over == medium::tcp) {
    auto made = std::make_unique<tcp::server>(owner, std::move(factory));
    made->listen(address::loopback_v4(0));
    return made;
  }
  auto made = std::make_unique<local::server>(owner, std::move(factory), local_options(over));
  made->listen(address::unix_path(folder / "x.sock"));
  return made;
}

}  // namespace

// One client and its way to a connection.
struct exchange_run::attempt {
  traffic_end end;
  connecting under_way = {};
  bool completed = false;
  std::error_code error = {};
};

exchange_run::exchange_run(const run_settings& settings)
    : settings_(settings), exchange_{loop_, settings.over, settings.seed, settings.largest, std::mt19937(settings.seed)} {
  loop_.on_error([this](const error_event& event) {
    if (reports_are_wrong_ && event.source != error_source::accept) exchange_.complaints.push_back(describe(event));
  });
  server_ = make_server(loop_, settings_.over, folder_, [this] {
    server_ends_.push_back(std::make_unique<traffic_end>(exchange_, side::server));
    return server_ends_.back()->protocol();
  });
  for (std::uint32_t number = 0; number < settings_.connections; ++number)
    attempts_.push_back(std::unique_ptr<attempt>(new attempt{{exchange_, side::client, number}}));
  server_ends_.reserve(settings_.connections);
}

exchange_run::~exchange_run() = default;

void exchange_run::go(plan& under) {
  timer again(loop_, [this, &again] {
    look_after();
    again.start(1ms);
  });
  again.start(1ms);
  {
    const in_force faults(under);
    for (std::size_t i = 0; i < settings_.at_a_time; ++i) begin_next();
    run_until(loop_, [this] { return is_done(); });
  }
  finish();
}

void exchange_run::go(const std::function<void()>& begin, const std::function<void()>& end) {
  reports_are_wrong_ = false;
  grow_watcher_table(loop_);
  loop_.call_soon([this, &begin] {
    begin();
    for (std::size_t i = 0; i < settings_.at_a_time; ++i) begin_next();
  });
  run_until(loop_, [this] { return is_done(); });
  end();
  finish();
}

void exchange_run::finish() {
  server_->close();  // takes what still waits to be accepted
  run_until(loop_, [this] { return loop_.open_transports() == 0; });
}

void exchange_run::begin_next() {
  if (begun_ == attempts_.size()) return;
  attempt& next = *attempts_[begun_++];
  try {
    connect(next);
  } catch (const std::bad_alloc&) {
    completed(next, make_error_code(std::errc::not_enough_memory));
  }
}

void exchange_run::connect(attempt& begun) {
  const auto factory = [&begun] { return begun.end.protocol(); };
  const auto done = [this, &begun](const result<transport&>& made) { completed(begun, made.error()); };
  const address to = server_->sockets().front();
  begun.under_way = settings_.over == medium::tcp ? tcp::connect(loop_, to, factory, done)
                                                  : local::connect(loop_, to, factory, done, local_options(settings_.over));
}

void exchange_run::completed(attempt& ended, std::error_code error) {
  if (std::exchange(ended.completed, true)) complain(ended.end, "connecting was completed twice");
  ended.error = error;
  ++completed_;
  begin_next();
}

run_outcome exchange_run::count_survivors() {
  for (const auto& each : attempts_) {
    const traffic_end& client = each->end;
    ++outcome_.connections;
    const traffic_end* const server = server_end_of(client.number());
    if (client.was_made() && !client.is_lost()) complain(client, "was not told of its end");
    if (server != nullptr && client.is_complete() && server->is_complete() && !client.reason() && !server->reason()) ++outcome_.survived;
  }
  for (const auto& each : server_ends_)
    if (each->was_made() && !each->is_lost()) complain(*each, "was not told of its end");
  return report();
}

run_outcome exchange_run::report() {
  outcome_.bytes_checked = exchange_.bytes_checked;
  outcome_.descriptors_checked = exchange_.descriptors_checked;
  outcome_.complaints = exchange_.complaints;
  return outcome_;
}

bool exchange_run::is_done() const { return completed_ == settings_.connections && loop_.open_transports() == 0; }

// Nobody waits for the second after which accepting is tried again, or for the peer of what has failed.
void exchange_run::look_after() {
  if (const auto pauses = server_->counters().accept_pauses; std::exchange(pauses_seen_, pauses) != pauses) skip_time(1100ms);
  for (const auto& each : attempts_) each->end.hurry();
  for (const auto& each : server_ends_) each->hurry();
}

run_outcome exchange_run::judge(const std::function<bool(int error)>& has_answered) {
  std::size_t lone_clients = 0, struck_strangers = 0;
  for (const auto& each : server_ends_)
    if (each->number() == traffic_end::unknown) struck_strangers += judge_stranger(*each);
  for (const auto& each : attempts_) {
    ++outcome_.connections;
    const bool told_error = each->error.category() == uv_category() && has_answered(each->error.value());
    if (each->error && !told_error) complain(each->end, "connecting failed: " + describe(each->error));
    if (each->end.was_made() == static_cast<bool>(each->error)) complain(each->end, "connecting was completed in the wrong way");
    if (each->error) continue;
    const traffic_end* const peer = server_end_of(each->end.number());
    peer != nullptr ? judge_pair(each->end, *peer) : static_cast<void>(lone_clients += judge_stranger(each->end) == 0);
  }
  if (lone_clients > struck_strangers) exchange_.complaints.push_back("a client lost its peer, and nothing had struck that");
  return report();
}

const traffic_end* exchange_run::server_end_of(std::uint32_t number) const {
  const auto at = std::find_if(server_ends_.begin(), server_ends_.end(), [number](const auto& each) { return each->number() == number; });
  return at == server_ends_.end() ? nullptr : at->get();
}

void exchange_run::judge_pair(const traffic_end& client, const traffic_end& server) {
  judge_end(client, server);
  judge_end(server, client);
  if (client.is_complete() && server.is_complete() && !client.reason() && !server.reason()) ++outcome_.survived;
}

void exchange_run::judge_end(const traffic_end& end, const traffic_end& peer) {
  const strike mine = end.struck();
  const std::error_code reason = end.reason();
  const std::string what =
      "ended with " + describe(reason) + ", struck by " + std::to_string(mine.error) + " and " + std::to_string(mine.soft_error);
  if (!end.is_lost()) complain(end, "was not told of its end");
  if (tells(reason, mine)) return;
  if (peer.was_ever_struck()) {
    if (!is_gone_or_orderly(reason)) complain(end, what + ", and its peer was struck, too");
  } else if (mine.has_struck()) {
    if (mine.error != 0 || reason) complain(end, what);
  } else {
    if (reason || !end.is_complete()) complain(end, what + (end.is_complete() ? "" : ", and bytes are missing"));
  }
}

// An end whose peer is not known, because too little passed between them; whether it was struck.
bool exchange_run::judge_stranger(const traffic_end& end) {
  const strike mine = end.struck();
  if (!end.is_lost()) complain(end, "was not told of its end");
  if (!tells(end.reason(), mine) && !is_gone_or_orderly(end.reason()))
    complain(end, "of an unknown peer ended with " + describe(end.reason()));
  return end.was_ever_struck();
}

void exchange_run::complain(const traffic_end& about, const std::string& what) {
  exchange_.complaints.push_back((about.which() == side::client ? "client " : "server ") + std::to_string(about.number()) + ' ' + what);
}

}  // namespace faults
