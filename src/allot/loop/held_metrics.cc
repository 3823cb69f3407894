#include "allot/loop/held_metrics.h"

#include <algorithm>
#include <set>

namespace allot {

std::vector<Metric> held_metrics(std::uint64_t step, const TrainBatch& batch,
                                 const Feedback& feedback, const RolloutStore& store,
                                 std::size_t evicted) {
  std::set<RolloutId> trained, replayed;
  double age = 0;
  for (const TrainItem& item : batch.items) {
    trained.insert(item.rollout);
    const std::uint64_t generated = store.get(item.rollout).step;
    if (generated >= step || !replayed.insert(item.rollout).second) continue;
    age += static_cast<double>(step - generated);
  }
  const auto expired = std::count_if(batch.release.begin(), batch.release.end(),
                                     [&](RolloutId id) { return !trained.contains(id); });
  const auto rows = static_cast<double>(replayed.size());
  std::vector<Metric> out = {{"alloc/evicted", static_cast<double>(evicted)},
                             {"alloc/surplus_kept", static_cast<double>(batch.hold.size())},
                             {"alloc/surplus_expired", static_cast<double>(expired)},
                             {"replay/rows", rows}};
  if (replayed.empty()) return out;
  out.push_back({"replay/age_mean", age / rows});
  double ratio = 0, ratios = 0;
  for (const ItemStat& item : feedback.items) {
    if (!replayed.contains(item.rollout)) continue;
    ratio += item.ratio;
    ++ratios;
  }
  if (ratios > 0) out.push_back({"replay/ratio_mean", ratio / ratios});
  return out;
}

}  // namespace allot
