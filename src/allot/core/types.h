// The words that methods and drivers exchange: ids, outcomes, requests, batches, budgets.
//
// A *rollout* is one response to one prompt, its *outcome* the small record the driver reports
// about it, a *group* the rollouts of one prompt that are considered together. Everything here is
// a plain value; nothing refers to a tensor, a clock or a thread. Source: contract, section 2.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace allot {

using PromptId = std::uint64_t;   // 63 bits, stable across epochs, restarts and ranks
using RolloutId = std::uint64_t;  // unique in a run, given out by the Controller
using Version = std::uint32_t;    // optimizer updates applied to the policy meant

enum class Grain : std::uint8_t { Rollout, Request, Round };            // finest batch of observe()
enum class Status : std::uint8_t { Ok, Truncated, Failed, Cancelled };  // how generation ended
enum class Scoring : std::uint8_t { Scored, NotScorable, VerifierError };  // how scoring ended
enum class Norm : std::uint8_t { PerToken, PerRollout, PerGroup, Fixed };  // outer normaliser
enum class Anchor : std::uint8_t { StepStart, Behaviour };   // denominator of the importance ratio
enum class Role : std::uint8_t { Whole, Chooser, InGroup };  // part in a combination of methods
enum class Draw : std::uint8_t { Stream, Uniform, Pool };    // where candidates come from

// Why a planned prompt carried no reward signal; exactly one per such prompt (contract, section 6).
enum class ZeroCause : std::uint8_t {
  None,
  AllRight,
  AllWrong,
  Tie,
  Single,
  Truncated,
  NoAnswer,
  Unscorable,
  VerifierError,
  GenerationFailed
};

// What a method asks of its host. Static: a host refuses at start-up what it cannot serve.
struct Needs {
  Grain grain = Grain::Round;
  Role role = Role::Whole;
  Draw draw = Draw::Stream;
  // Candidates shown per group wanted; 0: all come by refill. Ignored for Draw::Pool.
  float candidate_factor = 1;
  std::uint32_t max_rounds = 1;  // most requests per prompt and step; refills are bounded elsewhere
  bool refill = false, cancel = false, hold = false, exemplar = false;
  bool logprob = false, entropy = false, embedding = false, answer_class = false;
};

struct PromptRef {
  PromptId id = 0;
  std::uint32_t epoch = 0;
  std::span<const float> embedding{};
  // What the data set says: the pass rate of another model, or of an earlier run, in [0, 1].
  std::optional<float> prior_pass_rate{};
};

// What is LEFT to spend. The Controller keeps the account.
struct Budget {
  std::uint32_t groups = 0;                                 // groups wanted in this update
  std::uint64_t rollouts = 0;                               // soft target of this step
  std::uint64_t tokens = 0;                                 // soft target of this step, 0 = none
  std::optional<std::uint64_t> hard_rollouts, hard_tokens;  // caps of this step
  std::optional<std::uint64_t> run_rollouts, run_steps;     // cap and horizon of the whole run
  std::uint32_t n_min = 0, n_max = 0;                       // bounds per prompt, 0 = none
  std::uint32_t max_tokens = 0;  // longest answer; a request reserves n * max_tokens of hard_tokens
};

struct BatchView {
  std::uint64_t step = 0;
  Version policy = 0;
  std::uint64_t seed = 0;
  std::span<const PromptRef> candidates;
  Budget budget;
  std::span<const RolloutId> lost;  // held rollouts the store had to evict since the last step
};

struct GenRequest {
  PromptId prompt = 0;
  std::uint32_t n = 0;
  std::uint32_t tag = 0;       // stage label of the method, echoed back
  float temperature = -1;      // < 0: the trainer's setting
  std::uint64_t exemplar = 0;  // handle of an in-context example or hint, 0 = none
};

