// The smallest complete Method: n rollouts each, advantage r - mean, mixed groups shipped.
#pragma once

#include <map>
#include <vector>

#include "allot/core/method.h"
#include "allot/core/state.h"

namespace allot::testing {

class UniformMethod : public Method {
 public:
  explicit UniformMethod(std::uint32_t n, std::uint32_t refills = 0) : n_(n), refills_(refills) {}

  Needs needs() const override {
    Needs needs;
    needs.refill = refills_ > 0;
    return needs;
  }
  Decision plan(const BatchView& view) override {
    order_.clear();
    outcomes_.clear();
    left_ = refills_;
    return ask(view.candidates);
  }
  Decision observe(const Events& events) override {
    for (const Outcome& outcome : events.outcomes) outcomes_[outcome.prompt].push_back(outcome);
    if (!events.prompts.empty()) return ask(events.prompts);
    Decision decision;
    decision.done = true;
    if (left_ > 0 && !events.deadline && !events.outcomes.empty()) {
      --left_;
      decision.done = false;
      decision.refill = 1;
    }
    return decision;
  }
  TrainBatch finalize() override {
    TrainBatch batch;
    for (const PromptId prompt : order_) add_group(prompt, batch);
    return batch;
  }
  std::string save() const override { return save_state("uniform", 1, *this); }
  void load(std::string_view blob, std::uint64_t) override {
    load_state("uniform", 1, blob, *this);
  }
  template <class V>
  void state(V& v) {
    v(left_);  // an open step is not resumed in these tests
  }

 private:
  Decision ask(std::span<const PromptRef> prompts) {
    Decision decision;
    for (const PromptRef& prompt : prompts) {
      order_.push_back(prompt.id);
      decision.generate.push_back({prompt.id, n_});
    }
    decision.done = decision.generate.empty();
    return decision;
  }
  void add_group(PromptId prompt, TrainBatch& batch) {
    double sum = 0, n = 0;
    for (const Outcome& outcome : outcomes_[prompt])
      if (outcome.scoring == Scoring::Scored) sum += outcome.reward, ++n;
    GroupReport report;
    report.prompt = prompt;
    report.counted_n = static_cast<std::uint32_t>(n);
    report.counted_sum = static_cast<float>(sum);
    const auto first = static_cast<std::uint32_t>(batch.items.size());
    if (sum > 0 && sum < n)
      for (const Outcome& outcome : outcomes_[prompt])
        if (outcome.scoring == Scoring::Scored)
          batch.items.push_back({outcome.id, static_cast<float>(outcome.reward - sum / n)});
    report.shipped = static_cast<std::uint32_t>(batch.items.size()) - first;
    report.admitted = report.shipped > 0;
    if (!report.admitted) report.cause = cause(prompt, n, sum);
    if (report.admitted)
      batch.groups.push_back({prompt, first, report.shipped, static_cast<std::uint32_t>(n),
                              static_cast<float>(sum / n)});
    batch.reports.push_back(report);
  }
  ZeroCause cause(PromptId prompt, double n, double sum) {
    bool any = false;
    for (const Outcome& outcome : outcomes_[prompt])
      any |= outcome.status == Status::Ok || outcome.status == Status::Truncated;
    if (!any) return ZeroCause::GenerationFailed;
    if (n == 0) return ZeroCause::VerifierError;
    if (n == 1) return ZeroCause::Single;
    return sum > 0 ? ZeroCause::AllRight : ZeroCause::AllWrong;
  }

  std::uint32_t n_, refills_, left_ = 0;
  std::vector<PromptId> order_;
  std::map<PromptId, std::vector<Outcome>> outcomes_;
};

}  // namespace allot::testing
