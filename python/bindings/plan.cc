#include "bindings/plan.h"

#include <nanobind/stl/string.h>

#include "bindings/columns.h"

namespace allot::python {
namespace {

std::size_t rollouts_of(const Requests& requests) {
  std::size_t rollouts = 0;
  for (const Issued& issued : requests.rows) rollouts += issued.n;
  return rollouts;
}

// One entry per rollout of the requests.
template <class Entry>
Array<std::int64_t> per_rollout(const Requests& requests, Entry entry) {
  std::vector<std::int64_t> values;
  values.reserve(rollouts_of(requests));
  for (const Issued& issued : requests.rows)
    for (std::uint32_t i = 0; i < issued.n; ++i)
      values.push_back(static_cast<std::int64_t>(entry(issued, i)));
  return owned_column(std::move(values));
}

void bind_requests(nb::module_& m) {
  TableClass<Requests> requests(
      m, "Requests", "Request",
      "What to generate: columns [requests], or one Request after the other by iteration. The "
      "rollouts of a request have the ids first .. first + n - 1.");
  requests.field("prompt", &Issued::prompt, "id of the prompt, int64")
      .field("first", &Issued::first, "id of the first of its rollouts, int64")
      .field("n", &Issued::n, "rollouts wanted, int32")
      .field("first_seq", &Issued::first_seq,
             "position of the first one in the prompt's issue order within the step, int32")
      .field("tag", &Issued::tag, "label of the method's stage, int32")
      .field("round", &Issued::round, "requests of this prompt in the step before it, int32")
      .field("temperature", &Issued::temperature, "below 0: the host's setting, float32")
      .field("exemplar", &Issued::exemplar, "handle of an in-context example, 0 = none, int64");
  requests.table().def(
      "ids",
      [](const Requests& self) {
        return per_rollout(self, [](const Issued& r, std::uint32_t i) { return r.first + i; });
      },
      "Ids of all rollouts wanted, int64 [rollouts], in the order of the requests.");
  requests.table().def(
      "prompts",
      [](const Requests& self) {
        return per_rollout(self, [](const Issued& r, std::uint32_t) { return r.prompt; });
      },
      "The prompt of each of ids(), int64 [rollouts].");
}

std::string plan_text(const PlanView& plan) {
  return concat("allot.Plan(requests=", plan.generate.rows.size(),
                ", rollouts=", rollouts_of(plan.generate), ", cancel=", plan.cancel.size(),
                ", refill=", plan.refill, plan.done ? ", done=True)" : ", done=False)");
}

}  // namespace

PlanView view_of(Plan plan) {
  return {{std::move(plan.generate)}, std::move(plan.cancel), plan.refill, plan.done};
}

void bind_plan(nb::module_& m) {
  bind_requests(m);
  nb::class_<PlanView>(m, "Plan",
                       "What the host does next: generate, then cancel, then answer a refill wish "
                       "with the next observe().")
      .def_ro("generate", &PlanView::generate, "requests, see Requests")
      .def_prop_ro(
          "cancel",
          [](nb::handle self) { return id_column(nb::cast<PlanView&>(self).cancel, self); },
          "Ids of rollouts that are no longer wanted, ascending, int64 [rollouts]. Each still "
          "counts as one to be reported until the plan is done.")
      .def_ro("refill", &PlanView::refill, "further candidate prompts wanted")
      .def_ro("done", &PlanView::done, "finalize() comes next")
      .def("__repr__", plan_text);
}

}  // namespace allot::python
