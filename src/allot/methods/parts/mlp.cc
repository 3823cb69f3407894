#include "allot/methods/parts/mlp.h"

#include <cmath>
#include <numbers>

namespace allot {
namespace {

double normal_cdf(double x) { return 0.5 * std::erfc(-x * std::numbers::sqrt2 / 2); }
double gelu(double x) { return x * normal_cdf(x); }
double gelu_slope(double x) {
  const double density = std::exp(-x * x / 2) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
  return normal_cdf(x) + x * density;
}

std::uint64_t parameter_count(const std::vector<std::uint32_t>& sizes) {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i)
    count += (std::uint64_t{sizes[i]} + 1) * sizes[i + 1];
  return count;
}

}  // namespace

void Mlp::init(std::vector<std::uint32_t> sizes, RandomStream stream) {
  sizes_ = std::move(sizes);
  parameters_.clear();
  for (std::size_t layer = 0; layer + 1 < sizes_.size(); ++layer) {
    const double bound = 1 / std::sqrt(sizes_[layer]);
    const std::size_t count = (std::size_t{sizes_[layer]} + 1) * sizes_[layer + 1];
    for (std::size_t i = 0; i < count; ++i)
      parameters_.push_back(bound * (2 * stream.uniform() - 1));
  }
  first_moment_.assign(parameters_.size(), 0);
  second_moment_.assign(parameters_.size(), 0);
  steps_ = 0;
}

bool Mlp::consistent() const {
  const bool shaped = sizes_.empty() || (sizes_.size() >= 2 && sizes_.back() == 1);
  return shaped && parameters_.size() == parameter_count(sizes_) &&
         first_moment_.size() == parameters_.size() && second_moment_.size() == parameters_.size();
}

void Mlp::run(std::span<const double> x, Activations& a) const {
  const std::size_t layers = sizes_.size() - 1;
  a.sums.resize(layers);
  a.values.resize(layers + 1);
  a.values[0].assign(x.begin(), x.end());
  const double* weight = parameters_.data();
  for (std::size_t layer = 0; layer < layers; ++layer) {
    const std::size_t in = sizes_[layer], out = sizes_[layer + 1];
    const double* bias = weight + in * out;
    std::vector<double>& sum = a.sums[layer];
    sum.assign(bias, bias + out);
    for (std::size_t i = 0; i < in; ++i, weight += out) {
      const double value = a.values[layer][i];
      for (std::size_t o = 0; o < out; ++o) sum[o] += value * weight[o];
    }
    weight = bias + out;
    std::vector<double>& value = a.values[layer + 1];
    value = sum;
    if (layer + 1 < layers)
      for (double& v : value) v = gelu(v);
  }
}

double Mlp::forward(std::span<const double> x) const {
  Activations a;
  run(x, a);
  return a.values.back()[0];
}

// Back through the layers; `slope` holds d(output) / d(sum) of the layer at hand.
void Mlp::add_gradient(const Activations& a, double output_gradient,
                       std::vector<double>& gradient) const {
  std::vector<double> slope = {output_gradient};
  std::size_t end = parameters_.size();
  for (std::size_t layer = sizes_.size() - 1; layer-- > 0;) {
    const std::size_t in = sizes_[layer], out = sizes_[layer + 1];
    const std::size_t begin = end - (in + 1) * out;
    for (std::size_t o = 0; o < out; ++o) gradient[begin + in * out + o] += slope[o];
    std::vector<double> below(in, 0.0);
    for (std::size_t i = 0; i < in; ++i) {
      const double value = a.values[layer][i];
      const double* weight = parameters_.data() + begin + i * out;
      double* to = gradient.data() + begin + i * out;
      for (std::size_t o = 0; o < out; ++o) {
        to[o] += value * slope[o];
        below[i] += weight[o] * slope[o];
      }
      if (layer > 0) below[i] *= gelu_slope(a.sums[layer - 1][i]);
    }
    slope = std::move(below);
    end = begin;
  }
}

double Mlp::loss(const FitData& data, std::vector<double>* gradient) const {
  const std::size_t rows = data.targets.size();
  if (gradient) gradient->assign(parameters_.size(), 0);
  double sum = 0;
  Activations a;
  for (std::size_t i = 0; i < rows; ++i) {
    run(data.row(i), a);
    const double error = a.values.back()[0] - data.targets[i];
    sum += error * error;
    if (gradient) add_gradient(a, 2 * error / static_cast<double>(rows), *gradient);
  }
  return rows > 0 ? sum / static_cast<double>(rows) : 0;
}

double Mlp::fit(const FitData& data, const AdamWRule& rule) {
  if (data.targets.empty()) return 0;
  std::vector<double> gradient;
  const double before = loss(data, &gradient);
  ++steps_;
  const double scale1 = 1 - std::pow(rule.beta1, steps_), scale2 = 1 - std::pow(rule.beta2, steps_);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    first_moment_[i] += (1 - rule.beta1) * (gradient[i] - first_moment_[i]);
    second_moment_[i] += (1 - rule.beta2) * (gradient[i] * gradient[i] - second_moment_[i]);
    const double direction =
        first_moment_[i] / scale1 / (std::sqrt(second_moment_[i] / scale2) + rule.eps);
    parameters_[i] -= rule.learning_rate * (direction + rule.weight_decay * parameters_[i]);
  }
  return before;
}

}  // namespace allot
