#include "bindings/batch.h"

#include <algorithm>
#include <cmath>

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "allot/objective/normalizer.h"
#include "bindings/arrays.h"
#include "bindings/columns.h"
#include "bindings/host.h"

namespace allot::python {
namespace {

// Bounds of the groups: group g has the items offsets[g] .. offsets[g + 1] - 1.
std::vector<std::int64_t> offsets(const Batch& batch) {
  std::vector<std::int64_t> bounds = {0};
  for (const TrainGroup& group : batch.groups.rows) bounds.push_back(bounds.back() + group.count);
  return bounds;
}

// For each item the index of its group, or the group's prompt.
template <class Entry>
Array<std::int64_t> per_item(const Batch& batch, Entry entry) {
  std::vector<std::int64_t> values;
  values.reserve(batch.rows.size());
  for (std::size_t g = 0; g < batch.groups.rows.size(); ++g)
    values.insert(values.end(), batch.groups.rows[g].count, static_cast<std::int64_t>(entry(g)));
  return owned_column(std::move(values));
}

void bind_groups(nb::module_& m) {
  TableClass<Groups> groups(m, "Groups", "Group",
                            "The groups of a batch, in the order of their items: columns [groups], "
                            "or one Group after the other by iteration.");
  groups.field("prompt", &TrainGroup::prompt, "id of its prompt, int64")
      .field("first", &TrainGroup::first, "index of its first item, int32")
      .field("count", &TrainGroup::count, "its items, int32")
      .field("pool_n", &TrainGroup::pool_n, "rollouts it was taken from, int32")
      .field("pool_mean", &TrainGroup::pool_mean, "mean reward of those, float32");
}

void bind_reports(nb::module_& m) {
  TableClass<Reports> reports(m, "Reports", "Report",
                              "One entry per planned prompt: columns [prompts], or one Report "
                              "after the other by iteration.");
  reports.field("prompt", &GroupReport::prompt, "id, int64")
      .field("counted_n", &GroupReport::counted_n, "outcomes that fed the belief, int32")
      .field("counted_sum", &GroupReport::counted_sum, "successes among those, float32")
      .field("admitted", &GroupReport::admitted, "takes one of Budget.groups, bool")
      .field("shipped", &GroupReport::shipped, "items handed to the optimizer, int32")
      .named("cause", &GroupReport::cause,
             "why its group carries no signal: index into ZERO_CAUSES, uint8; the name in a "
             "report");
}

// What the normaliser makes of an item's tokens, see the docstring.
std::vector<double> token_weights(const Batch& batch, nb::handle tokens) {
  const std::vector<float> lengths = floats_of(tokens, "tokens");
  if (lengths.size() != batch.rows.size())
    refuse({"tokens"}, concat("a list of ", lengths.size()),
           concat("one for each of the ", batch.rows.size(), " items"));
  if (lengths.empty()) return {};
  std::vector<objective::RowSize> sizes;
  sizes.reserve(lengths.size());
  for (std::size_t g = 0; g < batch.groups.rows.size(); ++g)
    for (std::uint32_t k = 0; k < batch.groups.rows[g].count; ++k) {
      const auto i = static_cast<std::ptrdiff_t>(sizes.size());
      const float length = lengths[sizes.size()];
      if (!(length >= 0 && length < 4294967296.0F && length == std::floor(length)))
        refuse({"tokens", i}, concat("the length ", length), "a number of tokens");
      sizes.push_back({static_cast<std::uint32_t>(g), static_cast<std::uint32_t>(length)});
    }
  TrainBatch batch_norm;
  batch_norm.norm = batch.norm;
  batch_norm.fixed = batch.fixed;
  batch_norm.length_divisor = batch.length_divisor;
  return objective::token_weights(objective::normalizer_of({}, batch_norm), sizes);
}

template <auto Member>
auto batch_column() {
  return [](nb::handle self) { return column(nb::cast<const Batch&>(self).rows, Member, self); };
}

}  // namespace

Batch batch_of(TrainBatch from) {
  std::sort(from.groups.begin(), from.groups.end(),
            [](const TrainGroup& a, const TrainGroup& b) { return a.first < b.first; });
  return {std::move(from.items),
          {std::move(from.groups)},
          {std::move(from.reports)},
          from.norm,
          from.fixed,
          from.length_divisor,
          std::move(from.hold),
          std::move(from.release)};
}

void bind_batch(nb::module_& m) {
  m.def("zero_causes", [] { return names_of(ZeroCause::GenerationFailed); });
  m.def("anchors", [] { return names_of(Anchor::Behaviour); });
  bind_groups(m);
  bind_reports(m);
  nb::class_<Batch>(m, "Batch",
                    "What to train on: items [items], in groups. Empty: skip the optimizer step.")
      .def("__len__", [](const Batch& self) { return self.rows.size(); })
      .def_prop_ro("rollout", batch_column<&TrainItem::rollout>(), "id of the item, int64 [items]")
      .def_prop_ro("advantage", batch_column<&TrainItem::advantage>(), "float32 [items]")
      .def_prop_ro("weight", batch_column<&TrainItem::weight>(),
                   "factor of the item in the loss, apart from its advantage, float32 [items]")
      .def_prop_ro("anchor", batch_column<&TrainItem::anchor>(),
                   "denominator of the importance ratio, index into ANCHORS, uint8 [items]: 0 the "
                   "policy at the start of the update, 1 the policy that generated the rollout")
      .def_prop_ro(
          "offsets", [](const Batch& self) { return owned_column(offsets(self)); },
          nb::rv_policy::automatic, "bounds of the groups in the items, int64 [groups + 1]")
      .def_prop_ro(
          "group",
          [](const Batch& self) { return per_item(self, [](std::size_t g) { return g; }); },
          nb::rv_policy::automatic, "index of the item's group, int64 [items]")
      .def_prop_ro(
          "prompt",
          [](const Batch& self) {
            return per_item(self, [&](std::size_t g) { return self.groups.rows[g].prompt; });
          },
          nb::rv_policy::automatic, "id of the item's prompt, int64 [items]")
      .def_ro("groups", &Batch::groups)
      .def_ro("reports", &Batch::reports)
      .def_prop_ro(
          "norm", [](const Batch& self) { return name(self.norm); },
          "outer normaliser of the loss: 'per_token', 'per_rollout', 'per_group' or 'fixed'")
      .def_ro("fixed", &Batch::fixed, "divisor where norm is 'fixed'")
      .def_ro("length_divisor", &Batch::length_divisor,
              "0: an item's loss is the mean over its tokens; above 0: their sum over this")
      .def(
          "token_weights",
          [](const Batch& self, nb::handle tokens) {
            return owned_column(token_weights(self, tokens));
          },
          nb::arg("tokens"), nb::rv_policy::automatic,
          "The normaliser, item by item: float64 [items] such that the loss is minus the sum over "
          "items of token_weights * weight * (sum over its tokens of the clipped surrogate). "
          "tokens: trained tokens of each item [items]; an item of none counts nowhere.")
      .def_prop_ro(
          "hold", [](nb::handle self) { return id_column(nb::cast<Batch&>(self).hold, self); },
          "rollouts to be kept beyond the step, int64")
      .def_prop_ro(
          "release",
          [](nb::handle self) { return id_column(nb::cast<Batch&>(self).release, self); },
          "held rollouts that are no longer needed, int64");
}

}  // namespace allot::python
