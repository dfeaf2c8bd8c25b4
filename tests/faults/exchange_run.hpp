#pragma once

#include <sluice/connecting.hpp>
#include <sluice/server.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "../transports/socket_kit.hpp"
#include "plans.hpp"
#include "traffic.hpp"

namespace faults {

struct run_settings {
  medium over = medium::tcp;
  std::uint32_t seed = 0;
  std::size_t connections = 20;
  std::size_t at_a_time = 8;      // attempts to connect
  std::size_t largest = 200'000;  // bytes of one stream
};

struct run_outcome {
  std::size_t connections = 0;  // attempts to make one
  std::size_t survived = 0;     // with all their bytes, both ends
  std::uint64_t bytes_checked = 0;
  std::uint64_t descriptors_checked = 0;
  std::vector<std::string> complaints;
};

// A server and its clients, in one loop, under a plan; from nothing to nothing.
class exchange_run {
 public:
  explicit exchange_run(const run_settings& settings);
  ~exchange_run();

  // Without a plan: `begin` is called in the loop, before the first connection, `end` when all are over.
  void go(const std::function<void()>& begin, const std::function<void()>& end);

  // Holds every end against what struck it. `has_answered`: whether the plan gave that error to somebody who is not watched.
  void go(plan& under);
  run_outcome judge(const std::function<bool(int error)>& has_answered);
  // Holds nothing against a connection but wrong bytes and a wrong order of callbacks.
  run_outcome count_survivors();

 private:
  struct attempt;

  void finish();
  run_outcome report();
  void begin_next();
  void connect(attempt& begun);
  void completed(attempt& ended, std::error_code error);
  bool is_done() const;
  void look_after();
  void judge_pair(const traffic_end& client, const traffic_end& server);
  void judge_end(const traffic_end& end, const traffic_end& peer);
  bool judge_stranger(const traffic_end& end);
  const traffic_end* server_end_of(std::uint32_t number) const;
  void complain(const traffic_end& about, const std::string& what);

  run_settings settings_;
  socket_kit::temporary_folder folder_;
  std::vector<std::unique_ptr<traffic_end>> server_ends_;
  std::vector<std::unique_ptr<attempt>> attempts_;
  sluice::loop loop_;
  exchange exchange_;
  std::unique_ptr<sluice::server> server_;
  bool reports_are_wrong_ = true;  // of other things than accepting
  std::size_t begun_ = 0;
  std::size_t completed_ = 0;
  std::uint64_t pauses_seen_ = 0;
  run_outcome outcome_;
};

}  // namespace faults
