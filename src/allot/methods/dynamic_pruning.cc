// Dynamic pruning (DPPO): skips prompts before generation and rollouts before the update at random,
// and keeps the expected gradient of the whole batch by weights and a constant normaliser.
//
// Source: arXiv 2603.04135. Published descriptions of its rescaling disagree; the form here, random
// inclusion with a fixed Z, is ours. (Divergence PPO is also called DPPO.)
#include <algorithm>
#include <cmath>

#include "allot/core/prompt_table.h"
#include "allot/core/random.h"
#include "allot/core/state.h"
#include "allot/methods/parts/batch_builder.h"
#include "allot/methods/parts/metric_list.h"
#include "allot/methods/parts/requests.h"
#include "allot/methods/parts/thinning.h"
#include "allot/methods/registry.h"

namespace allot {
namespace {

// RandomKey::seq of the two draws.
constexpr std::uint32_t kPromptDraw = 0x7e2, kRolloutDraw = 0x7e3;

struct PruningOptions {
  double prompt_rate = .5, rollout_rate = .5;
  int packing_window = 64;

  template <class V>
  void fields(V& v) {
    v("prompt_rate", prompt_rate, Range{0, .99},
      "chance to skip a prompt whose last mean |advantage| is below the mean of the candidates");
    v("rollout_rate", rollout_rate, Range{0, .99},
      "chance to drop a rollout whose |advantage| is below the mean of its group");
    v("packing_window", packing_window, Range{1, 1e6},
      "sequences considered at a time by the packing that packing_fill measures");
  }
  void validate(const AllocOptions& shared) const { require_group_of_two(shared); }
};

struct Score {
  double mean_abs_advantage = 0;
  std::uint64_t step = 0;

  template <class V>
  void state(V& v) {
    v(mean_abs_advantage);
    v(step);
  }
};

std::vector<double> sizes(std::span<const double> advantages) {
  std::vector<double> out;
  out.reserve(advantages.size());
  for (const double a : advantages) out.push_back(std::abs(a));
  return out;
}

class DynamicPruning final : public Method {
 public:
  DynamicPruning(const AllocOptions& alloc, const AdvantageOptions& adv)
      : options_(alloc.section("dynamic_pruning").as<PruningOptions>()),
        n_(static_cast<std::uint32_t>(alloc.group_size)),
        rule_(advantage_rule(adv, GroupKind::Plain)) {}

  Needs needs() const override { return {.role = Role::Chooser}; }

  Decision plan(const BatchView& view) override {
    groups_.clear();
    weights_.clear();
    metrics_.clear();
    seed_ = view.seed, step_ = view.step;
    max_tokens_ = view.budget.max_tokens;
    whole_ = skipped_ = 0;
    const std::uint32_t n = within_bounds(n_, view.budget);
    std::uint64_t affordable = affordable_rollouts(view.budget);
    Decision decision;
    const std::vector<double> weights = prompt_weights(view.candidates);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const bool kept = weights[i] > 0;
      // What a cap leaves out is not part of the batch; what is skipped is.
      const std::uint64_t m = kept ? std::min<std::uint64_t>(n, affordable) : n;
      if (m < std::min<std::uint32_t>(n, 2)) break;
      whole_ += m;
      skipped_ += !kept;
      if (!kept) continue;
      affordable -= m;
      groups_.request(view.candidates[i].id, static_cast<std::uint32_t>(m));
      weights_.push_back(weights[i]);
      decision.generate.push_back({view.candidates[i].id, static_cast<std::uint32_t>(m)});
    }
    decision.done = decision.generate.empty();
    return decision;
  }

  Decision observe(const Events& events) override { return await_all(events, groups_); }

  TrainBatch finalize() override {
    TrainBatch batch;
    batch.norm = Norm::Fixed;
    batch.fixed = static_cast<double>(std::max<std::uint64_t>(whole_, 1));
    const auto advantages = group_advantages(scored_rewards(groups_.groups()), rule_);
    Totals totals;
    for (std::size_t g = 0; g < advantages.size(); ++g)
      thin(batch, groups_.groups()[g], advantages[g], weights_[g], totals);
    note(totals);
    return batch;
  }

  std::vector<Metric> metrics() const override { return metrics_.all(); }
  std::string save() const override { return save_state("dynamic_pruning", 1, *this); }
  void load(std::string_view blob, std::uint64_t) override {
    load_state("dynamic_pruning", 1, blob, *this);
  }

