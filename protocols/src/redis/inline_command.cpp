#include "inline_command.hpp"

#include <optional>

namespace sluice::redis {
namespace {

// Between arguments \v and \f are blanks as well; inside an argument they are bytes of it.
bool is_blank(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool ends_argument(char c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

std::optional<int> hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

char escaped(char c) noexcept {
  switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'b': return '\b';
    case 'a': return '\a';
    default: return c;
  }
}

class splitter {
 public:
  splitter(std::string_view line, std::string& storage) : rest_(line), storage_(storage) {}

  bool skip_blanks() noexcept {
    while (!rest_.empty() && is_blank(rest_.front())) rest_.remove_prefix(1);
    return !rest_.empty();
  }

  // Appends one argument to the storage; false: unbalanced quotes.
  bool read_argument() {
    while (!rest_.empty() && !ends_argument(rest_.front())) {
      const char c = take();
      if (c == '"') return read_double_quoted();
      if (c == '\'') return read_single_quoted();
      storage_.push_back(c);
    }
    return true;
  }

 private:
  char take() noexcept {
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }

  bool at_end_of_argument() const noexcept { return rest_.empty() || is_blank(rest_.front()); }

  bool read_double_quoted() {
    while (!rest_.empty()) {
      const char c = take();
      if (c == '"') return at_end_of_argument();
      storage_.push_back(c == '\\' && !rest_.empty() ? read_escape() : c);
    }
    return false;
  }

  char read_escape() noexcept {
    const char c = take();
    if (c != 'x' || rest_.size() < 2) return escaped(c);
    const auto high = hex_digit(rest_[0]);
    const auto low = hex_digit(rest_[1]);
    if (!high || !low) return c;
    rest_.remove_prefix(2);
    return static_cast<char>(*high * 16 + *low);
  }

  bool read_single_quoted() {
    while (!rest_.empty()) {
      const char c = take();
      if (c == '\'') return at_end_of_argument();
      storage_.push_back(c == '\\' && rest_.starts_with('\'') ? take() : c);
    }
    return false;
  }

  std::string_view rest_;
  std::string& storage_;
};

}  // namespace

bool split_inline_command(std::string_view line, std::string& storage, std::vector<std::string_view>& arguments) {
  arguments.clear();
  storage.clear();
  storage.reserve(line.size());  // unquoting never lengthens, so the views stay valid
  splitter splitter(line, storage);
  while (splitter.skip_blanks()) {
    const auto begin = storage.size();
    if (!splitter.read_argument()) return false;
    arguments.push_back(std::string_view(storage).substr(begin));
  }
  return true;
}

}  // namespace sluice::redis
