#include "bindings/outcomes.h"

#include <unordered_map>

#include "allot/core/error.h"
#include "bindings/outcome_fields.h"

namespace allot::python {
namespace {

constexpr std::string_view kWanted =
    "allot.Outcomes, a dict of columns, or a sequence of allot.Outcome or of dicts";

bool stands_for_all(const OutcomeField& field, nb::handle values) {
  return field.may_stand_for_all && (is_text(values) || is_number(values));
}

std::size_t length_of(nb::handle values, const Place& place) {
  if (is_text(values) || !nb::hasattr(values, "__len__"))
    refuse_value(place, values, "a column (an array or a list, one value per rollout)");
  if (nb::hasattr(values, "shape") && nb::len(nb::object(values.attr("shape"))) == 0)
    refuse_value(place, values, "a column of one dimension");
  return nb::len(nb::object(nb::borrow(values)));
}

void fill(std::vector<OutcomeRow>& rows, const OutcomeField& field, nb::handle values,
          const Place& place) {
  if (stands_for_all(field, values)) {
    for (OutcomeRow& row : rows) field.one(row, values, place);
    return;
  }
  const std::size_t length = length_of(values, place);
  if (length != rows.size())
    refuse(place, concat("a column of ", length, " values"),
           concat(rows.size(), " (as many as ids)"));
  if (const auto array = field.many ? array_of(values) : std::nullopt) {
    require_one_dimension(*array, values, place);
    field.many(rows, *array, values, place);
    return;
  }
  std::ptrdiff_t i = 0;
  for (const nb::handle value : nb::borrow(values)) {
    field.one(rows[static_cast<std::size_t>(i)], value, {place.what, i, place.hint});
    ++i;
  }
}

// Rules that concern several fields of a row, and ids that occur twice.
void check(const std::vector<OutcomeRow>& rows, std::string_view where) {
  std::unordered_map<RolloutId, std::size_t> first;
  first.reserve(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const OutcomeRow& row = rows[i];
    const Place place{where, static_cast<std::ptrdiff_t>(i)};
    if (!row.has_id) refuse(place, "no id", "the rollout's id, as in plan.generate");
    const bool ended = row.outcome.status == Status::Ok || row.outcome.status == Status::Truncated;
    if (ended && row.outcome.scoring == Scoring::Scored &&
        (!row.has_reward || row.scored_without_reward))
      refuse(place, row.has_reward ? "scoring 'scored' without a reward" : "no reward",
             "a reward; None says that it is not scorable");
    const auto [at, fresh] = first.emplace(row.outcome.id, i);
    if (!fresh)
      refuse(place, concat("the id ", row.outcome.id, " of row ", at->second, " again"),
             "one outcome per rollout");
  }
}

OutcomeRow row_of(nb::dict fields, std::string_view where, std::ptrdiff_t i) {
  OutcomeRow row;
  each_keyword(fields, outcome_field_names(), where, [&](std::size_t f, nb::handle value) {
    const OutcomeField& field = outcome_fields()[f];
    field.one(row, value, {where, i, {}, field.name});
  });
  return row;
}

Outcomes outcomes_of_records(nb::handle records) {
  Outcomes out;
  std::ptrdiff_t i = 0;
  for (const nb::handle record : nb::borrow(records)) {
    if (nb::isinstance<OutcomeRow>(record))
      out.rows.push_back(nb::cast<const OutcomeRow&>(record));
    else if (is_mapping(record))
      out.rows.push_back(row_of(dict_of(record), "outcomes", i));
    else
      refuse_value({"outcomes", i}, record, "an allot.Outcome or a dict");
    ++i;
  }
  check(out.rows, "outcomes");
  return out;
}

std::string signature(const char* type_of_values) {
  std::string text = "def __init__(self, *";
  for (const OutcomeField& field : outcome_fields())
    text += concat(", ", field.name, ": ", type_of_values ? type_of_values : field.type,
                   text.ends_with("*") ? "" : " = ...");  // the id, which comes first, is needed
  return text + ") -> None";
}

std::string fields_text() {
  std::string text;
  for (const OutcomeField& field : outcome_fields())
    text += concat("\n  ", field.name, ": ", field.doc);
  return text;
}

}  // namespace

Outcomes outcomes_of_columns(nb::dict columns, std::string_view where) {
  Outcomes out;
  if (columns.size() == 0) return out;
  if (!columns.contains("id"))
    refuse({where}, "columns without 'id'", "the ids of the rollouts, as in plan.generate");
  out.rows.resize(length_of(columns["id"], {concat(where, ".id")}));
  each_keyword(columns, outcome_field_names(), where, [&](std::size_t f, nb::handle values) {
    if (values.is_none()) return;
    const OutcomeField& field = outcome_fields()[f];
    const std::string what = concat(where, ".", field.name);
    fill(out.rows, field, values, {what});
  });
  check(out.rows, where);
  return out;
}

Outcomes outcomes_of(nb::handle given) {
  if (given.is_none()) return {};
  if (nb::isinstance<Outcomes>(given)) return nb::cast<const Outcomes&>(given);
  if (is_mapping(given)) return outcomes_of_columns(dict_of(given), "outcomes");
  if (is_text(given) || !nb::hasattr(given, "__iter__") || nb::hasattr(given, "shape"))
    refuse_value({"outcomes"}, given, kWanted);
  return outcomes_of_records(given);
}

void bind_outcomes(nb::module_& m) {
  const std::string fields = fields_text();
  nb::class_<OutcomeRow>(m, "Outcome", "What became of one rollout.")
      .def(
          "__init__",
          [](OutcomeRow* self, const nb::kwargs& fields_given) {
            new (self) OutcomeRow(row_of(fields_given, "Outcome", -1));
          },
          nb::sig(signature(nullptr).c_str()), ("Fields, all but id optional:" + fields).c_str())
      .def_prop_ro("id", [](const OutcomeRow& self) { return self.outcome.id; })
      .def("__repr__", [](const OutcomeRow& self) {
        return concat("allot.Outcome(id=", self.outcome.id, ", status='", name(self.outcome.status),
                      "', scoring='", name(self.outcome.scoring), "', reward=", self.outcome.reward,
                      ")");
      });
  nb::class_<Outcomes>(m, "Outcomes", "What became of several rollouts, as columns.")
      .def(
          "__init__",
          [](Outcomes* self, const nb::kwargs& columns) {
            new (self) Outcomes(outcomes_of_columns(columns, "Outcomes"));
          },
          nb::sig(signature("object").c_str()),
          ("Columns [rollouts]: arrays or lists. status, scoring, parsed and behaviour may be one "
           "value for all rows." +
           fields)
              .c_str())
      .def("__len__", [](const Outcomes& self) { return self.rows.size(); });
}

}  // namespace allot::python
