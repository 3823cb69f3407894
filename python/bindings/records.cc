#include "bindings/records.h"

#include "bindings/columns.h"

namespace allot::python {

void bind_records(nb::module_& m) {
  TableClass<Records> records(m, "Records", "PromptRecord",
                              "What is known of each prompt asked so far, by prompt id: columns "
                              "[prompts], or one PromptRecord after the other by iteration.");
  records.field("prompt", &PromptRecord::prompt, "id, int64")
      .field("successes", &PromptRecord::successes, "correct first-round outcomes, float64")
      .field("trials", &PromptRecord::trials, "first-round outcomes, float64")
      .field("last_abs_advantage", &PromptRecord::last_abs_advantage,
             "mean size of the advantages of its last group, float32")
      .field("last_step", &PromptRecord::last_step, "step in which it was asked last, int64")
      .field("rollouts", &PromptRecord::rollouts, "rollouts so far, int64")
      .field("tokens", &PromptRecord::tokens, "generated tokens so far, int64")
      .named("last_cause", &PromptRecord::last_cause,
             "why its last group carried no signal: index into ZERO_CAUSES, uint8; the name in a "
             "record");
}

}  // namespace allot::python
