#include "allot/methods/parts/reused_group.h"

#include <algorithm>

#include "allot/methods/parts/batch_builder.h"

namespace allot {

void ReusedGroups::add(const Group& group, std::span<const EarlierResponse> earlier,
                       const ReuseOptions& options, RandomStream stream) {
  const std::uint32_t n = group.scored_count();
  std::uint32_t left_out = n;  // by rank among the scored ones
  std::optional<EarlierResponse>& old = reused.emplace_back();
  if (n > 0 && group.correct_count() == 0 && !earlier.empty()) {
    old =
        options.draw == ReuseDraw::Newest ? earlier.back() : earlier[stream.below(earlier.size())];
    if (options.place == ReusePlace::Replace)
      left_out = static_cast<std::uint32_t>(stream.below(n));
  }
  std::uint32_t rank = 0;
  for (const std::uint32_t i : group.scored()) {
    if (rank++ == left_out) continue;
    kept.push(i);
    rewards.push(group[i].reward);
  }
  if (old) rewards.push(old->reward);
  kept.close();
  rewards.close();
}

std::uint32_t ReusedGroups::ship(std::size_t i, const Group& group,
                                 std::span<const double> advantages, ReuseMode mode,
                                 TrainBatch& batch) const {
  if (!has_signal(advantages)) return 0;
  const float weight = 1.0f / static_cast<float>(advantages.size());
  allot::ship(batch, group, kept[i], advantages.first(kept[i].size()));
  TrainGroup& out = batch.groups.back();
  for (TrainItem& item : items_of(batch, out)) item.weight = weight;
  if (reused[i]) {
    batch.items.push_back({reused[i]->id, static_cast<float>(advantages.back()),
                           mode == ReuseMode::Stopgrad ? 0.0f : weight,
                           mode == ReuseMode::Behaviour ? Anchor::Behaviour : Anchor::StepStart});
    ++out.count;
  }
  return out.count;
}

void add_correct_responses(const Group& group, Ragged<EarlierResponse>& responses) {
  for (const std::uint32_t i : group.scored_with(true))
    responses.push({group[i].id, group[i].behaviour, group[i].reward});
  responses.close();
}

MetricList stage_metrics(const std::vector<Group>& groups, std::uint32_t stages) {
  std::vector<std::size_t> solved(stages, 0);  // by stage of the first correct response
  std::size_t responses = 0, all_right = 0, scored = 0;
  for (const Group& group : groups) {
    responses += group.rollouts.size();
    const std::uint32_t n = group.scored_count(), correct = group.correct_count();
    scored += n > 0;
    if (correct == 0) continue;
    ++solved[std::min(group[*group.scored_with(true).begin()].round, stages - 1)];
    all_right += correct == n;
  }
  MetricList metrics;
  metrics.set_share("responses_per_prompt", responses, groups.size());
  metrics.set_share("all_right_share", all_right, scored);
  std::size_t so_far = 0;
  for (std::uint32_t s = 0; s < stages; ++s) {
    so_far += solved[s];
    metrics.set_share("solved_by_stage_" + std::to_string(s + 1), so_far, groups.size());
  }
  return metrics;
}

}  // namespace allot
