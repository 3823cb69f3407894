// The driver's side of a method: hosts and the loop call these four verbs and nothing else.
//
// The Controller counts steps, numbers rollouts, delivers outcomes in issue order and at the
// declared grain whatever order they arrive in, keeps the budget account, computes what all methods
// share (metrics, zero causes, prompt records), checks every batch a method returns, and saves
// itself and its method as one blob at any event. Source: contract, sections 2 and 3.
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

struct Plan {
  std::vector<Issued> generate;
  std::vector<RolloutId> cancel;
  std::uint32_t refill = 0;  // further candidate prompts wanted
  bool done = false;
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
  std::uint64_t step() const;  // number of the open step, or of the next one

  // Opens a step. `budget` is this step's; run-wide fields are kept by the account afterwards.
  // Candidates must have distinct ids.
  Plan plan(std::span<const PromptRef> candidates, const Budget& budget, Version policy,
            std::span<const RolloutId> lost = {});

  // Outcomes in any order, each issued rollout exactly once. `more_prompts` answers a refill wish;
  // an empty answer to an open wish means that the source is exhausted (the wish ends there).
  Plan observe(std::span<const Outcome> outcomes, std::span<const PromptRef> more_prompts = {},
               bool deadline = false);

  // Closes generation; legal at any time after plan(). Checks the batch against the contract.
  TrainBatch finalize();

  // Ends the step.
  void feedback(const Feedback&);

  // Shared and method metrics of the last finalized step (names: conventions, section 5).
  std::vector<Metric> metrics() const;

  std::optional<PromptRecord> record(PromptId) const;
  std::vector<PromptRecord> records() const;  // sorted by prompt id

  // One versioned blob, at any event. load() refuses another method, version or data set by name.
  std::string save(std::uint64_t dataset_hash) const;
  void load(std::string_view blob, std::uint64_t dataset_hash);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace allot
