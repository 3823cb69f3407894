// CERO: over the whole pool and the whole run, admits the prompts whose reward variance is high and
// whose returns have not saturated, each with a group of fixed size, against a price of the budget.
//
// Source: arXiv 2610.09679 (and 2606.05606, its predecessor). The arithmetic is in
// parts/cero_duals.h; what is open in the paper stands in docs/methods/cero.md.
#include <algorithm>
#include <cmath>

#include "allot/core/error.h"
#include "allot/core/state.h"
#include "allot/methods/parts/batch_builder.h"
#include "allot/methods/parts/cero_metrics.h"
#include "allot/methods/parts/cero_pool.h"
#include "allot/methods/parts/group_loss.h"
#include "allot/methods/parts/requests.h"
#include "allot/methods/parts/run_horizon.h"
#include "allot/methods/registry.h"

namespace allot {
namespace {

struct CeroOptions {
  int units = 2;
  double capacity = 132. / 128, lambda = 1, price = .5, step = 0;
  double prior_a = 1, prior_b = 1, keep = 1;
  bool catch_up = false;
  GroupLoss loss{GroupedNorm::PerToken, 5};

  template <class V>
  void fields(V& v) {
    v("units", units, Range{1, 65536},
      "units that a group of alloc.group_size rollouts is cut into");
    v("capacity", capacity, Range{1, 1000},
      "most units of a round, over the mean of the run's rounds (paper: 132 / 128)");
    v("lambda", lambda, Range{0, 1e6}, "how fast the return of a prompt saturates");
    v("price", price, Range{0, 1}, "price of the budget before the first round, normalised");
    v("step", step, Range{0, 1}, "step size of both dual updates; 0 = 1 / sqrt(rounds of the run)");
    v("prior_a", prior_a, Range{1e-6, 1e6}, "successes that the prior of a prompt counts");
    v("prior_b", prior_b, Range{1e-6, 1e6}, "failures that the prior of a prompt counts");
    v("keep", keep, Range{0, 1},
      "share of the evidence of a prompt that is kept from round to round");
    v("catch_up", catch_up,
      "admit prompts below the price too where the budget could not be spent "
      "in the rounds that are left");
    loss.fields(v);
  }
  void validate(const AllocOptions& shared) const {
    require_group_of_two(shared);
    require_option(shared.group_size % units == 0, "alloc.group_size", shared.group_size,
                   concat("a multiple of alloc.cero.units (", units, ")"));
    require_option(shared.n_max == 0 || shared.n_max >= shared.group_size, "alloc.n_max",
                   shared.n_max,
                   concat("0 or at least alloc.group_size (", shared.group_size, ")"));
    require_option(shared.n_min <= shared.group_size, "alloc.n_min", shared.n_min,
                   concat("at most alloc.group_size (", shared.group_size, ")"));
  }
};

class Cero final : public Method {
 public:
  Cero(const AllocOptions& alloc, const AdvantageOptions& adv)
      : options_(alloc.section("cero").as<CeroOptions>()),
        unit_(static_cast<std::uint32_t>(alloc.group_size / options_.units)),
        rule_(advantage_rule(adv, GroupKind::Plain)),
        pool_({options_.prior_a, options_.prior_b}, alloc.prior_strength),
        price_(options_.price) {}

  Needs needs() const override { return {.role = Role::Chooser, .draw = Draw::Pool}; }

  Decision plan(const BatchView& view) override {
    groups_.clear();
    visits_.clear();
    std::vector<PromptId> ids = ids_of(view.candidates);
    if (!std::is_sorted(ids.begin(), ids.end())) std::sort(ids.begin(), ids.end());
    pool_.admit(ids, view.candidates, view.seed);
    horizon_.open(view, unit_ * static_cast<std::uint32_t>(options_.units));
    scale_ = scale();
    const RoundLimits limits = limits_of(view.budget);
    const auto ranked =
        pool_.rank(ids, (limits.per_round + limits.per_prompt - 1) / limits.per_prompt);
    const RoundUnits units = round_units(ranked, price_, limits);
    return ask(requests(ranked, units));
  }

  Decision observe(const Events& events) override { return await_all(events, groups_); }

