#include "allot/methods/parts/reused_group.h"

#include <algorithm>

#include "allot/methods/parts/batch_builder.h"

namespace allot {

void ReusedGroup::add_rewards(Ragged<double>& rewards) const {
  for (const std::uint32_t i : kept) rewards.push((*group)[i].reward);
  if (reused) rewards.push(reused->reward);
  rewards.close();
}

ReusedGroup with_reuse(const Group& group, std::span<const EarlierResponse> earlier,
                       const ReuseOptions& options, RandomStream& stream) {
  ReusedGroup members{&group, positions(group.scored()), {}};
  if (members.kept.empty() || group.correct_count() > 0 || earlier.empty()) return members;
  members.reused =
      options.draw == ReuseDraw::Newest ? earlier.back() : earlier[stream.below(earlier.size())];
  if (options.place == ReusePlace::Replace) {
    const auto out = static_cast<std::ptrdiff_t>(stream.below(members.kept.size()));
    members.kept.erase(members.kept.begin() + out);
  }
  return members;
}

std::uint32_t ship(TrainBatch& batch, const ReusedGroup& members,
                   std::span<const double> advantages, ReuseMode mode) {
  if (!has_signal(advantages)) return 0;
  const float weight = 1.0f / static_cast<float>(advantages.size());
  ship(batch, *members.group, members.kept, advantages.first(members.kept.size()));
  TrainGroup& group = batch.groups.back();
  for (TrainItem& item : items_of(batch, group)) item.weight = weight;
  if (members.reused) {
    batch.items.push_back({members.reused->id, static_cast<float>(advantages.back()),
                           mode == ReuseMode::Stopgrad ? 0.0f : weight,
                           mode == ReuseMode::Behaviour ? Anchor::Behaviour : Anchor::StepStart});
    ++group.count;
  }
  return group.count;
}

std::vector<EarlierResponse> correct_responses(const Group& group) {
  std::vector<EarlierResponse> responses;
  responses.reserve(group.correct_count());
  for (const std::uint32_t i : group.scored_with(true))
    responses.push_back({group[i].id, group[i].behaviour, group[i].reward});
  return responses;
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
