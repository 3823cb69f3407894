// The picture of the data flow as code: candidates -> plan -> (rollouts -> scores -> observe)* ->
// finalize -> update -> feedback -> record.
#include "allot/loop/step.h"

#include <algorithm>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "allot/core/error.h"
#include "allot/loop/held_metrics.h"
#include "allot/loop/score_metrics.h"

namespace allot {
namespace {

// What an abandoned step is rolled back to. The learner needs no copy: it has not changed.
struct Boundary {
  std::string controller, prompts, store;
};

class StepRun {
 public:
  StepRun(StepWorld& world, const StepSettings& settings) : w_(world), s_(settings) {}
  StepResult run();

 private:
  Plan open();
  void submit(const Plan& plan);
  std::vector<Outcome> next_outcomes();
  void store_scored(std::vector<Rollout> rollouts);
  void report_errors(std::span<const Score> scores);
  Feedback learn(const TrainBatch& batch);
  void record(const TrainBatch& batch, const Feedback& feedback);
  void drain(std::span<const RolloutId> open);
  StepResult abandon();
  bool stopped() const { return s_.stop && s_.stop->load(); }
  Version version() const { return w_.learner.version(); }
  StepCost cost() const;

  template <class Call>
  auto timed(double& seconds, Call call) {
    const double start = w_.clock.seconds();
    struct Add {
      double& seconds;
      double start;
      const Clock& clock;
      ~Add() { seconds += clock.seconds() - start; }
    } add{seconds, start, w_.clock};
    return call();
  }