  TrainBatch finalize() override {
    TrainBatch batch = batch_of(groups_.groups(), rule_);
    options_.loss.apply(batch);
    std::uint64_t planned = 0, executed = 0;
    for (CeroVisit& visit : visits_) {
      count_verdicts(visit);
      planned += visit.planned, executed += visit.executed;
    }
    metrics_ = cero_round_metrics(pool_, visits_, groups_);
    pool_.learn(visits_, options_.keep, scale_);
    price_ = next_price(price_, static_cast<double>(planned), scale_);
    horizon_.close(executed * unit_);
    skipped_ += executed == 0;
    metrics_.set("nu", price_);
    metrics_.set("units", executed);
    metrics_.set("catch_up", executed > planned ? executed - planned : 0);
    metrics_.set("skipped_rounds", skipped_);
    metrics_.set("surplus_vs_uniform", horizon_.surplus());
    set_pool_metrics(metrics_, pool_.summary(), scale_);
    visits_.clear();
    return batch;
  }

  std::vector<Metric> metrics() const override { return metrics_.all(); }
  std::string save() const override { return save_state("cero", 2, *this); }
  void load(std::string_view blob, std::uint64_t) override { load_state("cero", 2, blob, *this); }

  template <class V>
  void state(V& v) {
    v(groups_);
    v(pool_);
    v(visits_);
    v(horizon_);
    v(price_);
    v(skipped_);
    v(metrics_);
    if constexpr (V::kReading) scale_ = scale();
  }

 private:
  CeroScale scale() const {
    return {.prompts = std::max(1.0, static_cast<double>(pool_.size())),
            .rounds = horizon_.rounds(),
            .budget = std::max(1.0, horizon_.rollouts() / unit_),
            .per_prompt = static_cast<double>(options_.units),
            .per_round = std::ceil(options_.capacity * horizon_.mean() / unit_),
            .lambda = options_.lambda,
            .step = options_.step};
  }

  RoundLimits limits_of(const Budget& budget) const {
    const std::uint64_t left = horizon_.left() / unit_;
    RoundLimits limits{.per_round = static_cast<std::uint64_t>(scale_.per_round),
                       .per_prompt = static_cast<std::uint32_t>(options_.units),
                       .left = std::min(left, affordable_rollouts(budget) / unit_)};
    const double later = scale_.per_round * horizon_.rounds_after_this();
    if (options_.catch_up && horizon_.limited() && static_cast<double>(left) > later)
      limits.at_least = left - static_cast<std::uint64_t>(later);
    return limits;
  }

  // One request per executed group. A rest of a single rollout is left: it has no baseline.
  std::vector<GenRequest> requests(const std::vector<Ranked>& ranked, const RoundUnits& units) {
    std::vector<GenRequest> out;
    for (std::size_t i = 0; i < ranked.size(); ++i) {
      const std::uint32_t n = units.executed[i] * unit_;
      const std::uint32_t executed = n >= 2 ? units.executed[i] : 0;
      if (units.planned[i] + executed > 0)
        visits_.push_back(
            {.prompt = ranked[i].prompt, .planned = units.planned[i], .executed = executed});
      if (executed == 0) continue;
      out.push_back({.prompt = ranked[i].prompt, .n = n});
      groups_.request(ranked[i].prompt, n);
    }
    std::sort(visits_.begin(), visits_.end(),
              [](const CeroVisit& a, const CeroVisit& b) { return a.prompt < b.prompt; });
    return out;
  }

  // By verdict, of the first round only: in a combination later rollouts depend on earlier ones.
  void count_verdicts(CeroVisit& visit) const {
    if (visit.executed == 0) return;
    const Group& group = groups_.group(visit.prompt);
    for (const OwnedOutcome& rollout : group.rollouts)
      if (is_scored(rollout.record) && rollout.record.round == 0)
        ++(rollout.record.correct ? visit.right : visit.wrong);
  }

  CeroOptions options_;
  std::uint32_t unit_;  // rollouts
  AdvantageRule rule_;
  GroupPool groups_;
  CeroPool pool_;
  std::vector<CeroVisit> visits_;  // of the open round, ascending by prompt
  RunHorizon horizon_;
  CeroScale scale_;  // follows from the pool and the horizon
  double price_;
  std::uint64_t skipped_ = 0;
  MetricList metrics_;
};

}  // namespace

MethodInfo cero_method() {
  return {"cero",
          "admits prompts of the whole pool by reward variance and saturation, within a run budget",
          "CERO, arXiv 2610.09679", MethodSection(CeroOptions{}), construct<Cero>};
}

}  // namespace allot
