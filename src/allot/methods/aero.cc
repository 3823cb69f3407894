// AERO: explore every prompt, spend a pooled rest on prompts that failed completely, then train on
// a small curated subset; groups without spread get a baseline from a Beta prior.
//
// Source: arXiv 2602.14338. Where the paper leaves something open (the scale of one-sided groups,
// which wrong rollouts are kept, the normaliser), docs/methods/aero.md says what is done here.
#include "allot/core/state.h"
#include "allot/methods/parts/batch_builder.h"
#include "allot/methods/parts/curation.h"
#include "allot/methods/parts/metric_list.h"
#include "allot/methods/parts/requests.h"
#include "allot/methods/parts/rescue.h"
#include "allot/methods/registry.h"

namespace allot {
namespace {

struct AeroOptions {
  int explore = 0, n_max = 0;
  int rescue_size = 2, rescue_rounds = 10, rescue_threshold = 0;
  CurationOptions curation;

  template <class V>
  void fields(V& v) {
    v("explore", explore, Range{0, 65536},
      "rollouts per prompt in the first round; 0 = half of alloc.group_size");
    v("n_max", n_max, Range{0, 65536}, "most rollouts of a prompt; 0 = twice alloc.group_size");
    v("rescue_size", rescue_size, Range{1, 65536}, "rollouts per rescue (math: 2, code: 4)");
    v("rescue_rounds", rescue_rounds, Range{0, 1000}, "most rescues (math: 10, code: 3); 0 = off");
    v("rescue_threshold", rescue_threshold, Range{0, 65536},
      "prompts with at most this many correct rollouts are rescued");
    curation.fields(v);
  }
  // The zeros above decided.
  AeroOptions resolved(const AllocOptions& shared) const {
    AeroOptions out = *this;
    if (explore == 0) out.explore = shared.group_size / 2;
    if (n_max == 0) out.n_max = 2 * shared.group_size;
    return out;
  }
  void validate(const AllocOptions& shared) const {
    const AeroOptions o = resolved(shared);
    require_option(o.explore >= 2 && o.explore <= shared.group_size, "alloc.aero.explore",
                   o.explore, concat("between 2 and alloc.group_size (", shared.group_size, ")"));
    require_option(o.explore <= o.n_max, "alloc.aero.n_max", o.n_max,
                   concat("at least alloc.aero.explore (", o.explore, ")"));
    require_option(rescue_threshold <= o.explore / 2, "alloc.aero.rescue_threshold",
                   rescue_threshold,
                   concat("at most half of alloc.aero.explore (", o.explore, ")"));
  }
};

class Aero final : public Method {
 public:
  Aero(const AllocOptions& alloc, const AdvantageOptions& adv)
      : options_(alloc.section("aero").as<AeroOptions>().resolved(alloc)),
        rule_(advantage_rule(adv, GroupKind::Curated)) {}

  Needs needs() const override {
    return {.role = Role::InGroup,
            .max_rounds = 1 + static_cast<std::uint32_t>(options_.rescue_rounds)};
  }

  Decision plan(const BatchView& view) override {
    pool_.clear();
    seed_ = view.seed, step_ = view.step;
    exploring_ = true;
    Decision decision = ask_each(view, static_cast<std::uint32_t>(options_.explore), pool_);
    const std::uint64_t spent = pool_.outstanding();
    rescue_.open(std::max(view.budget.rollouts, spent) - spent);  // hard caps: in observe()
    return decision;
  }

  Decision observe(const Events& events) override {
    pool_.add(events.outcomes);
    if (events.deadline || pool_.outstanding() > 0) return {.done = events.deadline};
    if (exploring_)
      rescue_.start(failed());
    else
      rescue_.settle(events.outcomes);
    exploring_ = false;
    const RescueRule rule{.size = static_cast<std::uint32_t>(options_.rescue_size),
                          .max_rounds = static_cast<std::uint32_t>(options_.rescue_rounds),
                          .n_max = static_cast<std::uint32_t>(options_.n_max)};
    return ask(rescue_.next(rule, seed_, step_, events.left, pool_));
  }

  TrainBatch finalize() override {
    const Curation curation = curate(pool_.groups(), options_.curation, rule_, seed_, step_);
    TrainBatch batch;
    batch.norm = Norm::PerGroup;
    for (std::size_t i = 0; i < pool_.size(); ++i) {
      const Group& group = pool_.groups()[i];
      const std::uint32_t n = ship(batch, group, curation.kept[i], curation.advantages[i]);
      const auto baseline = n > 0 ? SingletonBaseline::Exists : SingletonBaseline::None;
      report(batch, group, group.cause(rule_.resolution, baseline), n);
    }
    metrics_ = curation_metrics(curation);
    metrics_.set("pool_used", rescue_.used());
    metrics_.set("rescued", rescue_.rescued());
    metrics_.set("rescue_rounds", rescue_.rounds());
    return batch;
  }

  std::vector<Metric> metrics() const override { return metrics_.all(); }
  std::string save() const override { return save_state("aero", 1, *this); }
  void load(std::string_view blob, std::uint64_t) override { load_state("aero", 1, blob, *this); }

  template <class V>
  void state(V& v) {
    v(pool_);
    v(rescue_);
    v(seed_);
    v(step_);
    v(exploring_);
    v(metrics_);
  }

 private:
  // Prompts with at most rescue_threshold correct rollouts. One without any score is left alone:
  // its rewards are missing, not low.
  std::vector<PromptId> failed() const {
    std::vector<PromptId> prompts;
    for (const Group& group : pool_.groups())
      if (group.scored_count() > 0 &&
          group.correct_count() <= static_cast<std::uint32_t>(options_.rescue_threshold))
        prompts.push_back(group.prompt);
    return prompts;
  }

  AeroOptions options_;
  AdvantageRule rule_;
  GroupPool pool_;
  Rescue rescue_;
  std::uint64_t seed_ = 0, step_ = 0;
  bool exploring_ = false;  // the first round has not ended
  MetricList metrics_;
};

}  // namespace

MethodInfo aero_method() {
  return {"aero",
          "explore, rescue prompts that failed from a pooled budget, train on a curated few",
          "AERO, arXiv 2602.14338", MethodSection(AeroOptions{}), construct<Aero>};
}

}  // namespace allot