struct Outcome {
  RolloutId id = 0;
  PromptId prompt = 0;
  std::uint32_t tag = 0;
  std::uint32_t seq = 0;    // position in issue order within the prompt and step
  std::uint32_t round = 0;  // 0 = the prompt's first request of the step, then 1, 2, ...
  Version behaviour = 0;    // policy version that generated it
  Status status = Status::Ok;
  Scoring scoring = Scoring::Scored;
  float reward = 0;                // defined only if scoring == Scored
  std::span<const float> parts{};  // components of the reward, may be empty; NaN = not scorable
  bool correct = false;            // verifier correctness; beliefs and counts use only this
  bool parsed = true;              // false: no readable answer
  std::uint32_t tokens = 0;
  std::int64_t answer_class = -1;  // -1: none; equal values >= 0 mean the same answer
  float mean_logprob = 0, mean_entropy = 0;
};

struct Events {
  std::span<const Outcome> outcomes;
  std::span<const PromptRef> prompts;  // answer to a refill wish
  Budget left;
  bool deadline = false;
};

struct Decision {
  std::vector<GenRequest> generate;
  std::vector<PromptId> cancel;
  std::uint32_t refill = 0;  // further candidate prompts wanted
  bool done = false;
};

struct TrainItem {
  RolloutId rollout = 0;
  float advantage = 0, weight = 1;
  Anchor anchor = Anchor::StepStart;  // Behaviour: the ratio is against the generating policy
};

// Its items are items[first .. first + count).
struct TrainGroup {
  PromptId prompt = 0;
  std::uint32_t first = 0, count = 0;
  std::uint32_t pool_n = 0;
  float pool_mean = 0;
};

// One for every prompt that was planned.
struct GroupReport {
  PromptId prompt = 0;
  std::uint32_t counted_n = 0;  // outcomes that fed the belief, and their successes
  float counted_sum = 0;
  bool admitted = false;      // takes one of Budget::groups
  std::uint32_t shipped = 0;  // items handed to the optimizer
  ZeroCause cause = ZeroCause::None;
};

struct TrainBatch {
  std::vector<TrainItem> items;
  std::vector<TrainGroup> groups;
  std::vector<GroupReport> reports;
  Norm norm = Norm::PerGroup;
  double fixed = 0;                      // Z of Norm::Fixed
  double length_divisor = 0;             // 0: mean over tokens; > 0: (sum over tokens) / this
  std::vector<RolloutId> hold, release;  // keep these beyond the step; give these back
  // Positions in `groups` whose gradients the learner is asked to report, if it can; ascending. No
  // decision may rest on the answer coming.
  std::vector<std::uint32_t> probe;
};

struct ItemStat {
  RolloutId rollout = 0;
  float ratio = 1, clip_fraction = 0;
};

// The gradient of one group, at the weights before the update. With s the gradient of a rollout's
// log-probability, a half's gradient is sum A s over its items, weights left out; the first half
// are the group's first count / 2 items.
struct ProbedGroup {
  double first_sum = 0, second_sum = 0;        // sum A of each half
  double first_power = 0, second_power = 0;    // sum A^2
  double first_square = 0, second_square = 0;  // squared length of each half's gradient
  double inner = 0;                            // product of the two
};
struct GradientProbe {
  std::vector<ProbedGroup> groups;  // those of TrainBatch::probe, in order
  double sum_square = 0;            // squared length of the sum over all of them
};

struct Feedback {
  std::uint64_t step = 0;
  Version before = 0, after = 0;
  bool updated = false;
  float mean_reward = 0, mean_entropy = 0;
  std::vector<ItemStat> items;
  GradientProbe probe;  // no groups: not measured
};

// What is known of one prompt (the ledger's row).
struct PromptRecord {
  PromptId prompt = 0;
  double successes = 0, trials = 0;  // first-round outcomes; possibly decayed
  float last_abs_advantage = 0;
  std::uint64_t last_step = 0, rollouts = 0, tokens = 0;
  ZeroCause last_cause = ZeroCause::None;
};

struct Metric {
  std::string name;
  double value = 0;

  template <class V>
  void state(V& v) {
    v(name);
    v(value);
  }
};

// Lower-case names as in logs and files: "all_right", "per_group", "truncated", ...
const char* name(ZeroCause);
const char* name(Norm);
const char* name(Status);
const char* name(Scoring);
const char* name(Grain);
const char* name(Draw);
const char* name(Anchor);

}  // namespace allot
