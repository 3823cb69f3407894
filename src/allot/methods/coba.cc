// CoBA-RL: an exact step budget, split by a value that saturates and prefers the difficulty that
// suits the policy: easy prompts while it fails, hard ones as it improves. Source: arXiv
// 2602.03048.
#include <algorithm>

#include "allot/core/error.h"
#include "allot/core/prompt_table.h"
#include "allot/core/state.h"
#include "allot/methods/parts/batch_builder.h"
#include "allot/methods/parts/capability.h"
#include "allot/methods/parts/group_loss.h"
#include "allot/methods/parts/heap_planner.h"
#include "allot/methods/parts/metric_list.h"
#include "allot/methods/parts/requests.h"
#include "allot/methods/registry.h"

namespace allot {
namespace {

struct CobaOptions {
  int least = 2, most = 128, window = 10;
  CapabilityOptions capability;
  double smoothing = 0;
  GroupLoss loss;

  template <class V>
  void fields(V& v) {
    v("least", least, Range{2, 65536}, "least rollouts of a prompt");
    v("most", most, Range{2, 65536}, "most rollouts of a prompt");
    v("window", window, Range{1, 1e5}, "steps over which the failure rate is averaged");
    capability.fields(v);
    v("smoothing", smoothing, Range{0, 1e3},
      "verdicts of either kind added to a prompt's last visit; above 0 no prompt is stuck at 0 or "
      "1");
    loss.fields(v);
  }
  void validate(const AllocOptions& shared) const {
    require_group_of_two(shared);
    require_option(least <= most, "alloc.coba.least", least,
                   concat("at most alloc.coba.most (", most, ")"));
    if (capability.a_min > capability.a_max || capability.a_max >= capability.kappa)
      throw Error(ErrorKind::Config, "alloc.coba.a_max",
                  concat("a_min ", capability.a_min, ", a_max ", capability.a_max, " and kappa ",
                         capability.kappa, " were given; a_min <= a_max < kappa is needed"));
  }
};

struct LastVisit {
  std::uint32_t right = 0, n = 0;
  std::uint64_t step = 0;

  double rate(double smoothing) const { return (right + smoothing) / (n + 2 * smoothing); }

  template <class V>
  void state(V& v) {
    v(right);
    v(n);
    v(step);
  }
};

class Coba final : public Method {
 public:
  Coba(const AllocOptions& alloc, const AdvantageOptions& adv)
      : options_(alloc.section("coba").as<CobaOptions>()),
        n_(static_cast<std::uint32_t>(alloc.group_size)),
        rule_(advantage_rule(adv, GroupKind::Plain)) {}

  Needs needs() const override { return {}; }

  Decision plan(const BatchView& view) override {
    groups_.clear();
    metrics_.clear();
    step_ = view.step;
    std::vector<PromptId> ids = ids_of(view.candidates);
    const FeasibleStep step =
        feasible_step(ids.size(), {unsigned(options_.least), unsigned(options_.most)},
                      allowed_bounds(view.budget), step_rollouts(view.budget, ids.size(), n_));
    ids.resize(step.prompts);
    const Capability capability = capability_of(failure_.mean(), options_.capability);
    std::vector<bool> known;
    std::vector<double> rates;
    for (const PromptId id : ids) {
      const LastVisit* last = visits_.find(id);
      known.push_back(last != nullptr);
      rates.push_back(last ? last->rate(options_.smoothing) : 0);
    }
    const auto gain = [&](std::size_t i, std::uint32_t n) {
      return capability_gain(capability, n, rates[i], options_.capability.tau);
    };
    const auto n =
        split_known(gain, known, step.bounds, step.budget, fixed_tie_order(ids, view.seed));
    note(capability, step, known, rates, n);
    return ask(request_counts(ids, n, groups_));
  }

  Decision observe(const Events& events) override { return await_all(events, groups_); }

  TrainBatch finalize() override {
    TrainBatch batch = batch_of(groups_.groups(), rule_);
    options_.loss.apply(batch);
    double rates = 0, measured = 0;
    for (const Group& group : groups_.groups()) {
      const std::uint32_t n = group.scored_count();
      if (n == 0) continue;  // rewards are missing: nothing was learnt
      const LastVisit visit{group.correct_count(), n, step_};
      visits_[group.prompt] = visit;
      rates += visit.rate(0);
      ++measured;
    }
    if (measured > 0) {
      metrics_.set("F", 1 - rates / measured);
      failure_.add(1 - rates / measured, static_cast<std::size_t>(options_.window));
    }
    return batch;
  }

  std::vector<Metric> metrics() const override { return metrics_.all(); }
  std::string save() const override { return save_state("coba", 1, *this); }
  void load(std::string_view blob, std::uint64_t) override { load_state("coba", 1, blob, *this); }

  template <class V>
  void state(V& v) {
    v(groups_);
    v(visits_);
    v(failure_);
    v(step_);
    v(metrics_);
  }

 private:
  void note(const Capability& capability, const FeasibleStep& step, const std::vector<bool>& known,
            const std::vector<double>& rates, const std::vector<std::uint32_t>& n) {
    if (!failure_.empty()) {
      metrics_.set("F_bar", failure_.mean());
      metrics_.set("F_soft", softened_failure(failure_.mean(), options_.capability.gamma));
      metrics_.set("a", capability.a);
      if (capability.a > 1 && capability.b > 1) metrics_.set("mode", capability.mode());
    }
    metrics_.set("relaxed", step.relaxed);
    metrics_.set("n_max_hit", std::count(n.begin(), n.end(), step.bounds.most));
    metrics_.set_share("n_min_share", std::count(n.begin(), n.end(), step.bounds.least), n.size());
    constexpr std::size_t kBins = 5;
    double rollouts[kBins] = {}, prompts[kBins] = {};
    for (std::size_t i = 0; i < n.size(); ++i) {
      if (!known[i]) continue;
      const std::size_t bin = std::min(kBins - 1, static_cast<std::size_t>(rates[i] * kBins));
      rollouts[bin] += n[i], ++prompts[bin];
    }
    for (std::size_t bin = 0; bin < kBins; ++bin)
      metrics_.set_share(concat("n_mean_", 100 * bin / kBins), rollouts[bin], prompts[bin]);
  }

  CobaOptions options_;
  std::uint32_t n_;
  AdvantageRule rule_;
  GroupPool groups_;
  PromptTable<LastVisit> visits_;
  MovingMean failure_;
  std::uint64_t step_ = 0;
  MetricList metrics_;
};

}  // namespace

MethodInfo coba_method() {
  return {"coba",
          "an exact step budget, split by saturation and by the difficulty that suits the policy",
          "CoBA-RL, arXiv 2602.03048", MethodSection(CobaOptions{}), construct<Coba>};
}

}  // namespace allot
