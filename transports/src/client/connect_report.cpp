#include "connect_report.hpp"

#include <sluice/error.hpp>

#include <algorithm>
#include <string_view>

namespace sluice::detail {
namespace {

void append(std::string& text, std::string_view separator, const std::string& more) {
  if (!text.empty()) text += separator;
  text += more;
}

bool have_one_error(const std::vector<connect_attempt>& failed) {
  return std::all_of(failed.begin(), failed.end(), [&](const connect_attempt& each) { return each.error == failed.front().error; });
}

std::string fate_of(const address& to, bool begun, const std::vector<connect_attempt>& failed) {
  for (const connect_attempt& each : failed)
    if (each.to == to) return each.error.message();
  return begun ? "no answer" : "not tried";
}

}  // namespace

std::error_code common_error(const std::vector<connect_attempt>& failed) {
  return have_one_error(failed) ? failed.front().error : make_error_code(errc::connect_failed);
}

std::string describe_failures(const std::vector<connect_attempt>& failed, const std::string& target) {
  if (failed.size() == 1 && failed.front().to.to_string() == target) return failed.front().error.message();
  const bool at_once = have_one_error(failed);
  std::string text;
  for (const connect_attempt& each : failed)
    append(text, at_once ? ", " : "; ", each.to.to_string() + (at_once ? "" : ": " + each.error.message()));
  return at_once ? text + ": " + failed.front().error.message() : text;
}

std::string describe_timeout(const std::vector<address>& addresses, std::size_t begun, const std::vector<connect_attempt>& failed,
                             const std::string& target) {
  std::string passed = make_error_code(errc::timed_out).message();
  if (addresses.empty()) return passed + " before the name was resolved";
  if (addresses.size() == 1 && addresses.front().to_string() == target) return passed;
  std::string text;
  for (std::size_t i = 0; i < addresses.size(); ++i)
    append(text, "; ", addresses[i].to_string() + ": " + fate_of(addresses[i], i < begun, failed));
  return passed + "; " + text;
}

}  // namespace sluice::detail
