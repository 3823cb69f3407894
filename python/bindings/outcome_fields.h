// The fields of an outcome, listed once: how one value is read, and how a whole array is.
#pragma once

#include <vector>

#include "bindings/arrays.h"
#include "bindings/outcomes.h"

namespace allot::python {

struct OutcomeField {
  const char* name;
  const char* type;  // in the signature of allot.Outcome
  const char* doc;
  void (*one)(OutcomeRow& row, nb::handle value, const Place& place);
  // Whole array at once; nullptr where only single values make sense.
  void (*many)(std::vector<OutcomeRow>& rows, const AnyArray& array, nb::handle given,
               const Place& place);
  bool may_stand_for_all = false;  // one value for all rows is understood
};

const std::vector<OutcomeField>& outcome_fields();
const std::vector<std::string>& outcome_field_names();

}  // namespace allot::python
