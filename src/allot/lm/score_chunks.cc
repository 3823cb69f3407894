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
                const at::Tensor& d_logprob) const override {
    const at::Tensor p =
        (logits.to(log_sum.scalar_type()) / temperature_ - log_sum.unsqueeze(1)).exp();
    const at::Tensor d = d_logprob.index_select(0, chunk.target);
    const at::Tensor of_rows = at::zeros_like(log_sum).index_add_(0, chunk.local, d);
    at::Tensor gradient = p * -of_rows.unsqueeze(1);
    gradient.index_put_({chunk.local, chunk.token}, d, /*accumulate=*/true);
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
                const at::Tensor& d_logprob) const override {
    with_real_type(logits.scalar_type(), [&](auto zero) {
      using T = decltype(zero);
      const std::int64_t vocab = logits.size(1);
      const at::Tensor of_rows = at::zeros_like(log_sum);
      const T* d = d_logprob.const_data_ptr<T>();
      T* weights = of_rows.data_ptr<T>();
      T* z = logits.data_ptr<T>();
      const Indices at(chunk);
      for (std::int64_t i = 0; i < at.count; ++i) weights[at.local[i]] += d[at.target[i]];
      kernels::softmax_rows_backward(z, log_sum.const_data_ptr<T>(), weights, logits.size(0), vocab,
                                     static_cast<T>(scale_));
      for (std::int64_t i = 0; i < at.count; ++i) {
        z[at.local[i] * vocab + at.token[i]] += d[at.target[i]] * static_cast<T>(scale_);
      }
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
