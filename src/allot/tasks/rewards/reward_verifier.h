// The Verifier made of reward functions: weighted, gated, called in a pool, with every mistake and
// failure of a function told apart. Source: conventions, section 7.
//
// | a function                               | the response                                    |
// |---|---|
// | gives a finite value                     | Scored                                          |
// | gives NaN, or a Score that says so       | has no value of it; NotScorable if no function  |
// |                                          | has one, or the one that judges has none        |
// | throws, or exceeds the time limit        | VerifierError, with the text as its reason      |
// | gives an infinite value                  | RewardMistake: it ends the run                  |
// | gives more or fewer values than asked    | RewardMistake: it ends the run                  |
//
// The reward is the sum of the functions' values times their weights, those without a value left
// out, as in TRL. Correct: the first function that judges correctness gives more than the success
// threshold; without one, the reward does. So weights, shaping and format never touch beliefs.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "allot/loop/verifier.h"
#include "allot/tasks/rewards/reward_workers.h"

namespace allot {

struct RewardFunction {
  std::string name;
  // Score::reward is the value; the rest is read of the function that judges. Called from several
  // threads at once, with rollouts without log-probabilities.
  std::shared_ptr<Verifier> verifier;
  double weight = 1;
  bool judges = false;               // of correctness
  std::size_t rollouts_at_once = 0;  // in one call; 0 = all of them
};

// One value per rollout, in order; NaN = not scorable.
using RewardValues =
    std::function<std::vector<float>(std::span<const Rollout>, const PromptSource&)>;

// A user's function as the verifier of a RewardFunction.
std::shared_ptr<Verifier> verifier_of(RewardValues values);

// The value of `gated` counts where that of `by` is at least `least`; it is 0 below, and missing
// where that one is.
struct RewardGate {
  std::string gated, by;
  double least = 0.5;
};

struct RewardRules {
  std::vector<RewardGate> gates;
  double success_threshold = 0.5;
  int workers = 2;
  double timeout_s = 5;  // of one call; 0 = none
};

// score() is for one thread at a time.
class RewardVerifier final : public Verifier {
 public:
  // Throws Error(Config): no function, two of one name, a gate that names none of them.
  RewardVerifier(std::vector<RewardFunction> functions, const RewardRules& rules);

  // Score::parts holds the values by function, gated and without weights, where there are several.
  // Throws RewardMistake, also when functions hung so often that threads run out.
  std::vector<Score> score(std::span<const Rollout> rollouts, const PromptSource& prompts) override;

  std::vector<std::string> part_names() const override;
  // Those of the function that judges, else of the first one; so are the marks and steps of scores.
  std::vector<std::string> mark_names() const override;

 private:
  struct Gate {
    std::size_t gated, by;
    double least;
  };
  struct Batch;
  using Values = std::vector<std::vector<Score>>;  // [functions][rollouts of a batch]

  Values call_all(const std::shared_ptr<const Batch>& batch);
  Score combined(const Values& values, std::size_t rollout) const;
  std::size_t place(const std::string& name) const;
  std::size_t described() const { return judge_ < functions_.size() ? judge_ : 0; }

  std::vector<RewardFunction> functions_;
  std::vector<Gate> gates_;
  double success_threshold_;
  std::size_t judge_;  // place of the function that judges, or how many there are
  RewardWorkers workers_;
};

}  // namespace allot
