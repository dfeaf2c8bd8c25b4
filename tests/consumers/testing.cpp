// What a user's test needs of the installed testing kit, without a test framework.
#include <sluice/framing/line.hpp>
#include <sluice/testing/verify_decoder.hpp>

#include <cstdio>

int main() {
  const auto report = sluice::testing::verify_decoder(sluice::framing::line_decoder(), "one\r\ntwo\nrest");
  std::printf("%zu lines, %zu bytes left over. %s\n", report.messages.size(), report.left_over, report.failure.c_str());
  return report.failure.empty() && report.messages.size() == 2 ? 0 : 1;
}
