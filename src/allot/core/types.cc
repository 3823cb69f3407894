#include "allot/core/types.h"

namespace allot {
namespace {

template <class Enum, std::size_t N>
const char* pick(Enum value, const char* const (&names)[N]) {
  const auto index = static_cast<std::size_t>(value);
  return index < N ? names[index] : "invalid";
}

}  // namespace

const char* name(ZeroCause value) {
  return pick(value, {"none", "all_right", "all_wrong", "tie", "single", "truncated", "no_answer",
                      "unscorable", "verifier_error", "generation_failed"});
}
const char* name(Norm value) {
  return pick(value, {"per_token", "per_rollout", "per_group", "fixed"});
}
const char* name(Status value) { return pick(value, {"ok", "truncated", "failed", "cancelled"}); }
const char* name(Scoring value) {
  return pick(value, {"scored", "not_scorable", "verifier_error"});
}
const char* name(Grain value) { return pick(value, {"rollout", "request", "round"}); }
const char* name(Draw value) { return pick(value, {"stream", "uniform", "pool"}); }
const char* name(Anchor value) { return pick(value, {"step_start", "behaviour"}); }

}  // namespace allot
