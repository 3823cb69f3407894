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

double mean_size(std::span<const double> advantages) {
  double sum = 0;
  for (const double a : advantages) sum += std::abs(a);
  return advantages.empty() ? 0 : sum / static_cast<double>(advantages.size());
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
    Thinned thinned;
    for (std::size_t g = 0; g < advantages.size(); ++g) {
      const Group& group = groups_.groups()[g];
      score(group, advantages[g], thinned);
      thin(group, advantages[g], weights_[g], thinned);
      const std::uint32_t n = ship(batch, group, thinned.kept.back(), thinned.estimates.back());
      report(batch, group, group.cause(rule_.resolution), n);
      if (n > 0) note_shipped(group, thinned);
    }
    set_metrics(thinned);
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
  // What thinning leaves, a list per group, and sums for the metrics.
  struct Thinned {
    Ragged<std::uint32_t> kept;  // positions in the group
    Ragged<WeightedAdvantage> estimates;
    std::vector<std::uint32_t> lengths;  // of what is shipped
    double weights = 0, largest = 0, scores = 0, scored_groups = 0, dropped = 0;
  };

  // 0 for a skipped prompt. One without history is always kept.
  std::vector<double> prompt_weights(std::span<const PromptRef> candidates) const {
    std::vector<double> known, weights(candidates.size(), 1);
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const Score* score = scores_.find(candidates[i].id);
      if (!score) continue;
      known.push_back(score->mean_abs_advantage);
      places.push_back(i);
    }
    const double mean = mean_of(known);
    for (std::size_t k = 0; k < places.size(); ++k) {
      const PromptId id = candidates[places[k]].id;
      RandomStream random({seed_, RandomUse::Method, step_, id, kPromptDraw});
      weights[places[k]] = thinning_weight(known[k], mean, options_.prompt_rate, random.uniform());
    }
    return weights;
  }

  // Of the whole group. With fewer than two rewards nothing was compared.
  void score(const Group& group, std::span<const double> advantages, Thinned& out) {
    if (advantages.size() < 2) return;
    const double mean = mean_size(advantages);
    scores_[group.prompt] = {mean, step_};
    out.scores += mean;
    ++out.scored_groups;
  }

  // Adds a list to `kept` and `estimates`.
  void thin(const Group& group, std::span<const double> advantages, double prompt_weight,
            Thinned& out) const {
    const double mean = mean_size(advantages);
    const RandomStream random({seed_, RandomUse::Method, step_, group.prompt, kRolloutDraw});
    auto advantage = advantages.begin();
    for (const std::uint32_t i : group.scored()) {
      const double uniform = random.uniform_at(group[i].seq);
      const double weight = prompt_weight * thinning_weight(std::abs(*advantage), mean,
                                                            options_.rollout_rate, uniform);
      out.weights += weight;
      out.dropped += weight == 0;
      if (weight > 0) {
        out.kept.push(i);
        out.estimates.push({*advantage, weight});
      }
      ++advantage;
    }
    out.kept.close();
    out.estimates.close();
  }

  // What was added last.
  static void note_shipped(const Group& group, Thinned& out) {
    for (const WeightedAdvantage& estimate : out.estimates.back())
      out.largest = std::max(out.largest, estimate.weight);
    for (const std::uint32_t i : out.kept.back()) out.lengths.push_back(group[i].tokens);
  }

  void set_metrics(const Thinned& thinned) {
    metrics_.set("prompts_skipped", skipped_);
    metrics_.set("completions_dropped", thinned.dropped);
    metrics_.set("weight_max", thinned.largest);
    metrics_.set_share("weight_sum_over_Z", thinned.weights, whole_);
    metrics_.set_share("score_mean", thinned.scores, thinned.scored_groups);
    if (max_tokens_ == 0 || thinned.lengths.empty()) return;
    const auto rows =
        pack_rows(thinned.lengths, max_tokens_, static_cast<std::size_t>(options_.packing_window));
    metrics_.set("packing_fill", row_fill(thinned.lengths, rows, max_tokens_));
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
