// The soft overlong punishment of DAPO (arXiv 2503.14476, section 3.4), a term of the reward.
#pragma once

#include <cstdint>

namespace allot {

// 0 up to `limit - buffer` tokens, falling linearly to -1 at `limit`, and -1 beyond; some
// implementations fall below. 0 < buffer <= limit. DAPO: limit 20480, buffer 4096.
double overlong_penalty(std::uint64_t tokens, std::uint64_t limit, std::uint64_t buffer);

}  // namespace allot
