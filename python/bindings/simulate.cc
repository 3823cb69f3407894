// allot.simulate(): the contest of `allot simulate` (sim/contest.h), with the same results.
#include <functional>

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "allot/core/error.h"
#include "allot/sim/contest.h"
#include "bindings/keywords.h"

namespace allot::python {
namespace {

struct Request {
  sim::SimulateOptions options;
  AllocOptions alloc;
  AdvantageOptions adv;

  sim::Contender contender(const std::string& method) const {
    AllocOptions chosen = alloc;
    chosen.method = method;
    return sim::contender(options, method,
                          step_budget(alloc, static_cast<std::uint32_t>(options.prompts_per_step)),
                          [chosen, adv = adv] { return make_method(chosen, adv); });
  }
};

Keywords keywords_of(Request& request) {
  Keywords keywords;
  keywords.offer(OptionList::of(request.options, "simulate"), "simulate.", "");
  keywords.offer(OptionList::of(request.alloc, "alloc"), "alloc.", "");
  keywords.offer(OptionList::of(request.adv, "adv"), "adv.", "adv_");
  return keywords;
}

nb::dict arm_dict(const sim::SimulatedArm& arm, const sim::SimulatedArm& reference, double budget) {
  const sim::ArmNumbers numbers = sim::numbers(arm, reference, budget);
  nb::dict out;
  out["method"] = arm.method;
  out["lr"] = arm.lr;
  out["seeds"] = nb::cast(arm.seeds);
  out["final"] = nb::cast(numbers.finals);
  out["units_to_grpo"] = nb::cast(numbers.units);
  out["gen_to_grpo"] = nb::cast(numbers.generated);
  out["collapsed"] = numbers.collapsed;
  out["updates"] = numbers.updates;
  return out;
}

// Between two methods Python may say that it was interrupted.
void tell(const nb::object& progress, const std::string& what) {
  if (PyErr_CheckSignals() != 0) throw nb::python_error();
  if (!progress.is_none()) progress(what);
}

nb::dict simulate(nb::dict given, nb::object progress) {
  Request request;
  request.alloc.group_size = 16;  // the simulator's own default
  keywords_of(request).set(given, "simulate");
  const sim::SimulateOptions& options = request.options;
  const auto make = [&](const std::string& method) { return request.contender(method); };
  const sim::ServedMethods served = sim::served_methods(options, method_names(), make);

  nb::list pools;
  for (const sim::Pool pool : sim::pools_of(options)) {
    std::vector<sim::SimulatedArm> arms;
    nb::list shown;
    for (const std::string& method : served.methods) {
      tell(progress, concat(name(pool), ": ", method));
      {
        const nb::gil_scoped_release others_may_run;
        arms.push_back(sim::run_arm(options, pool, make(method)));
      }
      shown.append(arm_dict(arms.back(), arms.front(), options.budget));
    }
    nb::dict entry;
    entry["pool"] = name(pool);
    entry["arms"] = shown;
    pools.append(entry);
  }
  nb::dict left_out;
  for (const auto& [method, reason] : served.left_out) left_out[method.c_str()] = reason;
  nb::dict out;
  out["lengths"] = name(options.lengths);
  out["budget"] = options.budget;
  out["pools"] = pools;
  out["left_out"] = left_out;
  return out;
}

}  // namespace

void bind_simulate(nb::module_& m) {
  m.def("simulate", simulate, nb::arg("options"), nb::arg("progress").none(),
        nb::sig("def simulate(options: dict[str, object], progress: object) -> typing.Any"));
}

}  // namespace allot::python