  template <class V>
  void state(V& v) {
    v(groups_);
    v(scores_);
    v(weights_);
    v(seed_);
    v(step_);
    v(whole_);
    v(skipped_);
    v(max_tokens_);
    v(metrics_);
  }

 private:
  struct Totals {
    double weights = 0, largest = 0, scores = 0, scored_groups = 0, dropped = 0;
    std::vector<std::uint32_t> lengths;  // of what is shipped
  };

  // 0 for a skipped prompt. One without history is always kept.
  std::vector<double> prompt_weights(std::span<const PromptRef> candidates) const {
    std::vector<double> known, uniforms, weights(candidates.size(), 1);
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const PromptId id = candidates[i].id;
      const Score* score = scores_.find(id);
      if (!score) continue;
      known.push_back(score->mean_abs_advantage);
      uniforms.push_back(
          RandomStream({seed_, RandomUse::Method, step_, id, kPromptDraw}).uniform());
      places.push_back(i);
    }
    const auto drawn = thinning_weights(known, mean_of(known), options_.prompt_rate, uniforms);
    for (std::size_t k = 0; k < places.size(); ++k) weights[places[k]] = drawn[k];
    return weights;
  }

  // Scores the prompt by its whole group, ships what thinning leaves of it, and reports it.
  void thin(TrainBatch& batch, const Group& group, std::span<const double> advantages,
            double prompt_weight, Totals& totals) {
    const std::vector<double> abs = sizes(advantages);
    const double mean = mean_of(abs);
    const RandomStream random({seed_, RandomUse::Method, step_, group.prompt, kRolloutDraw});
    std::vector<double> uniforms;
    uniforms.reserve(abs.size());
    for (const std::uint32_t i : group.scored())
      uniforms.push_back(random.uniform_at(group[i].seq));
    const auto weights = thinning_weights(abs, mean, options_.rollout_rate, uniforms);
    std::vector<std::uint32_t> kept;
    std::vector<double> kept_advantages, kept_weights;
    kept.reserve(abs.size()), kept_advantages.reserve(abs.size()), kept_weights.reserve(abs.size());
    std::size_t k = 0;
    for (const std::uint32_t i : group.scored()) {
      totals.weights += prompt_weight * weights[k];
      totals.dropped += weights[k] == 0;
      if (weights[k] > 0) {
        kept.push_back(i);
        kept_advantages.push_back(advantages[k]);
        kept_weights.push_back(prompt_weight * weights[k]);
      }
      ++k;
    }
    if (!has_signal(kept_advantages)) kept.clear();
    const std::size_t first = batch.items.size();
    const std::uint32_t shipped = ship(batch, group, kept, kept_advantages);
    for (std::uint32_t k = 0; k < shipped; ++k) {
      batch.items[first + k].weight = static_cast<float>(kept_weights[k]);
      totals.largest = std::max(totals.largest, kept_weights[k]);
      totals.lengths.push_back(group[kept[k]].tokens);
    }
    report(batch, group, group.cause(rule_.resolution), shipped);
    if (abs.size() < 2) return;  // nothing was compared
    scores_[group.prompt] = {mean, step_};
    totals.scores += mean;
    ++totals.scored_groups;
  }

  void note(const Totals& totals) {
    metrics_.set("prompts_skipped", skipped_);
    metrics_.set("completions_dropped", totals.dropped);
    metrics_.set("weight_max", totals.largest);
    metrics_.set_share("weight_sum_over_Z", totals.weights, whole_);
    metrics_.set_share("score_mean", totals.scores, totals.scored_groups);
    if (max_tokens_ == 0 || totals.lengths.empty()) return;
    const auto rows =
        pack_rows(totals.lengths, max_tokens_, static_cast<std::size_t>(options_.packing_window));
    metrics_.set("packing_fill", row_fill(totals.lengths, rows, max_tokens_));
  }

  PruningOptions options_;
  std::uint32_t n_;
  AdvantageRule rule_;
  GroupPool groups_;
  PromptTable<Score> scores_;
  std::vector<double> weights_;  // of the planned prompts, parallel to the groups
  std::uint64_t seed_ = 0, step_ = 0;
  std::uint64_t whole_ = 0, skipped_ = 0;  // rollouts of the unpruned batch; prompts left out of it
  std::uint32_t max_tokens_ = 0;
  MetricList metrics_;
};

}  // namespace

MethodInfo dynamic_pruning_method() {
  return {"dynamic_pruning",
          "skips prompts and drops rollouts at random where advantages are small, with weights",
          "DPPO, arXiv 2603.04135", MethodSection(PruningOptions{}), construct<DynamicPruning>};
}

}  // namespace allot
