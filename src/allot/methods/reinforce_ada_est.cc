// Reinforce-Ada with estimated pass rates: rollouts in proportion to 1/sqrt(p), and the other
// factor 1/sqrt(p) of the log objective as a weight.
//
// Source: arXiv 2510.04996. The counters and the rounding are not confirmed there;
// docs/methods/reinforce_ada_est.md says what is done here.
#include <algorithm>
#include <cmath>

#include "allot/core/prompt_table.h"
#include "allot/core/state.h"
#include "allot/methods/parts/batch_builder.h"
#include "allot/methods/parts/metric_list.h"
#include "allot/methods/parts/proportional.h"
#include "allot/methods/parts/requests.h"
#include "allot/methods/parts/sampled_pool.h"
#include "allot/methods/parts/stated_rates.h"
#include "allot/methods/registry.h"

namespace allot {
namespace {

struct ReinforceAdaEstOptions {
  double decay = 0.9, prior_a = 1, prior_b = 1, eps = 0.01;
  int n_min = 2, n_max = 0;

  template <class V>
  void fields(V& v) {
    v("decay", decay, Range{0, 1}, "factor on a prompt's earlier counts at each visit");
    v("prior_a", prior_a, Range{1e-6, 1e6}, "successes counted before the first visit");
    v("prior_b", prior_b, Range{1e-6, 1e6}, "failures counted before the first visit");
    v("eps", eps, Range{1e-6, 1}, "added to pass rates under the root");
    v("n_min", n_min, Range{2, 65536}, "fewest rollouts of a prompt");
    v("n_max", n_max, Range{0, 65536},
      "most rollouts of a prompt; 0 = four times alloc.group_size");
  }
  ReinforceAdaEstOptions resolved(const AllocOptions& shared) const {
    ReinforceAdaEstOptions out = *this;
    if (n_max == 0) out.n_max = 4 * shared.group_size;
    return out;
  }
  void validate(const AllocOptions& shared) const {
    require_group_of_two(shared);
    require_option(n_min <= shared.group_size, "alloc.reinforce_ada_est.n_min", n_min,
                   concat("at most alloc.group_size (", shared.group_size, ")"));
    require_option(n_max == 0 || n_max >= shared.group_size, "alloc.reinforce_ada_est.n_max", n_max,
                   concat("at least alloc.group_size (", shared.group_size, ")"));
  }
};

// Decayed counts of one prompt.
struct Counts {
  double successes = 0, trials = 0;

  template <class V>
  void state(V& v) {
    v(successes);
    v(trials);
  }
};

class ReinforceAdaEst final : public Method {
 public:
  ReinforceAdaEst(const AllocOptions& alloc, const AdvantageOptions& adv)
      : options_(alloc.section("reinforce_ada_est").as<ReinforceAdaEstOptions>().resolved(alloc)),
        prior_strength_(alloc.prior_strength),
        resolution_(adv.resolution) {}

  Needs needs() const override { return {}; }

  Decision plan(const BatchView& view) override {
    pool_.clear();
    metrics_.clear();
    const std::uint32_t low =
        within_bounds(static_cast<std::uint32_t>(options_.n_min), view.budget);
    const std::uint32_t high =
        std::max(low, within_bounds(static_cast<std::uint32_t>(options_.n_max), view.budget));
    const std::uint64_t total = std::min(share_of(view), affordable_rollouts(view.budget));
    const auto planned = std::min<std::uint64_t>(view.candidates.size(), total / low);
    std::vector<double> weights;
    double rates = 0;
    for (const PromptRef& prompt : view.candidates.first(planned)) {
      rates += rate(prompt);
      weights.push_back(1 / std::sqrt(rate(prompt) + options_.eps));
    }
    const auto counts = proportional_counts(weights, total, low, high);
    Decision decision;
    for (std::size_t i = 0; i < planned; ++i) {
      pool_.request(view.candidates[i].id, counts[i]);
      decision.generate.push_back({view.candidates[i].id, counts[i]});
    }
    decision.done = planned == 0;
    metrics_.set_share("rate_mean", rates, planned);
    if (planned > 0) {
      const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
      metrics_.set("n_min", *least);
      metrics_.set("n_max", *most);
    }
    return decision;
  }

  Decision observe(const Events& events) override { return await_all(events, pool_); }

  // A = r - mean, with the weight 1 / sqrt(pass rate + eps) of the group. Norm::PerToken: a prompt
  // counts by its rollouts, which are the other half of 1/p.
  TrainBatch finalize() override {
    TrainBatch batch{.norm = Norm::PerToken};
    const AdvantageRule centred{.scale = AdvantageScale::None, .resolution = resolution_};
    const Ragged<double> advantages = group_advantages(scored_rewards(pool_.groups()), centred);
    for (std::uint32_t i = 0; i < pool_.size(); ++i) {
      const Group& group = pool_.groups()[i];
      const double scored = group.scored_count(), correct = group.correct_count();
      std::uint32_t n = 0;
      if (has_signal(advantages[i])) {
        n = ship_scored(batch, group, advantages[i]);
        const double weight = 1 / std::sqrt(correct / scored + options_.eps);
        for (TrainItem& item : items_of(batch, batch.groups.back()))
          item.weight = static_cast<float>(weight);
      }
      report(batch, group, group.cause(resolution_), n);
      Counts& counts = counts_[group.prompt];
      counts.successes = options_.decay * counts.successes + correct;
      counts.trials = options_.decay * counts.trials + scored;
    }
    return batch;
  }

  std::vector<Metric> metrics() const override { return metrics_.all(); }
  std::string save() const override { return save_state("reinforce_ada_est", 1, *this); }
  void load(std::string_view blob, std::uint64_t) override {
    load_state("reinforce_ada_est", 1, blob, *this);
  }

  template <class V>
  void state(V& v) {
    v(pool_);
    v(counts_);
    v(metrics_);
  }

 private:
  double rate(const PromptRef& prompt) const {
    const Counts* counts = counts_.find(prompt.id);
    const Counts seen = counts ? *counts : Counts{};
    const BetaPrior prior =
        stated_prior(prompt.prior_pass_rate, {options_.prior_a, options_.prior_b}, prior_strength_);
    return posterior_mean(seen.successes, seen.trials, prior.a, prior.b);
  }

  // The step's rollouts, or the candidates' share of them where the source has fewer than wanted.
  static std::uint64_t share_of(const BatchView& view) {
    const std::uint64_t shown = view.candidates.size(), wanted = view.budget.groups;
    return shown < wanted ? view.budget.rollouts * shown / wanted : view.budget.rollouts;
  }

  ReinforceAdaEstOptions options_;
  double prior_strength_;
  double resolution_;
  GroupPool pool_;
  PromptTable<Counts> counts_;
  MetricList metrics_;
};

}  // namespace

MethodInfo reinforce_ada_est_method() {
  return {"reinforce_ada_est",
          "rollouts in proportion to 1/sqrt(pass rate), estimated from decayed counts",
          "Reinforce-Ada, arXiv 2510.04996", MethodSection(ReinforceAdaEstOptions{}),
          construct<ReinforceAdaEst>};
}

}  // namespace allot
