// The metrics that every method shares, computed from one finalized step.
//
// Names and meanings: contract, sections 7 and 11; conventions, section 5. A metric that does not
// apply is absent, never 0. Sums run in prompt order and issue order.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "allot/core/delivery.h"
#include "allot/core/held_rollouts.h"
#include "allot/core/ledger.h"
#include "allot/core/types.h"

namespace allot {

// Response tokens and rollouts of a step or of a run. `generated`: all that were issued, a
// cancelled one at its full allowance. `trained`: items handed to the optimizer, repeats counted.
// `discarded`: left without ever having been trained on; what is held is not discarded yet.
struct Spending {
  Amount generated, trained, discarded;

  void add(const Spending& more) {
    generated.add(more.generated.rollouts, more.generated.tokens);
    trained.add(more.trained.rollouts, more.trained.tokens);
    discarded.add(more.discarded.rollouts, more.discarded.tokens);
  }
  template <class V>
  void state(V& v) {
    v(generated);
    v(trained);
    v(discarded);
  }
};

// What a TrainItem ships; parallel to TrainBatch::items.
struct ShippedRollout {
  PromptId prompt = 0;
  float reward = 0;
  std::uint32_t tokens = 0;
};

struct StepFacts {
  Version policy = 0;
  std::span<const PlannedPrompt> planned;
  const TrainBatch& batch;  // with the causes filled in
  std::span<const ShippedRollout> shipped;
  Budget given, left;
  Spending step, run;
  const Ledger& ledger;
  std::uint64_t data_size = 0;  // prompts in the data set, 0 = unknown
};

// reward/{first_round,mean,std,shipped}  group/frac_{mixed,all_good,all_bad}
// group/zero_cause/{all_right,all_wrong,tie,single,truncated,no_answer,unscorable}: shares of the
//   planned prompts; unscorable includes group/{verifier_error,generation_failed}, counts of groups
// {rollouts,tokens}/{generated,trained,discarded} of the step, and with _total of the run
// alloc/{n_mean,n_min,n_max,rounds,unspent,admitted}  alloc/budget_left_{rollouts,tokens}
// alloc/n_hist/{0,1,2,3-4,5-8,9-16,..}: planned prompts by their rollouts, to the last bin in use
// alloc/prompt_weight_{min,median,max}: a prompt's share of the loss under the batch's weights and
//   normaliser, relative to the mean over the trained prompts
// alloc/prompt_weight_hist/{0-0.35,0.35-0.71,0.71-1.41,1.41-2.83,2.83-}: trained prompts by the
// same advantage/abs_mean  length/{mean,min,max,truncated_frac}  length/terminated_{mean,min,max}
// verifier/{correct,wrong,no_answer,not_scorable,error}  ledger/{dead,solved,mixed,unseen}
//
// Writes over `metrics`, those of the step before: their names keep their memory.
void step_metrics(const StepFacts& facts, std::vector<Metric>& metrics);

}  // namespace allot
