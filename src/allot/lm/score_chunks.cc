#include "allot/lm/score_chunks.h"

#include <algorithm>
#include <numeric>

#include <ATen/TensorOperators.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include "allot/lm/index_tensor.h"
#include "allot/lm/kernels/softmax_rows.h"
#include "allot/lm/real_type.h"

namespace allot::lm {
namespace {

// Logits of one chunk: 16 MiB in float, so that they are small beside the activations, but never so
// few rows that the matrix product suffers.
constexpr std::int64_t kChunkNumbers = std::int64_t{1} << 22;
constexpr std::int64_t kFewestRows = 64, kMostRows = 4096;

class ReferenceMath : public ScoreMath {
 public:
  explicit ReferenceMath(double temperature) : temperature_(temperature) {}

  void forward(const ScoreChunk& chunk, at::Tensor logits, at::Tensor log_sum, at::Tensor logprob,
               at::Tensor entropy) const override {
    const at::Tensor z = logits.to(log_sum.scalar_type()) / temperature_;
    log_sum.copy_(at::logsumexp(z, 1));
    const at::Tensor log_p = z - log_sum.unsqueeze(1);
    const at::Tensor of_rows = -(log_p.exp() * log_p).sum(1);
    logprob.index_put_({chunk.target}, log_p.index({chunk.local, chunk.token}));
    entropy.index_put_({chunk.target}, of_rows.index_select(0, chunk.local));
  }

  void backward(const ScoreChunk& chunk, at::Tensor logits, const at::Tensor& log_sum,
                const at::Tensor& entropy, const ScoreGradients& gradients) const override {
    const at::Tensor log_p = logits.to(log_sum.scalar_type()) / temperature_ - log_sum.unsqueeze(1);
    const at::Tensor p = log_p.exp();
    at::Tensor gradient = at::zeros_like(p);
    if (gradients.logprob.defined()) {
      const at::Tensor d = gradients.logprob.index_select(0, chunk.target);
      const at::Tensor of_rows = at::zeros_like(log_sum).index_add_(0, chunk.local, d);
      gradient = p * -of_rows.unsqueeze(1);
      gradient.index_put_({chunk.local, chunk.token}, d, /*accumulate=*/true);
    }
    if (gradients.entropy.defined()) {
      const at::Tensor d = gradients.entropy.index_select(0, chunk.target);
      const at::Tensor of_rows = at::zeros_like(log_sum).index_add_(0, chunk.local, d);
      const at::Tensor h =
          at::zeros_like(log_sum).index_put_({chunk.local}, entropy.index_select(0, chunk.target));
      gradient -= p * (log_p + h.unsqueeze(1)) * of_rows.unsqueeze(1);
    }
    logits.copy_(gradient / temperature_);
  }

 private:
  double temperature_;
};

class FusedMath : public ScoreMath {
 public:
  explicit FusedMath(double temperature) : scale_(1 / temperature) {}

  void forward(const ScoreChunk& chunk, at::Tensor logits, at::Tensor log_sum, at::Tensor logprob,
               at::Tensor entropy) const override {
    with_real_type(logits.scalar_type(), [&](auto zero) {
      using T = decltype(zero);
      const std::int64_t vocab = logits.size(1);
      const at::Tensor of_rows = at::zeros_like(log_sum);
      T* z = logits.data_ptr<T>();
      T* sums = log_sum.data_ptr<T>();
      kernels::softmax_rows_forward(z, logits.size(0), vocab, static_cast<T>(scale_), sums,
                                    of_rows.data_ptr<T>());
      const Indices at(chunk);
      for (std::int64_t i = 0; i < at.count; ++i) {
        const std::int64_t row = at.local[i];
        logprob.data_ptr<T>()[at.target[i]] = z[row * vocab + at.token[i]] - sums[row];
        entropy.data_ptr<T>()[at.target[i]] = of_rows.data_ptr<T>()[row];
      }
    });
  }

