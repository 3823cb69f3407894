// MoPPS: a Beta posterior of each prompt's pass rate, one draw from it per candidate, rollouts only
// for the candidates whose draw is nearest to one half.
//
// Source: arXiv 2507.04632. Advantages and loss are GRPO's.
#include "allot/core/prompt_table.h"
#include "allot/core/state.h"
#include "allot/methods/parts/batch_builder.h"
#include "allot/methods/parts/belief.h"
#include "allot/methods/parts/calibration.h"
#include "allot/methods/parts/choosing.h"
#include "allot/methods/parts/metric_list.h"
#include "allot/methods/parts/requests.h"
#include "allot/methods/parts/stated_rates.h"
#include "allot/methods/registry.h"

namespace allot {
namespace {

enum class Strategy { TopK, Threshold };

struct MoppsOptions {
  double candidates_per_group = 16;
  Strategy strategy = Strategy::TopK;
  double target = .5, low = .3, high = .7;
  double decay = 1;
  BetaPrior prior;

  template <class V>
  void fields(V& v) {
    v("candidates_per_group", candidates_per_group, Range{1, 1e4},
      "prompts to choose from per group of the batch");
    v("strategy", strategy,
      Choices<Strategy>{{"topk", Strategy::TopK}, {"threshold", Strategy::Threshold}},
      "the draws nearest to `target`, or a random choice of those in [low, high]");
    v("target", target, Range{0, 1}, "pass rate wanted by topk");
    v("low", low, Range{0, 1}, "least pass rate wanted by threshold");
    v("high", high, Range{0, 1}, "largest pass rate wanted by threshold");
    v("decay", decay, Range{0, 1},
      "share of the evidence that is kept when a prompt is visited again; 1 forgets nothing");
    v("prior_a", prior.a, Range{1e-6, 1e6}, "successes assumed before the first visit");
    v("prior_b", prior.b, Range{1e-6, 1e6}, "failures assumed before the first visit");
  }
  void validate(const AllocOptions& shared) const {
    require_group_of_two(shared);
    if (low > high)
      throw Error(ErrorKind::Config, "alloc.mopps.low",
                  concat(low, " was given; at most alloc.mopps.high (", high, ") is needed"));
  }
};

class Mopps final : public Method {
 public:
  Mopps(const AllocOptions& alloc, const AdvantageOptions& adv)
      : group_size_(static_cast<std::uint32_t>(alloc.group_size)),
        options_(alloc.section("mopps").as<MoppsOptions>()),
        rule_(advantage_rule(adv, GroupKind::Plain)),
        stated_(alloc.prior_strength) {}

  Needs needs() const override {
    return {.role = Role::Chooser,
            .draw = Draw::Uniform,
            .candidate_factor = static_cast<float>(options_.candidates_per_group)};
  }

  Decision plan(const BatchView& view) override {
    pool_.clear();
    stated_.clear();
    stated_.show(view.candidates);
    const std::vector<PromptId> chosen = choose(view);
    return ask(request_each(chosen, within_bounds(group_size_, view.budget),
                            affordable_rollouts(view.budget), pool_));
  }

  Decision observe(const Events& events) override { return await_all(events, pool_); }

  TrainBatch finalize() override {
    TrainBatch batch = batch_of(pool_.groups(), rule_);
    std::vector<Prediction> predictions;
    double right = 0, verdicts = 0;
    for (const GroupReport& report : batch.reports) {
      predictions.push_back(
          {believed(report.prompt).mean(), report.counted_sum, double(report.counted_n)});
      right += report.counted_sum, verdicts += report.counted_n;
    }
    set_calibration(metrics_, predictions);
    metrics_.set_share("selected_p_observed", right, verdicts);
    for (const GroupReport& report : batch.reports) learn(report);
    return batch;
  }

  std::vector<Metric> metrics() const override { return metrics_.all(); }
  std::string save() const override { return save_state("mopps", 2, *this); }
  void load(std::string_view blob, std::uint64_t) override { load_state("mopps", 2, blob, *this); }

  template <class V>
  void state(V& v) {
    v(pool_);
    v(beliefs_);
    v(stated_);
    v(metrics_);
  }

 private:
  std::vector<PromptId> choose(const BatchView& view) {
    std::vector<double> draws, ties;
    double unvisited = 0, draw_sum = 0, mean_sum = 0;
    for (const PromptRef& candidate : view.candidates) {
      const BetaBelief belief = believed(candidate.id);
      RandomStream stream = choice_stream(view.seed, view.step, candidate.id);
      draws.push_back(stream.beta(belief.a, belief.b));
      if (options_.strategy == Strategy::Threshold) ties.push_back(stream.uniform());
      draw_sum += draws.back();
      unvisited += !beliefs_.contains(candidate.id);
    }
    const bool topk = options_.strategy == Strategy::TopK;
    const double low = topk ? options_.target : options_.low;
    const double high = topk ? options_.target : options_.high;
    std::vector<PromptId> chosen;
    for (const std::uint32_t i : nearest_to(draws, low, high, view.budget.groups, ties)) {
      chosen.push_back(view.candidates[i].id);
      mean_sum += believed(chosen.back()).mean();
    }
    metrics_.clear();
    metrics_.set_share("draw_mean", draw_sum, draws.size());
    metrics_.set_share("unvisited_share", unvisited, draws.size());
    metrics_.set_share("selected_posterior_mean", mean_sum, chosen.size());
    metrics_.set("short_pool", chosen.size() < view.budget.groups);
    return chosen;
  }

  BetaPrior prior(PromptId prompt) const { return stated_.prior(prompt, options_.prior); }
  BetaBelief believed(PromptId prompt) const {
    const BetaBelief* belief = beliefs_.find(prompt);
    return belief ? *belief : BetaBelief(prior(prompt));
  }

  // A prompt without a single score was not visited: nothing is forgotten either.
  void learn(const GroupReport& report) {
    if (report.counted_n == 0) return;
    BetaBelief belief = believed(report.prompt);
    belief.forget(options_.decay, prior(report.prompt));
    belief.add(report.counted_sum, report.counted_n - report.counted_sum);
    beliefs_[report.prompt] = belief;
  }

  std::uint32_t group_size_;
  MoppsOptions options_;
  AdvantageRule rule_;
  GroupPool pool_;
  PromptTable<BetaBelief> beliefs_;  // of visited prompts
  StatedRates stated_;               // of this step's candidates
  MetricList metrics_;
};

}  // namespace

MethodInfo mopps_method() {
  return {"mopps",
          "one draw from each candidate's Beta posterior; the nearest to one half are used",
          "MoPPS, arXiv 2507.04632", MethodSection(MoppsOptions{}), construct<Mopps>};
}

}  // namespace allot
