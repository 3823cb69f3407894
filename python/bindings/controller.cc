// allot._core.Controller: reading what Python hands in, letting other threads run, handing back.
#include <limits>

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "allot/core/error.h"
#include "bindings/arrays.h"
#include "bindings/batch.h"
#include "bindings/hosted_controller.h"
#include "bindings/keywords.h"
#include "bindings/plan.h"
#include "bindings/prompts.h"
#include "bindings/records.h"

namespace allot::python {
namespace {

constexpr std::string_view kBudget = "an allot.Budget";

// Runs without the interpreter's lock, as the only call inside this controller.
template <class Call>
auto alone(HostedController& self, Call call) {
  const auto lock = self.enter();
  const nb::gil_scoped_release others_may_run;
  return call();
}

// An object of class T, or None.
template <class T>
std::optional<T> given(nb::handle value, std::string_view what, std::string_view needed) {
  if (value.is_none()) return std::nullopt;
  if (!nb::isinstance<T>(value)) refuse_value({what}, value, needed);
  return nb::cast<T>(value);
}

HostedOptions options_of(nb::handle name, nb::handle budget, nb::handle host, nb::handle seed,
                         nb::handle data_size, nb::handle threshold, nb::dict keywords) {
  HostedOptions options;
  const std::string method = text(name, {"Controller.method"}, "the name of a method");
  options.alloc.method = method;
  method_keywords(options.alloc, options.adv, method)
      .set(keywords, concat("Controller('", method, "')"));
  options.host = given<HostTraits>(host, "Controller.host", "an allot.Host").value_or(everything());
  options.budget = given<GivenBudget>(budget, "Controller.budget", kBudget).value_or(GivenBudget{});
  options.seed = whole(seed, {"Controller.seed"}, 0, kMost64, "a whole number from 0 to 2^64 - 1");
  options.data_size = whole(data_size, {"Controller.data_size"}, 0, kMost64, "a number of prompts");
  options.success_threshold = number(threshold, {"Controller.success_threshold"}, "a number");
  return options;
}

std::optional<Version> version_of(nb::handle value, std::string_view what) {
  if (value.is_none()) return std::nullopt;
  return static_cast<Version>(
      whole(value, {what}, 0, kMost32, "a policy version (updates so far)"));
}

std::vector<RolloutId> ids_of(nb::handle values, std::string_view what) {
  std::vector<RolloutId> ids;
  if (values.is_none()) return ids;
  if (is_text(values) || !nb::hasattr(values, "__iter__"))
    refuse_value({what}, values, "a sequence of rollout ids");
  for (const nb::handle value : nb::borrow(values))
    ids.push_back(whole(value, {what, static_cast<std::ptrdiff_t>(ids.size())}, 0,
                        std::numeric_limits<std::int64_t>::max(), "a rollout's id"));
  return ids;
}

PlanView plan(HostedController& self, nb::handle prompts, nb::handle budget, nb::handle policy,
              nb::handle lost) {
  const auto spend = given<GivenBudget>(budget, "plan.budget", kBudget);
  const std::vector<Prompt> shown = prompts_of(prompts, "plan.prompts");
  const std::vector<PromptRef> refs = refs_of(shown);
  const auto version = version_of(policy, "plan.policy");
  const std::vector<RolloutId> gone = ids_of(lost, "plan.lost");
  return view_of(alone(self, [&] { return self.plan(refs, spend, version, gone); }));
}

PlanView observe(HostedController& self, nb::handle outcomes, nb::handle more_prompts,
                 bool deadline) {
  Outcomes reported = outcomes_of(outcomes);
  const std::vector<Prompt> shown = prompts_of(more_prompts, "observe.more_prompts");
  const std::vector<PromptRef> refs = refs_of(shown);
  return view_of(alone(self, [&] { return self.observe(std::move(reported), refs, deadline); }));
}

// Columns rollout, ratio, clip_fraction of one length.
std::vector<ItemStat> item_stats(nb::handle given) {
  std::vector<ItemStat> items;
  if (given.is_none()) return items;
  if (!PyDict_Check(given.ptr()))
    refuse_value({"feedback.items"}, given, "a dict of the columns rollout, ratio, clip_fraction");
  std::vector<RolloutId> ids;
  std::vector<float> ratio, clip;
  each_keyword(nb::borrow<nb::dict>(given), {"rollout", "ratio", "clip_fraction"}, "feedback.items",
               [&](std::size_t i, nb::handle values) {
                 if (i == 0)
                   ids = ids_of(values, "feedback.items.rollout");
                 else
                   (i == 1 ? ratio : clip) = floats_of(
                       values, i == 1 ? "feedback.items.ratio" : "feedback.items.clip_fraction");
               });
  for (const auto* column : {&ratio, &clip})
    if (!column->empty() && column->size() != ids.size())
      refuse({"feedback.items"}, concat("a column of ", column->size(), " values"),
             concat(ids.size(), " (as many as rollouts)"));
  for (std::size_t i = 0; i < ids.size(); ++i)
    items.push_back({ids[i], ratio.empty() ? 1 : ratio[i], clip.empty() ? 0 : clip[i]});
  return items;
}

void feedback(HostedController& self, bool updated, nb::handle policy, nb::handle mean_reward,
              nb::handle mean_entropy, nb::handle items) {
  HostedController::Result result;
  result.updated = updated;
  result.after = version_of(policy, "feedback.policy");
  result.mean_reward =
      static_cast<float>(number(mean_reward, {"feedback.mean_reward"}, "a number"));
  result.mean_entropy =
      static_cast<float>(number(mean_entropy, {"feedback.mean_entropy"}, "a number"));
  result.items = item_stats(items);
  alone(self, [&] { self.feedback(result); });
}

nb::dict metrics(HostedController& self) {
  const auto lock = self.enter();
  nb::dict out;
  for (const Metric& metric : self.controller().metrics()) out[metric.name.c_str()] = metric.value;
  return out;
}

std::uint64_t hash_of(nb::handle value, std::string_view what) {
  return whole(value, {what}, 0, kMost64, "a whole number from 0 to 2^64 - 1");
}

nb::bytes save(HostedController& self, nb::handle dataset_hash) {
  const std::uint64_t hash = hash_of(dataset_hash, "save.dataset_hash");
  const std::string blob = alone(self, [&] { return self.save(hash); });
  return nb::bytes(blob.data(), blob.size());
}

void load(HostedController& self, nb::handle blob, nb::handle dataset_hash) {
  const std::uint64_t hash = hash_of(dataset_hash, "load.dataset_hash");
  if (!PyBytes_Check(blob.ptr())) refuse_value({"load.blob"}, blob, "the bytes of save()");
  const nb::bytes bytes = nb::borrow<nb::bytes>(blob);
  const std::string_view view(bytes.c_str(), bytes.size());
  alone(self, [&] { self.load(view, hash); });
}

// A read-only look at the controller, not while another thread is inside.
template <class Look>
auto look(Look look_at) {
  return [look_at](HostedController& self) {
    const auto lock = self.enter();
    return look_at(self.controller());
  };
}

}  // namespace

void bind_controller(nb::module_& m) {
  nb::class_<HostedController>(m, "Controller", "allot.Controller without its documentation.")
      .def(
          "__init__",
          [](HostedController* self, nb::handle method, nb::handle budget, nb::handle host,
             nb::handle seed, nb::handle data_size, nb::handle threshold, nb::dict options) {
            new (self) HostedController(
                options_of(method, budget, host, seed, data_size, threshold, options));
          },
          nb::arg("method"), nb::arg("budget").none(), nb::arg("host").none(), nb::arg("seed"),
          nb::arg("data_size"), nb::arg("success_threshold"), nb::arg("options"),
          nb::sig("def __init__(self, method: str, budget: Budget | None, host: Host | None, "
                  "seed: int, data_size: int, success_threshold: float, "
                  "options: dict[str, object]) -> None"))
      .def("plan", plan, nb::arg("prompts").none(), nb::arg("budget").none(),
           nb::arg("policy").none(), nb::arg("lost").none())
      .def("observe", observe, nb::arg("outcomes").none(), nb::arg("more_prompts").none(),
           nb::arg("deadline"))
      .def("finalize",
           [](HostedController& self) {
             return batch_of(alone(self, [&] { return self.finalize(); }));
           })
      .def("feedback", feedback, nb::arg("updated"), nb::arg("policy").none(),
           nb::arg("mean_reward"), nb::arg("mean_entropy"), nb::arg("items").none())
      .def("metrics", metrics, nb::sig("def metrics(self) -> dict[str, float]"))
      .def("records", look([](const Controller& c) { return Records{c.records()}; }))
      .def(
          "record",
          [](HostedController& self, nb::handle prompt) {
            const auto lock = self.enter();
            return self.controller().record(prompt_id_of(prompt, {"record.prompt"}));
          },
          nb::arg("prompt"))
      .def("save", save, nb::arg("dataset_hash"))
      .def("load", load, nb::arg("blob"), nb::arg("dataset_hash"))
      .def_prop_ro("needs", look([](const Controller& c) { return c.needs(); }))
      .def_prop_ro("method", look([](const Controller& c) { return c.method_name(); }))
      .def_prop_ro("step", look([](const Controller& c) { return c.step(); }))
      .def_prop_ro("policy", [](HostedController& self) {
        const auto lock = self.enter();
        return self.policy();
      });
}

}  // namespace allot::python
