#include "allot/methods/combination.h"

#include <utility>
#include <vector>

#include "allot/core/delivery.h"
#include "allot/core/error.h"
#include "allot/core/prompt_table.h"
#include "allot/core/shared_metric.h"
#include "allot/core/state.h"
#include "allot/methods/parts/stated_rates.h"

namespace allot {
namespace {

class Combination final : public Method {
 public:
  Combination(NamedMethod chooser, NamedMethod inner)
      : chooser_name_(std::move(chooser.name)),
        inner_name_(std::move(inner.name)),
        chooser_(std::move(chooser.method)),
        inner_(std::move(inner.method)) {}

  Needs needs() const override {
    const Needs chooser = chooser_->needs();
    Needs both = inner_->needs();
    both.role = Role::Whole;
    both.draw = chooser.draw;
    both.candidate_factor = chooser.candidate_factor;
    both.refill = chooser.refill;
    both.embedding = chooser.embedding;
    both.logprob |= chooser.logprob;
    both.entropy |= chooser.entropy;
    both.answer_class |= chooser.answer_class;
    return both;
  }

  Decision plan(const BatchView& view) override {
    step_ = view.step, policy_ = view.policy, seed_ = view.seed;
    groups_ = view.budget.groups;
    left_ = view.budget;
    lost_.assign(view.lost.begin(), view.lost.end());
    chosen_.clear();
    wanted_.clear();
    first_round_.clear();
    stated_.clear();
    stated_.show(view.candidates);
    choosing_ = true;
    BatchView seen = view;
    seen.lost = dropped_;
    return choose(chooser_->plan(seen));
  }

  Decision observe(const Events& events) override {
    left_ = events.left;
    if (choosing_) {
      if (events.deadline) return {.done = true};
      stated_.show(events.prompts);
      return choose(chooser_->observe({.prompts = events.prompts, .left = events.left}));
    }
    for (const Outcome& outcome : events.outcomes)
      if (outcome.round == 0) {
        first_round_.push_back({outcome, {outcome.parts.begin(), outcome.parts.end()}});
        first_round_.back().record.parts = {};
      }
    return inner_->observe(events);
  }

  TrainBatch finalize() override {
    if (choosing_) {  // ended before anything was asked for
      chosen_.clear();
      start_inner();
    }
    TrainBatch batch = inner_->finalize();
    tell_chooser();
    dropped_ = chooser_->finalize().hold;
    return batch;
  }

  void feedback(const Feedback& feedback) override {
    chooser_->feedback(feedback);
    inner_->feedback(feedback);
  }

  // Under the name of the method they come from.
  std::vector<Metric> metrics() const override {
    // Forecasts are those of the method that chooses by them, where it makes any.
    std::vector<Metric> all;
    bool forecasts = false;
    const auto add = [&](const Method& method, const std::string& name) {
      const bool taken = forecasts;
      for (Metric& metric : method.metrics()) {
        const bool shared = is_shared_metric(metric.name) && !taken;
        forecasts = forecasts || shared;
        all.push_back({shared ? metric.name : concat(name, "/", metric.name), metric.value});
      }
    };
    add(*chooser_, chooser_name_);
    add(*inner_, inner_name_);
    return all;
  }

  std::string save() const override {
    return save_state("combination", 1,
                      Blobs{chooser_->save(), inner_->save(), save_state("pair", 2, *this)});
  }
  void load(std::string_view blob, std::uint64_t dataset_hash) override {
    Blobs blobs;
    load_state("combination", 1, blob, blobs);
    load_state("pair", 2, blobs.own, *this);
    chooser_->load(blobs.chooser, dataset_hash);
    inner_->load(blobs.inner, dataset_hash);
  }

  template <class V>
  void state(V& v) {
    v(step_);
    v(policy_);
    v(seed_);
    v(groups_);
    v(lost_);
    v(dropped_);
    v(chosen_);
    v(wanted_);
    v(first_round_);
    v(stated_);
    v(choosing_);
  }

 private:
  struct Blobs {
    std::string chooser, inner, own;
    template <class V>
    void state(V& v) {
      v(chooser);
      v(inner);
      v(own);
    }
  };

  // Notes whom the chooser wants. A chooser that draws further prompts does so because it drops
  // groups later; here nothing is dropped, so it stops at as many as the batch takes.
  Decision choose(const Decision& decision) {
    for (const GenRequest& request : decision.generate) {
      chosen_.push_back(request.prompt);
      wanted_[request.prompt] = request.n;
    }
    const bool enough = chooser_->needs().refill && chosen_.size() >= groups_;
    if (enough) chosen_.resize(groups_);
    if (decision.refill > 0 && !enough) return {.refill = decision.refill};
    return start_inner();
  }

  Decision start_inner() {
    choosing_ = false;
    std::vector<PromptRef> candidates;
    for (const PromptId prompt : chosen_)
      candidates.push_back({.id = prompt, .prior_pass_rate = stated_.rate(prompt)});
    return inner_->plan({.step = step_,
                         .policy = policy_,
                         .seed = seed_,
                         .candidates = candidates,
                         .budget = left_,
                         .lost = lost_});
  }

  // All that its rollouts came to, at once and as the end of its step; never more outcomes of a
  // prompt than it asked for.
  void tell_chooser() {
    std::vector<Outcome> outcomes;
    for (const OwnedOutcome& outcome : first_round_) {
      std::uint32_t& room = wanted_[outcome.record.prompt];
      if (room == 0) continue;
      --room;
      outcomes.push_back(outcome.view());
    }
    chooser_->observe({.outcomes = outcomes, .left = left_, .deadline = true});
  }

  std::string chooser_name_, inner_name_;
  std::unique_ptr<Method> chooser_, inner_;
  std::uint64_t step_ = 0;
  Version policy_ = 0;
  std::uint64_t seed_ = 0;
  std::uint32_t groups_ = 0;
  Budget left_;                        // of the last event
  std::vector<RolloutId> lost_;        // of the inner method, since the last step
  std::vector<RolloutId> dropped_;     // what the chooser wanted to hold
  std::vector<PromptId> chosen_;       // in the chooser's order
  PromptTable<std::uint32_t> wanted_;  // rollouts that the chooser asked for
  std::vector<OwnedOutcome> first_round_;
  StatedRates stated_;     // of the prompts shown in this step
  bool choosing_ = false;  // the inner method has not started its step
};

}  // namespace

std::unique_ptr<Method> combine(NamedMethod chooser, NamedMethod inner) {
  return std::make_unique<Combination>(std::move(chooser), std::move(inner));
}

}  // namespace allot
