// Short forms for the tests of the verifier.
#pragma once

#include <string>
#include <string_view>

#include "allot/tasks/math/verify.h"

namespace allot::verify::testing {

inline std::string status(std::string_view gold, std::string_view answer,
                          const MathOptions& options = {}) {
  return std::string(name(equivalent(prepare(gold, options), answer, options).status));
}
inline bool same(std::string_view gold, std::string_view answer, const MathOptions& options = {}) {
  return status(gold, answer, options) == "correct";
}
inline std::uint32_t flags(std::string_view gold, std::string_view answer,
                           const MathOptions& options = {}) {
  return equivalent(prepare(gold, options), answer, options).flags;
}
inline std::string responds(std::string_view gold, std::string_view response,
                            const MathOptions& options = {}) {
  return std::string(name(verify(prepare(gold, options), response, options).status));
}
inline MathOptions flexible() {
  MathOptions options;
  options.profile = Profile::Flexible;
  return options;
}

}  // namespace allot::verify::testing
