// What became of rollouts, as reported from Python: columns, records, or both at once.
#pragma once

#include <vector>

#include "allot/core/types.h"
#include "bindings/values.h"

namespace allot::python {

// One outcome. What the caller left out is filled in by the controller: the prompt from the
// request, `behaviour` with the step's policy, `correct` with reward > success_threshold.
struct OutcomeRow {
  Outcome outcome;
  std::vector<float> parts;
  bool has_id = false, has_prompt = false, has_reward = false, has_scoring = false;
  bool has_correct = false, has_behaviour = false;
  bool scored_without_reward = false;
};

struct Outcomes {
  std::vector<OutcomeRow> rows;
};

// Columns {name: values} of one length. Throws Error(Data) that names column and row.
Outcomes outcomes_of_columns(nb::dict columns, std::string_view where);

// Anything that observe() takes: allot.Outcomes, a dict of columns, a sequence of allot.Outcome or
// of dicts, None.
Outcomes outcomes_of(nb::handle given);

}  // namespace allot::python
