// What a run has cost so far: the cumulative account that every step and evaluation carries.
#pragma once

#include <cstdint>

namespace allot {

// Counts since the first step. Each member is listed once more in columns(), from which come the
// columns of run.sqlite, the keys of metrics.jsonl and those of compare.json.
struct RunTotals {
  std::uint64_t updates = 0;    // steps that changed the weights
  std::uint64_t prefilled = 0;  // prompt positions prefilled
  std::uint64_t generated = 0;  // response tokens sampled
  std::uint64_t trained = 0;    // positions run forward and backward
  std::uint64_t scored = 0;     // positions run forward only
  std::uint64_t compute = 0;    // prefilled + generated + 3 trained + scored

  std::uint64_t rollouts_generated = 0;
  std::uint64_t rollouts_trained = 0;    // per step distinct; trained again in a later step: again
  std::uint64_t rollouts_discarded = 0;  // neither trained nor held; or given back untrained
  std::uint64_t tokens_trained = 0;      // response tokens of the rollouts trained
  std::uint64_t tokens_discarded = 0;    // response tokens of the rollouts discarded

  double generate_s = 0, score_s = 0, train_s = 0, step_s = 0;  // seconds by phase; step: all

  // v(name, pointer to member), in the order above.
  template <class V>
  static void columns(V&& v) {
    v("updates", &RunTotals::updates);
    v("prefilled", &RunTotals::prefilled);
    v("generated", &RunTotals::generated);
    v("trained", &RunTotals::trained);
    v("scored", &RunTotals::scored);
    v("compute", &RunTotals::compute);
    v("rollouts_generated", &RunTotals::rollouts_generated);
    v("rollouts_trained", &RunTotals::rollouts_trained);
    v("rollouts_discarded", &RunTotals::rollouts_discarded);
    v("tokens_trained", &RunTotals::tokens_trained);
    v("tokens_discarded", &RunTotals::tokens_discarded);
    v("generate_s", &RunTotals::generate_s);
    v("score_s", &RunTotals::score_s);
    v("train_s", &RunTotals::train_s);
    v("step_s", &RunTotals::step_s);
  }

  bool operator==(const RunTotals&) const = default;
};

}  // namespace allot
