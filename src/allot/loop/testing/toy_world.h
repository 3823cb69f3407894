// A world for tests of the loop: prompts with a pass rate, a policy of one logit per prompt.
//
// The engine "writes" the text "right" with probability sigmoid(logit) and hands finished rollouts
// back in a shuffled order and in small portions; the learner does a plain policy-gradient step on
// the logits. Everything is keyed, so two runs are equal.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "allot/core/random.h"
#include "allot/loop/step.h"

namespace allot::testing {

class ToyPrompts : public PromptSource {
 public:
  explicit ToyPrompts(std::size_t size);
  std::span<const PromptRef> candidates(std::size_t wanted, Draw draw) override;
  void begin_step(std::uint64_t step) override;
  const Prompt& get(PromptId id) const override;
  std::size_t size() const override { return prompts_.size(); }
  std::string save() const override;
  void load(std::string_view state) override;
  std::uint64_t hash() const override { return 0x7077 + prompts_.size(); }

 private:
  std::map<PromptId, Prompt> prompts_;
  std::vector<PromptRef> shown_;
  std::uint64_t cursor_ = 0, shown_in_step_ = 0;
};

struct ToyPolicy {
  std::vector<double> logit;  // by prompt id, which counts from 0
  Version version = 0;
  double pass_rate(PromptId id) const;
};

class ToyEngine : public RolloutEngine {
 public:
  ToyEngine(const ToyPolicy& policy, std::uint64_t order_seed)
      : policy_(policy), order_({order_seed, RandomUse::Test}) {}
  EngineTraits traits() const override { return {true, true, Grain::Rollout, false}; }
  EngineCost cost() const override { return cost_; }
  void submit(std::span<const Work> work) override;
  void cancel(std::span<const RolloutId> ids) override;
  std::vector<Rollout> wait() override;
  void refresh(Version version) override { version_ = version; }

  std::function<void()> on_wait;     // called at the start of every wait()
  double truncated = 0, failed = 0;  // shares of rollouts that end so

 private:
  const ToyPolicy& policy_;
  RandomStream order_;
  Version version_ = 0;
  EngineCost cost_;
  std::vector<Rollout> pending_;
};

// "right" scores 1, anything else 0; the text "boom" makes the verifier report an error.
class ToyVerifier : public Verifier {
 public:
  std::vector<Score> score(std::span<const Rollout> rollouts, const PromptSource&) override;
  double error_share = 0;  // of rollouts, by id
};

class ToyLearner : public Learner {
 public:
  ToyLearner(ToyPolicy& policy, double lr) : policy_(policy), lr_(lr) {}
  Feedback update(const TrainBatch& batch, const RolloutStore& store) override;
  Version version() const override { return policy_.version; }
  LearnerCost cost() const override { return cost_; }
  std::vector<Metric> metrics() const override { return {{"loss/total", 0.0}}; }

 private:
  ToyPolicy& policy_;
  double lr_;
  LearnerCost cost_;
};

// Remembers what it was told.
class ToyRecorder : public Recorder {
 public:
  struct Step {
    std::uint64_t step;
    std::vector<RolloutId> generated;
    std::vector<TrainItem> items;
    std::map<std::string, double> metrics;
    StepCost cost;
    bool updated;
  };
  void step(const StepRecord& record) override;
  void event(const Event& event) override { events.push_back(event); }
  void progress(const Progress& progress) override { last_progress = progress; }
  std::vector<Step> steps;
  std::vector<Event> events;
  Progress last_progress;
};

// Time that advances by a fixed amount at every reading.
class CountingClock : public Clock {
 public:
  double seconds() const override { return now_ += 0.25; }

 private:
  mutable double now_ = 0;
};

}  // namespace allot::testing
