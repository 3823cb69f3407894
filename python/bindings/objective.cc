// The policy loss on given numbers, in double precision: allot.objective.
//
// The Python side hands over nested lists of floats and texts of settings; shapes and values are
// checked by objective/fields.h and the options.
#include <algorithm>
#include <cstdint>

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "allot/core/error.h"
#include "allot/methods/parts/reward_advantages.h"
#include "allot/objective/fields.h"
#include "allot/objective/presets.h"
#include "allot/objective/requirements.h"
#include "bindings/bindings.h"

namespace allot::python {
namespace {

struct Composed {
  objective::LossOptions loss;
  AdvantageOptions adv;
};

Composed composed(nb::dict settings) {
  Composed out;
  OptionList list = OptionList::of(out.loss, "loss");
  list.add(out.adv, "adv");
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto& [key, value] : settings)
    pairs.emplace_back(nb::cast<std::string>(key), nb::cast<std::string>(value));
  objective::apply_settings(list, pairs, "allot.objective");
  out.adv.validate();
  out.loss = objective::whole_preset(out.loss);
  return out;
}

void read_field(const std::string& name, nb::handle value, objective::Fields& fields) {
  for (const auto& [known, member] : objective::matrix_fields())
    if (name == known) {
      fields.*member = nb::cast<objective::Matrix>(value);
      return;
    }
  for (const auto& [known, member] : objective::cube_fields())
    if (name == known) {
      fields.*member = nb::cast<objective::Cube>(value);
      return;
    }
  if (name == "anchor_override")
    fields.anchor_override = nb::cast<std::vector<std::string>>(value);
  else if (name == "seed")
    fields.seed = nb::cast<std::uint64_t>(value);
  else if (name == "step")
    fields.step = nb::cast<std::uint64_t>(value);
  else
    throw Error(ErrorKind::Internal, "allot.objective", concat("unknown field ", name));
}

nb::dict evaluate(nb::dict given, nb::dict settings) {
  const Composed options = composed(settings);
  objective::Fields fields;
  for (const auto& [key, value] : given) read_field(nb::cast<std::string>(key), value, fields);
  const objective::Evaluation result =
      objective::evaluate(options.loss, reward_estimator(options.adv), fields);
  nb::dict metrics;
  for (const Metric& metric : result.metrics) metrics[metric.name.c_str()] = metric.value;
  nb::dict out;
  out["advantages"] = nb::cast(result.advantages);
  out["loss"] = result.loss.loss;
  out["coefficient_loss"] = result.loss.coefficient_loss;
  out["grad"] = nb::cast(result.loss.gradient);
  out["grad_log_partition"] = nb::cast(result.loss.log_partition);
  out["metrics"] = metrics;
  return out;
}

nb::list preset_names() {
  nb::list out;
  for (const objective::PresetRow& row : objective::presets())
    out.append(nb::str(row.name.data(), row.name.size()));
  return out;
}

}  // namespace

void bind_objective(nb::module_& m) {
  m.def("objective_evaluate", evaluate, nb::arg("fields"), nb::arg("settings"),
        nb::sig("def objective_evaluate(fields: dict[str, object], settings: dict[str, str]) -> "
                "typing.Any"));
  m.def("objective_presets", preset_names, nb::sig("def objective_presets() -> list[str]"));
  m.def(
      "objective_requirements",
      [](nb::dict settings) {
        return nb::cast(objective::requirements(composed(settings).loss).names());
      },
      nb::arg("settings"),
      nb::sig("def objective_requirements(settings: dict[str, str]) -> list[str]"));
}

}  // namespace allot::python
