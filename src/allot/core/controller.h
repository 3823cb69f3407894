// The driver's side of a method: hosts and the loop call these four verbs and nothing else.
//
// The Controller counts steps, numbers rollouts, delivers outcomes in issue order and at the
// declared grain whatever order they arrive in, keeps the budget account, computes what all methods
// share (metrics, zero causes, prompt records), checks every batch a method returns, and saves
// itself and its method as one blob at any event. Source: contract, sections 2 and 3.
//
// Errors. A mistake of the host (an unknown or repeated outcome, a call out of order) is an
// Error(Internal) from "controller.<verb>" and changes nothing. A breach of the contract by the
// method is an Error(Internal) from "method <name>"; the step cannot go on after it.
//
// Not thread-safe: one thread at a time. Spans passed in are copied before a call returns.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "allot/core/method.h"

namespace allot {

// What a host can serve; compared with Method::needs() at construction.
struct HostTraits {
  Grain grain = Grain::Round;
  bool refill = true, cancel = false, hold = false, exemplar = false;
  bool logprob = false, entropy = false, embedding = false, answer_class = false;
  std::uint32_t max_rounds = 0;  // most requests per prompt and step, 0 = any
  std::uint32_t max_tokens = 0;  // longest answer, 0 = unknown; used where Budget::max_tokens is 0
};

// One request with its numbers: the rollouts first .. first + n - 1 of one prompt, whose positions
// in the prompt's issue order are first_seq .. first_seq + n - 1.
struct Issued {
  PromptId prompt = 0;
  RolloutId first = 0;
  std::uint32_t n = 0, first_seq = 0, tag = 0, round = 0;
  float temperature = -1;
  std::uint64_t exemplar = 0;
};

// What the host does next: submit `generate`, then stop `cancel`, then answer a refill wish with
// the next observe(), before waiting for outcomes.
struct Plan {
  std::vector<Issued> generate;
  // Rollouts whose text is no longer wanted, ascending; some may have finished or been reported
  // meanwhile. With `done`, all that were not reported. Each still counts as one to be reported
  // until the plan is done.
  std::vector<RolloutId> cancel;
  std::uint32_t refill = 0;  // further candidate prompts wanted
  bool done = false;         // finalize() comes next
};

struct ControllerOptions {
  std::string method = "method";  // name in errors, metrics and saved state
  std::uint64_t seed = 0;
  HostTraits host;
  double reward_resolution = 1e-6;  // adv.resolution: smaller differences carry no signal
  std::uint64_t data_size = 0;      // prompts in the data set, for ledger/unseen; 0 = unknown
};

class Controller {
 public:
  // Throws Error(Config) naming every need of the method that the host does not serve.
  Controller(std::unique_ptr<Method> method, ControllerOptions options);
  ~Controller();
  Controller(Controller&&) noexcept;
  Controller& operator=(Controller&&) noexcept;

  const Needs& needs() const;
  const std::string& method_name() const;
  // Number of the open step, else of the one that waits for its feedback, else of the next one.
  std::uint64_t step() const;

  // Opens a step; the feedback of the step before may still be owed (overlap of one).
  // `budget` is this step's; its run_rollouts and run_steps are totals of the whole run, the same
  // in every step, of which the method is shown what is left. Candidates have distinct ids below
  // 2^63. `lost`: held rollouts that the host had to give up; they can no longer be named.
  Plan plan(std::span<const PromptRef> candidates, const Budget& budget, Version policy,
            std::span<const RolloutId> lost = {});

  // Outcomes in any order, each issued rollout exactly once, cancelled ones too. Identity (tag,
  // seq, round) is filled in; only id and prompt are compared. `more_prompts` answers an open
  // refill wish, with at most as many prompts; none means that the source is exhausted, and the
  // method may not ask again in this step. With `deadline`, what was not reported counts as
  // cancelled, the method sees everything else and the plan is done; what it still asks for is
  // dropped. Once the plan is done, late outcomes are accepted and not handed on.
  Plan observe(std::span<const Outcome> outcomes, std::span<const PromptRef> more_prompts = {},
               bool deadline = false);

  // Closes generation; legal at any time after plan(). Checks the batch against the contract
  // (core/batch_check.h) and fills in the zero cause of every planned prompt. The method's own
  // stands where the batch pools rollouts of earlier steps, and for methods that make rewards of
  // their own from the answers (Needs::answer_class).
  TrainBatch finalize();

  // Ends the step. Feedback::step is the finalized step's.
  void feedback(const Feedback&);

  // Shared metrics of the last finalized step (core/step_metrics.h), and the method's own under
  // "alloc/<method>/", those it shares with others (shared_metric.h) as they are.
  std::vector<Metric> metrics() const;

  std::optional<PromptRecord> record(PromptId) const;  // none before the first finalized request
  std::vector<PromptRecord> records() const;           // sorted by prompt id

  // One versioned blob, at any event. load() throws Error(Model) naming both values for another
  // method, seed, version or data set, and for a damaged blob; a refused Controller is unchanged
  // unless the method itself refused its part.
  std::string save(std::uint64_t dataset_hash) const;
  void load(std::string_view blob, std::uint64_t dataset_hash);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace allot
