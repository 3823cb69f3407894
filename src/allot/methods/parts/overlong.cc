#include "allot/methods/parts/overlong.h"

#include <algorithm>

#include "allot/core/error.h"

namespace allot {

double overlong_penalty(std::uint64_t tokens, std::uint64_t limit, std::uint64_t buffer) {
  if (buffer == 0 || buffer > limit)
    throw Error(ErrorKind::Config, "overlong punishment",
                concat("a buffer of ", buffer, " tokens was given for a limit of ", limit,
                       "; between 1 and the limit is needed"));
  const std::uint64_t start = limit - buffer;
  if (tokens <= start) return 0;
  return std::max(-1.0, -static_cast<double>(tokens - start) / static_cast<double>(buffer));
}

}  // namespace allot
