// The draws of prompts within one step, for methods that refill: prompts shown by the driver wait
// here until they are requested; what is missing for a draw becomes a refill wish.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "allot/core/types.h"

namespace allot {

class PromptDraws {
 public:
  // Starts a step with the candidates of plan() and at most `max_draws` draws.
  void open(std::span<const PromptRef> shown, std::uint32_t max_draws);

  // Starts a draw of `size` prompts; of none after the last draw or from an exhausted source. A
  // draw of none is not counted.
  void start(std::uint32_t size);
  // Those of the draw that are at hand and were not taken yet.
  std::vector<PromptId> take();
  // What is still missing for the draw, to be put into Decision::refill; 0 once exhausted.
  std::uint32_t wish();
  // The driver's next event: an empty answer to a wish means that the source is exhausted.
  void answer(std::span<const PromptRef> prompts) { answer(prompts, prompts); }
  // The same where only `usable` of these prompts may be drawn.
  void answer(std::span<const PromptRef> prompts, std::span<const PromptRef> usable);

  std::uint32_t count() const { return count_; }  // draws so far

  template <class V>
  void state(V& v) {
    v(shown_);
    v(taken_);
    v(to_take_);
    v(count_);
    v(max_draws_);
    v(wishing_);
    v(exhausted_);
  }

 private:
  std::vector<PromptId> shown_;
  std::uint64_t taken_ = 0;  // of shown_
  std::uint32_t to_take_ = 0, count_ = 0, max_draws_ = 0;
  bool wishing_ = false, exhausted_ = false;
};

}  // namespace allot
