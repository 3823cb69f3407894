#include "allot/remote/retry.h"

#include <algorithm>
#include <cmath>

#include "allot/core/error.h"
#include "allot/remote/completion.h"

namespace allot::remote {

Verdict verdict_of(const HttpAnswer& answer) {
  if (answer.end != HttpEnd::Answered) return Verdict::Repeat;
  switch (answer.status) {
    case 200:
      return Verdict::Good;
    case 401:
    case 403:
      return Verdict::Denied;
    case 404:
      return Verdict::Missing;
    case 408:
    case 409:
    case 425:
    case 429:
      return Verdict::Repeat;
    default:
      return answer.status >= 500 ? Verdict::Repeat : Verdict::Refused;
  }
}

std::string description_of(const HttpAnswer& answer) {
  if (answer.end != HttpEnd::Answered) return answer.what;
  const std::string text = error_text(answer.body);
  return concat("status ", answer.status, text.empty() ? "" : ": ", text);
}

double pause_before(std::uint32_t repetition, double retry_after_s, std::uint64_t key,
                    const ServerOptions& options) {
  constexpr std::uint32_t kMostDoublings = 60;
  const auto doublings = static_cast<int>(std::min(repetition - 1, kMostDoublings));
  const double full = std::min(options.backoff_max_s, std::ldexp(options.backoff_s, doublings));
  // Mixed by a multiplication (Knuth's golden ratio): no state, no clock.
  const std::uint64_t mixed = (key + repetition) * 0x9E3779B97F4A7C15U;
  const double share = 0.5 + 0.5 * std::ldexp(static_cast<double>(mixed >> 11U), -53);
  return std::max(retry_after_s, full * share);
}

}  // namespace allot::remote
