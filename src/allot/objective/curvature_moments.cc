#include "allot/objective/curvature_moments.h"

#include <cmath>

namespace allot::objective {
namespace {

constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEpsilon = 1e-8;

}  // namespace

void HeadGradient::add(std::int64_t id, double scale, std::span<const double> hidden) {
  Row& row = rows_[id];
  row.sum.resize(hidden.size());
  row.tokens += 1;
  for (std::size_t j = 0; j < hidden.size(); ++j) row.sum[j] += scale * hidden[j];
}

double CurvatureMoments::along(std::int64_t id, double scale,
                               std::span<const double> hidden) const {
  const double step = static_cast<double>(steps_ + 1);
  const double correct1 = 1 - std::pow(kBeta1, step), correct2 = 1 - std::pow(kBeta2, step);
  const auto found = rows_.find(id);
  const Row* row = found == rows_.end() ? nullptr : &found->second;
  double sum = 0;
  for (std::size_t j = 0; j < hidden.size(); ++j) {
    const double g = scale * hidden[j], m = row == nullptr ? 0 : row->m[j],
                 v = row == nullptr ? 0 : row->v[j];
    const double next_m = (kBeta1 * m + (1 - kBeta1) * g) / correct1;
    const double next_v = (kBeta2 * v + (1 - kBeta2) * g * g) / correct2;
    sum += next_m / (std::sqrt(next_v) + kEpsilon) * hidden[j];
  }
  return sum;
}

void CurvatureMoments::advance(const HeadGradient& mean) {
  steps_ += 1;
  for (const auto& [id, gradient] : mean.rows()) {
    Row& row = rows_[id];
    row.m.resize(gradient.sum.size());
    row.v.resize(gradient.sum.size());
    for (std::size_t j = 0; j < gradient.sum.size(); ++j) {
      const double g = gradient.sum[j] / gradient.tokens;
      row.m[j] = static_cast<float>(kBeta1 * row.m[j] + (1 - kBeta1) * g);
      row.v[j] = static_cast<float>(kBeta2 * row.v[j] + (1 - kBeta2) * g * g);
    }
  }
}

}  // namespace allot::objective
