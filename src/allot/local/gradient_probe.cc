#include "allot/local/gradient_probe.h"

#include <vector>

#include <ATen/ops/add.h>
#include <ATen/ops/dot.h>

namespace allot {
namespace {

using Gradient = std::vector<at::Tensor>;

double product(const Gradient& a, const Gradient& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum += at::dot(a[i].flatten(), b[i].flatten()).item<double>();
  return sum;
}

void add(Gradient& to, const Gradient& other) {
  if (to.empty())
    to = other;
  else
    for (std::size_t i = 0; i < to.size(); ++i) to[i] = at::add(to[i], other[i]);
}

// Rows of one group: they follow each other.
RowRange rows_of(const TrainRows& rows, std::uint32_t place) {
  RowRange found;
  for (std::size_t i = 0; i < rows.rows.size(); ++i) {
    if (rows.rows[i].group != place) continue;
    if (found.count++ == 0) found.first = i;
  }
  return found;
}

struct Half {
  Gradient gradient;
  double sum = 0, power = 0;  // of A and of A^2
};

// sum A log-probability, every token with weight 1.
PolicyGradientSettings plain_loss(PolicyGradientSettings settings) {
  objective::LossOptions loss;
  loss.preset = "custom";
  loss.surrogate = objective::Surrogate::Reinforce;
  settings.loss = loss.expanded();
  return settings;
}

TrainRows without_weights(const TrainRows& rows) {
  TrainRows out = rows;
  for (TrainRow& row : out.rows)
    if (row.weight != 0) row.weight = 1;
  return out;
}

}  // namespace

ProbedGradients probe_gradients(const lm::Model& model, const TrainRows& given,
                                std::span<const std::uint32_t> places, Version version,
                                const PolicyGradientSettings& given_settings,
                                const GradientView& view) {
  const PolicyGradientSettings settings = plain_loss(given_settings);
  const TrainRows rows = without_weights(given);
  UpdateMoment moment;
  moment.version = version;
  ProbedGradients out;
  const auto half = [&](const RowRange& range) {
    Half h;
    for (std::size_t i = range.first; i < range.first + range.count; ++i) {
      const TrainRow& row = rows.rows[i];
      if (!row.active()) continue;
      h.sum += row.advantage;
      h.power += row.advantage * row.advantage;
    }
    const UpdatePlan plan =
        plan_update(rows, range, {objective::Aggregation::TokenSum}, settings.loss);
    PolicyGradient result = policy_gradient(model, rows, plan, moment, settings);
    out.positions += result.positions;
    h.gradient = view ? view(std::move(result.gradients)) : std::move(result.gradients);
    return h;
  };
  Gradient total;
  for (const std::uint32_t place : places) {
    const RowRange group = rows_of(rows, place);
    const std::size_t middle = group.count / 2;
    const Half first = half({group.first, middle});
    const Half second = half({group.first + middle, group.count - middle});
    out.probe.groups.push_back({.first_sum = first.sum,
                                .second_sum = second.sum,
                                .first_power = first.power,
                                .second_power = second.power,
                                .first_square = product(first.gradient, first.gradient),
                                .second_square = product(second.gradient, second.gradient),
                                .inner = product(first.gradient, second.gradient)});
    add(total, first.gradient);
    add(total, second.gradient);
  }
  out.probe.sum_square = product(total, total);
  return out;
}

}  // namespace allot