  void backward(const ScoreChunk& chunk, at::Tensor logits, const at::Tensor& log_sum,
                const at::Tensor& entropy, const ScoreGradients& gradients) const override {
    with_real_type(logits.scalar_type(), [&](auto zero) {
      using T = decltype(zero);
      const std::int64_t rows = logits.size(0), vocab = logits.size(1);
      const auto scale = static_cast<T>(scale_);
      const Indices at(chunk);
      const at::Tensor weights = sum_by_row<T>(at, gradients.logprob, log_sum);
      T* z = logits.data_ptr<T>();
      const T* sums = log_sum.const_data_ptr<T>();
      const T* weight = weights.const_data_ptr<T>();
      if (gradients.entropy.defined()) {
        const at::Tensor of_entropy = sum_by_row<T>(at, gradients.entropy, log_sum);
        const at::Tensor of_rows = at::zeros_like(log_sum);
        for (std::int64_t i = 0; i < at.count; ++i)
          of_rows.data_ptr<T>()[at.local[i]] = entropy.const_data_ptr<T>()[at.target[i]];
        kernels::softmax_entropy_backward(z, sums, of_rows.const_data_ptr<T>(), weight,
                                          of_entropy.const_data_ptr<T>(), rows, vocab, scale);
      } else {
        kernels::softmax_rows_backward(z, sums, weight, rows, vocab, scale);
      }
      if (!gradients.logprob.defined()) return;
      const T* d = gradients.logprob.const_data_ptr<T>();
      for (std::int64_t i = 0; i < at.count; ++i)
        z[at.local[i] * vocab + at.token[i]] += d[at.target[i]] * scale;
    });
  }

 private:
  struct Indices {
    explicit Indices(const ScoreChunk& chunk)
        : count(chunk.target.numel()),
          target(chunk.target.const_data_ptr<std::int64_t>()),
          local(chunk.local.const_data_ptr<std::int64_t>()),
          token(chunk.token.const_data_ptr<std::int64_t>()) {}
    std::int64_t count;
    const std::int64_t *target, *local, *token;
  };

  // Sum of `values` over the targets that a row predicts; zeros where undefined.
  template <class T>
  static at::Tensor sum_by_row(const Indices& at, const at::Tensor& values,
                               const at::Tensor& like) {
    const at::Tensor sums = at::zeros_like(like);
    if (!values.defined()) return sums;
    const T* from = values.const_data_ptr<T>();
    T* to = sums.data_ptr<T>();
    for (std::int64_t i = 0; i < at.count; ++i) to[at.local[i]] += from[at.target[i]];
    return sums;
  }

  double scale_;
};

}  // namespace

std::shared_ptr<ScoreChunks> make_score_chunks(const PackedRows& rows, int vocab,
                                               double temperature, at::Device device,
                                               Kernels kernels) {
  auto out = std::make_shared<ScoreChunks>();
  out->targets = rows.targets();
  if (kernels != Kernels::Reference) {
    out->math = std::make_unique<FusedMath>(temperature);
  } else {
    out->math = std::make_unique<ReferenceMath>(temperature);
  }
  std::vector<std::int64_t> order(rows.targets());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return rows.target_row[a] < rows.target_row[b];
  });
  const std::size_t most = std::clamp(kChunkNumbers / vocab, kFewestRows, kMostRows);
  for (std::size_t next = 0; next < order.size();) {
    std::vector<std::int64_t> distinct, target, local, token;
    for (; next < order.size(); ++next) {
      const std::int64_t row = rows.target_row[order[next]];
      if (distinct.empty() || distinct.back() != row) {
        if (distinct.size() == most) break;
        distinct.push_back(row);
      }
      target.push_back(order[next]);
      local.push_back(static_cast<std::int64_t>(distinct.size()) - 1);
      token.push_back(rows.target_token[order[next]]);
    }
    // The last row once more, without a target: it changes nothing.
    distinct.resize(static_cast<std::size_t>(in_row_steps(std::ssize(distinct))), distinct.back());
    out->rows += static_cast<std::int64_t>(distinct.size());
    out->chunks.push_back({index_tensor(distinct, device), index_tensor(target, device),
                           index_tensor(local, device), index_tensor(token, device)});
  }
  return out;
}

}  // namespace allot::lm
