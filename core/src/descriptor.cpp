#include <sluice/descriptor.hpp>

#include <unistd.h>

namespace sluice {

void descriptor::close_number(int number) noexcept { ::close(number); }

}  // namespace sluice
