#include "bindings/host.h"

#include <iterator>

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include "allot/core/error.h"
#include "allot/methods/registry.h"

namespace allot::python {
namespace {

struct BudgetField {
  const char* name;
  std::optional<std::uint64_t> GivenBudget::*member;
  std::uint64_t low, high;
  const char* doc;
};
constexpr BudgetField kBudgetFields[] = {
    {"groups", &GivenBudget::groups, 1, kMost32,
     "groups wanted in the update; default: the prompts shown over Needs.candidate_factor"},
    {"rollouts", &GivenBudget::rollouts, 1, kMost63,
     "rollouts aimed at in the step; default: groups x group_size"},
    {"tokens", &GivenBudget::tokens, 0, kMost63, "generated tokens aimed at; default: no aim"},
    {"hard_rollouts", &GivenBudget::hard_rollouts, 0, kMost63, "most rollouts of the step"},
    {"hard_tokens", &GivenBudget::hard_tokens, 0, kMost63,
     "most generated tokens of the step; a request reserves n x max_tokens of them"},
    {"run_rollouts", &GivenBudget::run_rollouts, 0, kMost63, "most rollouts of the whole run"},
    {"run_steps", &GivenBudget::run_steps, 0, kMost63, "steps the run is planned for"},
    {"n_min", &GivenBudget::n_min, 0, kMost32, "least rollouts of a planned prompt"},
    {"n_max", &GivenBudget::n_max, 0, kMost32, "most rollouts of a prompt in the step"},
    {"max_tokens", &GivenBudget::max_tokens, 1, kMost32, "tokens of the longest answer"}};

GivenBudget make_budget(const nb::kwargs& given) {
  std::vector<std::string> names;
  for (const BudgetField& field : kBudgetFields) names.emplace_back(field.name);
  GivenBudget budget;
  each_keyword(given, names, "Budget", [&](std::size_t i, nb::handle value) {
    if (value.is_none()) return;
    const BudgetField& field = kBudgetFields[i];
    budget.*field.member = whole(value, {concat("Budget.", field.name)}, field.low, field.high,
                                 concat("a whole number of at least ", field.low));
  });
  return budget;
}

std::string budget_text(const GivenBudget& budget) {
  std::string text;
  for (const BudgetField& field : kBudgetFields)
    if (budget.*field.member)
      text += concat(text.empty() ? "" : ", ", field.name, "=", *(budget.*field.member));
  return concat("allot.Budget(", text, ")");
}

void bind_budget(nb::module_& m) {
  nb::class_<GivenBudget> budget(
      m, "Budget", "What a step may spend. A field that is None is left at its default.");
  std::string signature = "def __init__(self, *";
  for (const BudgetField& field : kBudgetFields) {
    signature += concat(", ", field.name, ": int | None = None");
    budget.def_prop_ro(
        field.name, [member = field.member](const GivenBudget& self) { return self.*member; },
        field.doc);
  }
  // nanobind copies the text of a signature.
  budget.def(
      "__init__",
      [](GivenBudget* self, const nb::kwargs& given) {
        new (self) GivenBudget(make_budget(given));
      },
      nb::sig((signature + ") -> None").c_str()));
  budget.def("__repr__", budget_text);
}

struct Feature {
  const char* name;
  bool HostTraits::*served;
  bool Needs::*needed;
  const char* doc;
};
constexpr Feature kFeatures[] = {
    {"refill", &HostTraits::refill, &Needs::refill, "further prompts can be shown within a step"},
    {"cancel", &HostTraits::cancel, &Needs::cancel, "running rollouts can be stopped"},
    {"hold", &HostTraits::hold, &Needs::hold,
     "rollouts of earlier steps can be kept, with their log-probabilities, and trained on"},
    {"exemplar", &HostTraits::exemplar, &Needs::exemplar, "in-context examples can be inserted"},
    {"logprob", &HostTraits::logprob, &Needs::logprob, "outcomes carry mean_logprob"},
    {"entropy", &HostTraits::entropy, &Needs::entropy, "outcomes carry mean_entropy"},
    {"embedding", &HostTraits::embedding, &Needs::embedding, "prompts carry an embedding"},
    {"answer_class", &HostTraits::answer_class, &Needs::answer_class,
     "outcomes carry answer_class"}};

HostTraits make_host(const nb::kwargs& given) {
  std::vector<std::string> names = {"grain", "max_rounds", "max_tokens"};
  for (const Feature& feature : kFeatures) names.emplace_back(feature.name);
  HostTraits host = everything();
  each_keyword(given, names, "Host", [&](std::size_t i, nb::handle value) {
    const Place place{names[i]};
    if (i == 0)
      host.grain = static_cast<Grain>(one_of(value, place, names_of(Grain::Round)));
    else if (i < 3)
      (i == 1 ? host.max_rounds : host.max_tokens) = static_cast<std::uint32_t>(
          whole(value, place, 0, kMost32, "a whole number, 0 = unknown or any,"));
    else
      host.*kFeatures[i - 3].served = yes_no(value, place);
  });
  return host;
}

std::string needs_text(const Needs& needs) {
  std::string wanted;
  for (const Feature& feature : kFeatures)
    if (needs.*feature.needed) wanted += concat(", ", feature.name, "=True");
  return concat("allot.Needs(grain='", name(needs.grain), "', draw='", name(needs.draw),
                "', candidate_factor=", needs.candidate_factor, ", max_rounds=", needs.max_rounds,
                wanted, ")");
}

std::string host_text(const HostTraits& host) {
  std::string lacking;
  for (const Feature& feature : kFeatures)
    if (!(host.*feature.served)) lacking += concat(", ", feature.name, "=False");
  return concat("allot.Host(grain='", name(host.grain), "'", lacking, ")");
}

void bind_host_traits(nb::module_& m) {
  nb::class_<HostTraits> host(
      m, "Host",
      "What a host can serve. Left out: everything; a method that needs more than the host serves "
      "is refused when the Controller is made.");
  std::string signature = "def __init__(self, *, grain: str = 'rollout'";
  for (const Feature& feature : kFeatures) {
    signature += concat(", ", feature.name, ": bool = True");
    host.def_prop_ro(
        feature.name, [served = feature.served](const HostTraits& self) { return self.*served; },
        feature.doc);
  }
  signature += ", max_rounds: int = 0, max_tokens: int = 0) -> None";
  host.def(
      "__init__",
      [](HostTraits* self, const nb::kwargs& given) { new (self) HostTraits(make_host(given)); },
      nb::sig(signature.c_str()),
      "grain: finest batch in which outcomes are reported: 'rollout', 'request' or 'round'. "
      "max_rounds: most requests per prompt and step, 0 = any. max_tokens: longest answer, 0 = "
      "unknown.");
  host.def_prop_ro("grain", [](const HostTraits& self) { return name(self.grain); });
  host.def_ro("max_rounds", &HostTraits::max_rounds);
  host.def_ro("max_tokens", &HostTraits::max_tokens);
  host.def("__repr__", host_text);
}

void bind_needs(nb::module_& m) {
  nb::class_<Needs> needs(m, "Needs", "What a method asks of its host.");
  needs.def_prop_ro(
      "grain", [](const Needs& self) { return name(self.grain); },
      "finest batch in which it wants outcomes: 'rollout', 'request' or 'round'");
  needs.def_prop_ro(
      "draw", [](const Needs& self) { return name(self.draw); },
      "where candidates come from: 'stream' (next of the epoch), 'uniform' (any), 'pool' (all)");
  needs.def_ro("candidate_factor", &Needs::candidate_factor,
               "candidates shown per group wanted; 0: all come by refill");
  needs.def_ro("max_rounds", &Needs::max_rounds, "most requests per prompt and step");
  needs.def("__repr__", needs_text);
  for (const Feature& feature : kFeatures)
    needs.def_prop_ro(
        feature.name, [needed = feature.needed](const Needs& self) { return self.*needed; },
        feature.doc);
  needs.def("__str__", needs_text);
}

}  // namespace

HostTraits everything() {
  HostTraits host{.grain = Grain::Rollout};
  for (const Feature& feature : kFeatures) host.*feature.served = true;
  return host;
}

void bind_host(nb::module_& m) {
  bind_budget(m);
  bind_host_traits(m);
  bind_needs(m);
}

}  // namespace allot::python
