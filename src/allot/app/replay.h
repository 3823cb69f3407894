// Decisions of a method on logged or hand-written outcomes: `allot replay`.
//
// Input, JSONL, one object per prompt and step; empty lines are skipped:
//   {"prompt": 17, "step": 0, "outcomes": [{"correct": true, "reward": 1, "tokens": 37,
//    "answer": "12", "truncated": false}, ...]}
//   prompt   a whole number below 2^63, or text (hashed); printed as given
//   step     whole number, default 0. The steps are played in ascending order; all objects of a
//            step, in file order, are its candidates, each prompt once
//   outcomes handed out in this order as the method asks for rollouts. `correct` or `reward` is
//            needed, the other follows (reward 1 or 0; correct above 0.5); reward null = not
//            scorable. answer null = no readable answer. tokens defaults to 1. Numbers "logprob"
//            and "entropy" (nats per token, means) are 0 where they are not given
//
// Output, JSONL. prompt as given, step as in the file:
//   {"kind": "request", "step", "prompt", "n", "tag", "round"}
//   {"kind": "group", "step", "prompt", "cause", "admitted", "items": [{"index", "advantage",
//    "weight"}]}   one per planned prompt; index = position in `outcomes`. Groups kept from an
//                  earlier step come first; their items have "from_step". "held": true marks a
//                  group that is kept for a later step
//   {"kind": "batch", "step", "norm", "z"}   z = what the sum over items is divided by: tokens,
//                  rollouts or groups of the batch, or the method's constant
//   {"kind": "summary", "method", "seed", "steps", "prompts", "rollouts", "shipped", "groups",
//    "updates"}    once, last
//
// The same input, options and seed give the same bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "allot/core/options.h"
#include "allot/methods/registry.h"

namespace allot {

// Keys as in a run's configuration: alloc.*, adv.*, train.prompts_per_step.
struct ReplayOptions {
  ReplayOptions() { alloc.group_size = 16; }

  AllocOptions alloc;
  AdvantageOptions adv;
  struct Train {
    int prompts_per_step = 0;

    template <class V>
    void fields(V& v) {
      v("prompts_per_step", prompts_per_step, Range{0, 1e6},
        "groups wanted in a step; prompts beyond that, times the candidates the method wants to "
        "see per group, are left for its refills; 0 = as many as the step has prompts");
    }
  } train;

  template <class V>
  void fields(V& v) {
    v("alloc", alloc);
    v("adv", adv);
    v("train", train);
  }
};

// The output lines, without line ends. `where` names the input in errors. Throws Error(Data) for a
// broken line (with its number) and for a request beyond what the file holds (with the prompt),
// Error(Config) for options.
std::vector<std::string> replay(std::string_view text, std::string_view where,
                                const ReplayOptions& options, std::uint64_t seed);

}  // namespace allot
