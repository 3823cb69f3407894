#include "allot/methods/parts/mlp.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <eigen3/Eigen/Core>

namespace allot {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using ConstMap = Eigen::Map<const Matrix>;
using Map = Eigen::Map<Matrix>;

// Bounds the memory of a pass over many rows.
constexpr std::size_t kBlock = 256;

Eigen::Index index(std::size_t i) { return static_cast<Eigen::Index>(i); }

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

// Values before (`sums`) and after (`values`) the nonlinearity of every layer, one row each;
// values[0] are the inputs.
struct Mlp::Activations {
  std::vector<Matrix> sums, values;
};

void Mlp::run(const double* inputs, std::size_t rows, Activations& a) const {
  const std::size_t layers = sizes_.size() - 1;
  a.sums.resize(layers);
  a.values.resize(layers + 1);
  a.values[0] = ConstMap(inputs, index(rows), index(sizes_[0]));
  const double* weight = parameters_.data();
  for (std::size_t layer = 0; layer < layers; ++layer) {
    const std::size_t in = sizes_[layer], out = sizes_[layer + 1];
    const ConstMap bias(weight + in * out, 1, index(out));
    a.sums[layer].noalias() = a.values[layer] * ConstMap(weight, index(in), index(out));
    a.sums[layer].rowwise() += bias.row(0);
    a.values[layer + 1] = a.sums[layer];
    if (layer + 1 < layers) a.values[layer + 1] = a.sums[layer].unaryExpr(&gelu);
    weight += (in + 1) * out;
  }
}

std::vector<double> Mlp::forward(std::span<const double> inputs) const {
  const std::size_t width = sizes_[0], rows = inputs.size() / width;
  std::vector<double> out(rows);
  Activations a;
  for (std::size_t first = 0; first < rows; first += kBlock) {
    const std::size_t count = std::min(kBlock, rows - first);
    run(inputs.data() + first * width, count, a);
    Map(out.data() + first, index(count), 1) = a.values.back();
  }
  return out;
}

// Back through the layers; `slope` holds d(loss) / d(sum) of the layer at hand, row by row.
void Mlp::add_gradient(const Activations& a, const std::vector<double>& slopes,
                       std::vector<double>& gradient) const {
  Matrix slope = ConstMap(slopes.data(), index(slopes.size()), 1);
  std::size_t end = parameters_.size();
  for (std::size_t layer = sizes_.size() - 1; layer-- > 0;) {
    const std::size_t in = sizes_[layer], out = sizes_[layer + 1];
    const std::size_t begin = end - (in + 1) * out;
    Map(gradient.data() + begin + in * out, 1, index(out)) += slope.colwise().sum();
    Map(gradient.data() + begin, index(in), index(out)).noalias() +=
        a.values[layer].transpose() * slope;
    if (layer == 0) break;
    const ConstMap weight(parameters_.data() + begin, index(in), index(out));
    slope = (slope * weight.transpose()).eval();
    slope.array() *= a.sums[layer - 1].unaryExpr(&gelu_slope).array();
    end = begin;
  }
}

double Mlp::loss(const FitData& data, std::vector<double>* gradient) const {
  const std::size_t rows = data.targets.size();
  if (gradient) gradient->assign(parameters_.size(), 0);
  double sum = 0;
  Activations a;
  std::vector<double> slopes;
  for (std::size_t first = 0; first < rows; first += kBlock) {
    const std::size_t count = std::min(kBlock, rows - first);
    run(data.inputs.data() + first * data.width, count, a);
    slopes.clear();
    for (std::size_t i = 0; i < count; ++i) {
      const double error = a.values.back()(index(i), 0) - data.targets[first + i];
      sum += error * error;
      slopes.push_back(2 * error / static_cast<double>(rows));
    }
    if (gradient) add_gradient(a, slopes, *gradient);
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
