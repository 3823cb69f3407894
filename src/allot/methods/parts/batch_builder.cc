#include "allot/methods/parts/batch_builder.h"

#include <map>

namespace allot {
std::uint32_t ship(TrainBatch& batch, const Group& group, std::span<const std::uint32_t> kept,
                   std::span<const double> advantages, Anchor anchor) {
  if (kept.empty()) return 0;
  const auto count = static_cast<std::uint32_t>(kept.size());
  const auto scored = group.scored();
  TrainGroup out{group.prompt, static_cast<std::uint32_t>(batch.items.size()), count};
  out.pool_n = static_cast<std::uint32_t>(scored.size());
  out.pool_mean = static_cast<float>(mean_of(group.rewards(scored)));
  batch.groups.push_back(out);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto advantage = static_cast<float>(advantages[i]);
    batch.items.push_back({group[kept[i]].id, advantage, 1.0f, anchor});
  }
  return count;
}

void report(TrainBatch& batch, const Group& group, ZeroCause cause, std::uint32_t shipped) {
  GroupReport out{group.prompt};
  for (const std::uint32_t i : group.scored()) {
    if (group[i].round > 0) continue;
    out.counted_n += 1;
    out.counted_sum += group[i].correct ? 1.0f : 0.0f;
  }
  out.admitted = shipped > 0;
  out.shipped = shipped;
  out.cause = cause;
  batch.reports.push_back(out);
}

TrainBatch batch_of(std::span<const Shipment> shipments, std::span<const Group> planned,
                    const AdvantageRule& rule, ZeroSignal zero) {
  std::vector<std::vector<double>> rewards;
  for (const Shipment& s : shipments) rewards.push_back(s.group->rewards(s.group->scored()));
  const auto advantages = group_advantages(rewards, rule);

  TrainBatch batch;
  std::map<PromptId, std::uint32_t> shipped;  // a prompt may have an earlier group as well
  for (std::size_t i = 0; i < shipments.size(); ++i) {
    const bool diluting = zero == ZeroSignal::Ship && advantages[i].size() > 1;
    if (!has_signal(advantages[i]) && !diluting) continue;
    const Group& group = *shipments[i].group;
    shipped[group.prompt] += ship(batch, group, group.scored(), advantages[i], shipments[i].anchor);
  }
  for (const Group& group : planned)
    report(batch, group, group.cause(rule.resolution), shipped[group.prompt]);
  return batch;
}

TrainBatch batch_of(std::span<const Group> planned, const AdvantageRule& rule, ZeroSignal zero) {
  std::vector<Shipment> shipments;
  for (const Group& group : planned) shipments.push_back({&group});
  return batch_of(shipments, planned, rule, zero);
}

}  // namespace allot
