#include "allot/lm/decode_plan.h"

#include <algorithm>

namespace allot::lm {
namespace {

constexpr int kPrefillRows = 128;  // run together, if there are no more places than that
constexpr std::size_t kSharedPassBytes = std::size_t{64} << 20;

}  // namespace

int DecodePlan::rows() const { return std::max(slots, kPrefillRows); }

DecodePlan plan_decoding(const GeneratorOptions& options, std::uint64_t sequences,
                         std::size_t packed_bytes) {
  const auto threads = static_cast<int>(
      std::clamp<std::uint64_t>(sequences, 1, static_cast<std::uint64_t>(options.workers)));
  DecodePlan plan;
  plan.members = packed_bytes > kSharedPassBytes ? threads : 1;
  plan.workers = threads / plan.members;
  // Equal shares where there is not enough work to fill all places.
  const std::uint64_t share = (sequences + plan.workers - 1) / plan.workers;
  plan.slots = static_cast<int>(std::clamp<std::uint64_t>(
      share, 1, static_cast<std::uint64_t>(options.slots) * plan.members));
  return plan;
}

}  // namespace allot::lm
