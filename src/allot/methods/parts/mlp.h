// A small multilayer perceptron with one output, in double precision: a learned belief of a method.
//
// Layers are x W + b with GELU (x Phi(x), the exact form) between them, none after the last. It is
// fitted by AdamW (Loshchilov and Hutter, arXiv 1711.05101) on the mean squared error. One thread
// and sums in a fixed order: the same data give the same bits.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "allot/core/random.h"

namespace allot {

struct AdamWRule {
  double learning_rate = 1e-3;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0.01;
};

// Rows of `width` numbers each, one target per row.
struct FitData {
  std::uint32_t width = 0;
  std::vector<double> inputs;   // [rows][width]
  std::vector<double> targets;  // [rows]

  std::span<const double> row(std::size_t i) const {
    return std::span(inputs).subspan(i * width, width);
  }
};

class Mlp {
 public:
  Mlp() = default;  // without layers, until init()

  // `sizes` = {inputs, hidden.., 1}, at least two. Weights and biases are uniform in
  // +-1 / sqrt(inputs of the layer).
  void init(std::vector<std::uint32_t> sizes, RandomStream stream);
  bool empty() const { return sizes_.empty(); }

  // One output per row; `inputs` is [rows][inputs].
  std::vector<double> forward(std::span<const double> inputs) const;

  // The mean of (forward(x) - y)^2 and, if `gradient` is given, its gradient over the parameters.
  double loss(const FitData& data, std::vector<double>* gradient = nullptr) const;

  // One step of AdamW; returns the loss before it. Nothing happens without rows.
  double fit(const FitData& data, const AdamWRule& rule);

  // Layer by layer: weights [inputs][outputs], then biases [outputs].
  std::vector<double>& parameters() { return parameters_; }
  const std::vector<double>& parameters() const { return parameters_; }

  template <class V>
  void state(V& v) {
    v(sizes_);
    v(parameters_);
    v(first_moment_);
    v(second_moment_);
    v(steps_);
    if constexpr (V::kReading)
      if (!consistent()) v.fail("the network's weights do not fit its layers");
  }

 private:
  bool consistent() const;
  struct Activations;  // of a block of rows
  void run(const double* inputs, std::size_t rows, Activations& a) const;
  void add_gradient(const Activations& a, const std::vector<double>& slopes,
                    std::vector<double>& gradient) const;

  std::vector<std::uint32_t> sizes_;
  std::vector<double> parameters_, first_moment_, second_moment_;
  std::uint64_t steps_ = 0;
};

}  // namespace allot
