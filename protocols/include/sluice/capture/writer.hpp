#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <sluice/capture/queue.hpp>
#include <sluice/executor.hpp>
#include <sluice/scheduler.hpp>
#include <sluice/timer.hpp>

namespace sluice {
class loop;
}

namespace sluice::capture {

class file_series;

enum class file_format : std::uint8_t {
  pcapng,  ///< For Wireshark and `reader`; see `pcapng_encoder`.
  text     ///< For people, a line for each record; see `append_text`.
};

/// Told once of what ends the writing of a capture: the code, and a line for a person that is valid for the call.
using write_failure_handler = std::function<void(std::error_code error, std::string_view detail)>;

struct writer_options {
  /// The file that is written. One that is there is replaced or, where files are kept, becomes the first older one.
  std::string path = {};
  file_format format = file_format::pcapng;
  /// A new file is begun before this one would grow longer; one record at least is in each. 0 is no limit.
  std::uint64_t max_size = 0;
  /// A new file is begun for a record that is so much later than the first one in this file. 0 is no limit.
  std::chrono::milliseconds max_age{0};
  /// How many older files are kept, under the names that `older_file` tells. The oldest is removed. At most 10000,
  /// as each has to be renamed when a new one is begun.
  unsigned keep = 0;
  /// How long a record may wait before it is written. One that fills half of the queue's half does not wait.
  std::chrono::milliseconds delay = std::chrono::milliseconds(200);
  write_failure_handler on_failure = {};
};

struct writer_counters {
  std::uint64_t records = 0;      ///< In files.
  std::uint64_t bytes = 0;        ///< Of files.
  std::uint64_t files = 0;        ///< That were begun.
  std::uint64_t not_written = 0;  ///< Records that were lost to a failure.
};

/// The name of the older file `number`, 1 being the newest of them: "line.pcapng" becomes "line.1.pcapng".
std::string older_file(std::string_view path, unsigned number);

/// Writes what a queue collects into files, on the executor of the loop, so that no connection waits for a disk; on a scheduler that has
/// none, in turns of its own. The file is complete up to a record each time that something was written.
///
/// Files are told apart by number and not by date, so there are never more than `keep` + 1, whatever was there before.
///
///     capture::queue records(loop);
///     capture::writer writer(loop, records, {.path = "line.pcapng", .max_size = 10 << 20, .keep = 4});
///
/// What cannot be written ends the writing: `on_failure` is told, and the queue keeps what comes until it is full, for a writer that is
/// made anew. Scheduler's thread only; the writer must be destroyed before its scheduler.
class writer {
 public:
  using done_handler = std::function<void(std::error_code)>;

  /// Opens the file and writes its head, in this call. Throws `std::system_error` if that fails, `std::invalid_argument` for an empty
  /// path or too many older files.
  writer(scheduler& owner, const queue& from, writer_options options);
  writer(const writer&) = delete;
  writer& operator=(const writer&) = delete;
  /// Writes what is left, in this call, and closes the file; to let nobody wait for that, `close` it before.
  ~writer();

  /// Writes at once what was recorded before this call; `done` is told in a later turn, when the system has it, or why it has not. It is
  /// not called if the writer is destroyed before.
  void flush(done_handler done = {});
  /// As `flush`, and closes the file: what is recorded from now on stays in the queue.
  void close(done_handler done = {});

  bool is_open() const noexcept { return stage_ == stage::open; }
  const writer_counters& counters() const noexcept { return counters_; }

 private:
  enum class stage : std::uint8_t {
    open,
    closing,
    closed
  };

  void records_came() noexcept;
  void begin();
  void start_work();
  void work_ended();
  void wait_for_work() noexcept;
  void give_back() noexcept;
  void fail();
  void tell_failure() noexcept;
  void tell(std::vector<done_handler>& waiting);
  void ask(done_handler done);

  scheduler& owner_;
  loop* threads_;  // null if there are none
  queue records_;
  writer_options options_;
  std::shared_ptr<file_series> files_;  // lent to the work that is under way
  executor_job job_;
  std::future<void> over_;            // with the work, for who cannot wait for its completion
  std::vector<done_handler> asked_;   // since work began
  std::vector<done_handler> served_;  // by the work that is under way
  writer_counters counters_;
  std::error_code error_;
  timer next_;
  stage stage_ = stage::open;
  bool working_ = false;
  bool hurries_ = false;
};

}  // namespace sluice::capture