  StepWorld& w_;
  const StepSettings& s_;
  std::optional<Boundary> boundary_;
  double start_ = w_.clock.seconds();
  EngineCost engine_before_ = w_.engine.cost();
  LearnerCost learner_before_ = w_.learner.cost();
  StepTimes times_;
  std::uint64_t step_ = 0;
  std::vector<Issued> issued_;
  std::vector<RolloutId> generated_;
  std::size_t outstanding_ = 0;  // rollouts submitted and not yet returned
  std::size_t evicted_ = 0;      // held rollouts that the store gave up before the step
};

StepResult StepRun::run() {
  Plan plan = open();
  while (!plan.done) {
    submit(plan);
    std::vector<Outcome> outcomes;
    std::span<const PromptRef> more;
    if (plan.refill > 0) {  // answered before waiting, so that the engine stays busy
      more = w_.prompts.candidates(plan.refill, w_.controller.needs().draw);
    } else {
      outcomes = next_outcomes();
      if (stopped()) return abandon();
    }
    // Nothing left to wait for and no wish open: the method gets its deadline.
    const bool idle = outcomes.empty() && plan.refill == 0;
    plan = w_.controller.observe(outcomes, more, idle);
    if (idle) break;
  }
  drain(plan.cancel);
  const TrainBatch batch = w_.controller.finalize();
  if (stopped()) return abandon();
  const Feedback feedback = learn(batch);
  w_.controller.feedback(feedback);
  record(batch, feedback);
  w_.store.end_step(batch.hold, batch.release);
  return {feedback.updated ? StepEnd::Done : StepEnd::Skipped, cost()};
}

Plan StepRun::open() {
  if (s_.stop)
    boundary_ = {w_.controller.save(w_.prompts.hash()), w_.prompts.save(), w_.store.save()};
  step_ = w_.controller.step();
  w_.prompts.begin_step(step_);
  const auto candidates = first_candidates(w_.prompts, w_.controller.needs(), s_.prompts_per_step);
  const std::vector<RolloutId> lost = w_.store.take_lost();
  evicted_ = lost.size();
  return w_.controller.plan(candidates, s_.budget, version(), lost);
}

void StepRun::submit(const Plan& plan) {
  std::vector<Work> work;
  for (const Issued& issued : plan.generate) {
    Sampling sampling = s_.sampling;
    if (issued.temperature >= 0) sampling.temperature = issued.temperature;
    work.push_back({issued, s_.seed, step_, &w_.prompts.get(issued.prompt), std::move(sampling),
                    Purpose::Train});
    outstanding_ += issued.n;
  }
  issued_.insert(issued_.end(), plan.generate.begin(), plan.generate.end());
  if (!work.empty()) timed(times_.generate, [&] { w_.engine.submit(work); });
  if (!plan.cancel.empty()) w_.engine.cancel(plan.cancel);
}

// Outcomes of the rollouts that finished next; empty when none is outstanding or on a stop.
std::vector<Outcome> StepRun::next_outcomes() {
  if (outstanding_ == 0) return {};
  std::vector<Rollout> rollouts = timed(times_.generate, [&] { return w_.engine.wait(); });
  if (rollouts.empty() && stopped()) return {};
  if (rollouts.empty())
    throw Error(ErrorKind::Internal, "step",
                concat("the engine is idle, but ", outstanding_, " rollouts are outstanding"));
  outstanding_ -= std::min(outstanding_, rollouts.size());
  const std::size_t first = generated_.size();
  store_scored(std::move(rollouts));
  std::vector<Outcome> outcomes;
  for (std::size_t i = first; i < generated_.size(); ++i)
    outcomes.push_back(outcome_of(w_.store.get(generated_[i])));
  return outcomes;
}

void StepRun::store_scored(std::vector<Rollout> rollouts) {
  std::vector<Score> scores =
      timed(times_.score, [&] { return w_.verifier.score(rollouts, w_.prompts); });
  if (scores.size() != rollouts.size())
    throw Error(ErrorKind::Internal, "step",
                concat("the verifier returned ", scores.size(), " scores for ", rollouts.size(),
                       " rollouts; one each is needed"));
  report_errors(scores);
  for (std::size_t i = 0; i < rollouts.size(); ++i) {
    generated_.push_back(rollouts[i].id);
    w_.store.add(std::move(rollouts[i]), std::move(scores[i]), step_);
  }
  std::size_t wanted = 0;
  for (const Issued& issued : issued_) wanted += issued.n;
  w_.recorder.progress({"generate", static_cast<double>(generated_.size()),
                        static_cast<double>(wanted),
                        w_.engine.cost().generated - engine_before_.generated});
}

// Each text once: a failed call of a reward function is the error of all its rollouts.
void StepRun::report_errors(std::span<const Score> scores) {
  std::set<std::string_view> told;
  for (const Score& score : scores)
    if (score.scoring == Scoring::VerifierError && told.insert(score.reason).second)
      w_.recorder.event({Severity::Warning, "verifier_error", score.reason, step_});
}

// An empty batch makes no optimizer step: momentum and weight decay would move the weights.
Feedback StepRun::learn(const TrainBatch& batch) {
  Feedback feedback;
  feedback.before = feedback.after = version();
  if (!batch.items.empty()) {
    feedback = timed(times_.train, [&] { return w_.learner.update(batch, w_.store); });
    w_.engine.refresh(version());
  }
  feedback.step = step_;
  return feedback;
}

StepCost StepRun::cost() const {
  const EngineCost engine = w_.engine.cost();
  const LearnerCost learner = w_.learner.cost();
  return {engine.prefilled - engine_before_.prefilled, engine.generated - engine_before_.generated,
          learner.trained - learner_before_.trained, learner.scored - learner_before_.scored};
}

void StepRun::record(const TrainBatch& batch, const Feedback& feedback) {
  std::vector<Metric> metrics = w_.controller.metrics();
  if (feedback.updated)
    for (Metric& metric : w_.learner.metrics()) metrics.push_back(std::move(metric));
  metrics.push_back({"train/updates", static_cast<double>(version())});
  std::sort(generated_.begin(), generated_.end());
  const std::vector<std::string> functions = w_.verifier.part_names();
  for (Metric& metric : score_metrics(w_.store, generated_, functions, w_.verifier.mark_names()))
    metrics.push_back(std::move(metric));
  if (w_.controller.needs().hold)
    for (Metric& metric : held_metrics(step_, batch, feedback, w_.store, evicted_))
      metrics.push_back(std::move(metric));
  times_.step = w_.clock.seconds() - start_;
  w_.recorder.step({step_, issued_, generated_, batch, feedback, w_.store, w_.prompts, metrics,
                    times_, cost(), functions});
}

// Takes back what is still being generated, so that nothing of it surfaces in the next step.
void StepRun::drain(std::span<const RolloutId> open) {
  if (outstanding_ > 0) w_.engine.cancel(open);
  while (outstanding_ > 0) {
    const std::size_t returned = w_.engine.wait().size();
    if (returned == 0) break;  // the engine dropped the rest
    outstanding_ -= std::min(outstanding_, returned);
  }
}

StepResult StepRun::abandon() {
  std::vector<RolloutId> open;
  for (const Issued& issued : issued_)
    for (std::uint32_t i = 0; i < issued.n; ++i) open.push_back(issued.first + i);
  drain(open);
  w_.controller.load(boundary_->controller, w_.prompts.hash());
  w_.prompts.load(boundary_->prompts);
  w_.store.load(boundary_->store);
  return {StepEnd::Interrupted, cost()};
}

}  // namespace

std::span<const PromptRef> first_candidates(PromptSource& prompts, const Needs& needs,
                                            std::uint32_t prompts_per_step) {
  const float factor = needs.candidate_factor;  // 0: all prompts come by refill
  const float share = static_cast<float>(prompts_per_step) * factor;
  const auto wanted = static_cast<std::size_t>(factor > 0 ? std::max(1.0f, share) : 0);
  return prompts.candidates(wanted, needs.draw);
}

StepResult run_step(StepWorld& world, const StepSettings& settings) {
  return StepRun(world, settings).run();
}

}  // namespace allot
