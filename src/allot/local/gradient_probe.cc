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

// Row numbers of one group, ascending.
std::vector<std::uint32_t> rows_of(const TrainRows& rows, std::uint32_t place) {
  std::vector<std::uint32_t> found;
  for (std::uint32_t i = 0; i < rows.rows.size(); ++i)
    if (rows.rows[i].group == place) found.push_back(i);
  return found;
}

struct Half {
  Gradient gradient;
  double sum = 0, power = 0;  // of A and of A^2
};

}  // namespace

ProbedGradients probe_gradients(const lm::Model& model, const TrainRows& rows,
                                std::span<const std::uint32_t> places, Version version,
                                const PolicyGradientSettings& settings, const GradientView& view) {
  ProbedGradients out;
  const auto half = [&](std::span<const std::uint32_t> which) {
    Half h;
    std::vector<std::uint32_t> active;
    std::vector<double> omega;
    for (const std::uint32_t i : which) {
      const TrainRow& row = rows.rows[i];
      if (!row.active()) continue;
      h.sum += row.advantage;
      h.power += row.advantage * row.advantage;
      active.push_back(i);
      omega.push_back(1 / row.weight);
    }
    PolicyGradient result = policy_gradient(model, rows, active, omega, version, settings);
    out.positions += result.positions;
    h.gradient = view ? view(std::move(result.gradients)) : std::move(result.gradients);
    return h;
  };
  Gradient total;
  for (const std::uint32_t place : places) {
    const std::vector<std::uint32_t> which = rows_of(rows, place);
    const Half first = half(std::span(which).first(which.size() / 2));
    const Half second = half(std::span(which).subspan(which.size() / 2));
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
