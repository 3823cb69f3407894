// The interface of an allocation method: which prompts get rollouts, how many, when to stop, what
// is trained on, with which advantages.
//
// A method is a deterministic, single-threaded state machine behind five calls. It exchanges only
// ids and small records with its driver; all randomness comes from BatchView::seed (core/random.h),
// and its whole state is one blob. Hosts never call a Method themselves but through Controller.
//
//   plan -> (observe)* -> finalize -> [optimizer step, unless the batch is empty] -> feedback
//
// Source: contract, sections 1 and 2.
#pragma once

#include <memory>
#include <string_view>

#include "allot/core/types.h"

namespace allot {

class Method {
 public:
  virtual ~Method() = default;

  virtual Needs needs() const = 0;

  // Once per step: the first requests, possibly none, possibly `done`.
  virtual Decision plan(const BatchView&) = 0;

  // Each time events of the declared grain are available. Spans are valid only during the call.
  virtual Decision observe(const Events&) = 0;

  // Legal at any time after plan(). A possibly empty batch, and one report per planned prompt.
  virtual TrainBatch finalize() = 0;

  // After the optimizer step, also after a skipped one.
  virtual void feedback(const Feedback&) {}

  // Of the last step, without the prefix "alloc/<method>/"; shared names: core/shared_metric.h.
  virtual std::vector<Metric> metrics() const { return {}; }

  // The whole state, legal at any event. load() throws Error on an unknown version.
  virtual std::string save() const { return {}; }
  virtual void load(std::string_view /*blob*/, std::uint64_t /*dataset_hash*/) {}
};

}  // namespace allot
