#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "conformance_trial.hpp"

// H: files.

namespace sluice::testing {
namespace {

descriptor new_file(trial& t) {
  char name[] = "/tmp/sluice-conformance-XXXXXX";
  descriptor file(::mkostemp(name, O_CLOEXEC));
  t.require(file.is_open(), "there should be a file");
  ::unlink(name);
  return file;
}

descriptor file_of(trial& t, std::string_view text) {
  descriptor file = new_file(t);
  t.require(::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()), "the file should take the text");
  return file;
}

// What `send_file` told.
struct outcome {
  int times = 0;
  std::error_code error;
  std::uint64_t bytes = 0;

  send_file_handler note() {
    return [this](std::error_code told, std::uint64_t taken) {
      ++times;
      error = told;
      bytes = taken;
    };
  }
};

constexpr std::size_t large = 8'000'000;  // more than any medium holds

descriptor large_file(trial& t) {
  descriptor file = new_file(t);
  t.require(::ftruncate(file.get(), large) == 0, "the file should be large");
  return file;
}

constexpr conformance_case file_cases[] = {
    {"H2 a file goes between what is written before and after it",
     [](trial& t) {
       outcome told;
       t.connect();
       t.in_turn([&] {
         t.near_end().write(pattern(1000));
         t.check(!t.near_end().send_file(file_of(t, pattern(60'000, 990)), 10, 59'000, told.note()), "send_file failed");
       });
       t.wait("the completion", [&] { return told.times > 0; });
       t.check(!told.error, told.error.message());
       t.check_size(told.bytes, 59'000, "the number of bytes told");
       t.near_end().write(pattern(500, 60'000));
       t.wait_received(t.far, 60'500);
       t.check_pattern(t.far.received(), 60'500);
       t.check_size(static_cast<std::size_t>(told.times), 1, "the number of completions");
     }},
    {"H2 close goes behind the file",
     [](trial& t) {
       outcome told;
       t.connect();
       t.in_turn([&] {
         t.check(!t.near_end().send_file(file_of(t, pattern(60'000)), 0, to_the_end, told.note()), "send_file failed");
         t.near_end().close();
       });
       t.wait_lost(t.near);
       t.wait_received(t.far, 60'000);
       t.check_pattern(t.far.received(), 60'000);
       t.check_size(told.bytes, 60'000, "the number of bytes told");
     }},
    {"H1 while a file is sent writing is paused and refused; how that ended is told once, before connection_lost",
     [](trial& t) {
       outcome told;
       t.near.on_pause = [] { return backpressure::handled; };
       t.connect();
       t.far_end().pause_reading();
       t.check(!t.near_end().send_file(large_file(t), 0, to_the_end, told.note()), "send_file failed");
       t.check_trace(t.near, "made, pause");
       t.check(t.near_end().write("x") == write_status::dropped, "a write should be refused");
       t.expect_report(error_source::misuse, "file");
       int told_before_lost = 0;
       t.near.on_lost = [&](std::error_code) { told_before_lost = told.times; };
       t.near_end().abort();
       t.wait_lost(t.near);
       t.check_size(static_cast<std::size_t>(told_before_lost), 1, "the number of completions before connection_lost");
       t.check(told.error && told.bytes < large, "the completion should tell of a failure");
     }},
};

}  // namespace

void add_file_cases(case_list& cases) { cases.add(file_cases); }

}  // namespace sluice::testing
