#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <sluice/transport.hpp>

namespace sluice::testing {

/// The callbacks of a stream protocol. `data` stands for `data_received` and `buffer_updated`.
enum class callback : std::uint8_t {
  made,
  data,
  eof,
  pause,
  resume,
  shutting_down,
  lost
};

/// "data_received", "connection_lost", …
const char* to_string(callback which) noexcept;

/// The order in which a stream protocol may be called, as a pure value (rules L1–L3, L7, L17, F5): `made (data)* eof? lost`, with `pause` and
/// `resume` strictly alternating and `shutting_down` at most once in between.
class callback_grammar {
 public:
  enum class state : std::uint8_t {
    unmade,     ///< Nothing was called yet.
    open,       ///< `made`, and input goes on.
    ended,      ///< `eof` was called.
    condemned,  ///< A callback threw: nothing but `lost` may follow (rule X1).
    lost        ///< Nothing may follow.
  };
  enum class flow : std::uint8_t {
    writable,
    paused
  };
  enum class shutdown : std::uint8_t {
    untold,
    told
  };

  /// Null if `which` may be called now, else why not. A call that may not be made changes nothing.
  const char* called(callback which) noexcept;
  /// A callback other than `lost`, `pause` and `resume` threw.
  void threw() noexcept;

  state current() const noexcept { return state_; }
  flow current_flow() const noexcept { return flow_; }

 private:
  const char* input(callback which) noexcept;
  const char* control(callback which) noexcept;

  state state_ = state::unmade;
  flow flow_ = flow::writable;
  shutdown shutdown_ = shutdown::untold;
};

/// Watches the callbacks of one protocol and speaks up at the first that the contract forbids: those outside the grammar, callbacks that
/// interrupt one another (rule L6), empty data (R9), data after our own close (L12), `resume_writing` or `shutting_down` on a closing
/// transport (F8, L17).
///
/// Used by `recording_protocol` and `checked_protocol`; a protocol of your own can do as they do, and make one `scope` per callback.
class callback_oracle {
 public:
  using handler = std::function<void(const std::string& violation)>;

  /// The default handler prints the violation and aborts the process: a test or a fuzzer cannot miss it.
  explicit callback_oracle(handler on_violation = abort_with_message);
  void on_violation(handler value) { on_violation_ = std::move(value); }
  static void abort_with_message(const std::string& violation);

  /// One running callback, from its first line to its end. Notices when the callback throws.
  class scope {
   public:
    /// `connection`: null where the callback cannot know it. `bytes`: of `data`.
    scope(callback_oracle& owner, callback which, const transport* connection, std::size_t bytes = 1);
    scope(const scope&) = delete;
    scope& operator=(const scope&) = delete;
    ~scope();

   private:
    callback_oracle& owner_;
    callback which_;
    int exceptions_;
  };

  /// For faults that a protocol notices by itself: calls the handler.
  void violated(std::string_view rule);
  const callback_grammar& grammar() const noexcept { return grammar_; }

 private:
  void check(callback which, const transport* connection, std::size_t bytes);

  callback_grammar grammar_;
  handler on_violation_;
  unsigned running_ = 0;  // callbacks other than the two of flow control, which may interrupt others (rule F6)
};

}  // namespace sluice::testing
