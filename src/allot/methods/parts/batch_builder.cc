#include "allot/methods/parts/batch_builder.h"

#include "allot/core/prompt_table.h"

namespace allot {
namespace {

double advantage_of(double advantage) { return advantage; }
double advantage_of(const WeightedAdvantage& estimate) { return estimate.advantage; }
float weight_of(double) { return 1; }
float weight_of(const WeightedAdvantage& estimate) { return static_cast<float>(estimate.weight); }

template <class Positions, class Estimate>
std::uint32_t add_group(TrainBatch& batch, const Group& group, Positions&& kept,
                        std::span<const Estimate> estimates, Anchor anchor) {
  if (estimates.empty()) return 0;
  const auto count = static_cast<std::uint32_t>(estimates.size());
  TrainGroup out{group.prompt, static_cast<std::uint32_t>(batch.items.size()), count};
  double sum = 0;
  for (const std::uint32_t i : group.scored()) sum += group[i].reward, ++out.pool_n;
  out.pool_mean = static_cast<float>(sum / out.pool_n);
  batch.groups.push_back(out);
  auto estimate = estimates.begin();
  for (const std::uint32_t position : kept) {
    const auto advantage = static_cast<float>(advantage_of(*estimate));
    batch.items.push_back({group[position].id, advantage, weight_of(*estimate), anchor});
    ++estimate;
  }
  return count;
}

}  // namespace

std::uint32_t ship(TrainBatch& batch, const Group& group, std::span<const std::uint32_t> kept,
                   std::span<const double> advantages, Anchor anchor) {
  return add_group(batch, group, kept, advantages.first(kept.size()), anchor);
}

std::uint32_t ship(TrainBatch& batch, const Group& group, std::span<const std::uint32_t> kept,
                   std::span<const WeightedAdvantage> estimates) {
  if (!has_signal(estimates)) return 0;
  return add_group(batch, group, kept, estimates, Anchor::StepStart);
}

std::uint32_t ship_scored(TrainBatch& batch, const Group& group, std::span<const double> advantages,
                          Anchor anchor) {
  return add_group(batch, group, group.scored(), advantages, anchor);
}

std::span<TrainItem> items_of(TrainBatch& batch, const TrainGroup& group) {
  return std::span(batch.items).subspan(group.first, group.count);
}

Ragged<double> scored_rewards(std::span<const Group> groups) {
  Ragged<double> rewards;
  for (const Group& group : groups) group.add_rewards(group.scored(), rewards);
  return rewards;
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
  Ragged<double> rewards;
  for (const Shipment& s : shipments) s.group->add_rewards(s.group->scored(), rewards);
  const auto advantages = group_advantages(std::move(rewards), rule);

  TrainBatch batch;
  PromptTable<std::uint32_t> shipped;  // a prompt may have an earlier group as well
  for (std::size_t i = 0; i < shipments.size(); ++i) {
    const bool diluting = zero == ZeroSignal::Ship && advantages[i].size() > 1;
    if (!has_signal(advantages[i]) && !diluting) continue;
    const Group& group = *shipments[i].group;
    shipped[group.prompt] += ship_scored(batch, group, advantages[i], shipments[i].anchor);
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
