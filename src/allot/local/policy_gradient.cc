#include "allot/local/policy_gradient.h"

#include <algorithm>
#include <cmath>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>

#include "allot/lm/forward.h"
#include "allot/local/policy_loss.h"
#include "allot/local/shards.h"

namespace allot {
namespace {

using Shards = std::vector<std::vector<MicroBatch>>;

std::uint64_t positions_of(const Shards& shards) {
  std::int64_t rows = 0;
  for (const auto& shard : shards)
    for (const MicroBatch& batch : shard) rows += batch.rows.rows();
  return static_cast<std::uint64_t>(rows);
}

lm::Kernels kernels_of(const lm::Model& model, Matmul matmul) {
  if (!lm::has_fused_kernels(model)) return lm::Kernels::Reference;
  return matmul == Matmul::Bf16 ? lm::Kernels::FusedBf16 : lm::Kernels::Fused;
}

lm::TokenScores scores_of(const lm::Model& model, const MicroBatch& batch,
                          const PolicyGradientSettings& settings) {
  const lm::Kernels kernels = kernels_of(model, settings.matmul);
  const at::Tensor hidden = lm::hidden_states(model, batch.rows, kernels, settings.activations);
  return lm::score_targets(model, hidden, batch.rows, settings.temperature, kernels);
}

template <class T>
at::Tensor tensor_of(std::vector<T>& values, at::ScalarType from, const at::TensorOptions& to) {
  return at::from_blob(values.data(), {static_cast<std::int64_t>(values.size())}, from)
      .to(to, /*non_blocking=*/false, /*copy=*/true);
}

// Doubles on the CPU, whatever the type and device.
std::vector<double> to_host(const at::Tensor& tensor) {
  const at::Tensor host = tensor.detach().to(at::kCPU, at::kDouble).contiguous();
  const double* first = host.const_data_ptr<double>();
  return {first, first + host.numel()};
}

// What one update needs, for all shards.
struct Job {
  const TrainRows& rows;
  const std::vector<double>& scale;  // by row: omega * weight
  Version version;
  const PolicyGradientSettings& settings;
};

PolicyTargets targets_of(const MicroBatch& batch, const Job& job, const at::Tensor& like) {
  std::vector<double> anchor, advantage, scale;
  std::vector<std::int64_t> item;
  std::vector<std::uint8_t> own;
  for (std::size_t i = 0; i < batch.items.size(); ++i) {
    const TrainRow& row = job.rows.rows[batch.items[i]];
    const std::size_t n = row.tokens();
    const bool given = !row.anchor.empty();
    for (std::size_t t = 0; t < n; ++t) anchor.push_back(given ? row.anchor[t] : 0);
    own.insert(own.end(), n, given ? 0 : 1);
    advantage.insert(advantage.end(), n, row.advantage);
    scale.insert(scale.end(), n, job.scale[batch.items[i]]);
    item.insert(item.end(), n, static_cast<std::int64_t>(i));
  }
  PolicyTargets targets;
  targets.anchor = tensor_of(anchor, at::kDouble, like.options());
  targets.own_anchor = tensor_of(own, at::kByte, like.options().dtype(at::kBool));
  targets.advantage = tensor_of(advantage, at::kDouble, like.options());
  targets.scale = tensor_of(scale, at::kDouble, like.options());
  targets.item = tensor_of(item, at::kLong, like.options().dtype(at::kLong));
  targets.items = static_cast<std::int64_t>(batch.items.size());
  return targets;
}

SamplerMismatch mismatch_of(const MicroBatch& batch, const Job& job, const at::Tensor& logprob) {
  SamplerMismatch out;
  const std::vector<double> here = to_host(logprob);
  for (std::size_t i = 0; i < batch.items.size(); ++i) {
    const Rollout& rollout = job.rows.rows[batch.items[i]].stored->rollout;
    if (rollout.behaviour != job.version || rollout.logp.size() != rollout.tokens.size()) continue;
    for (std::size_t t = 0; t < rollout.tokens.size(); ++t) {
      out.add_token(here[batch.first_target[i] + t], rollout.logp[t]);
    }
  }
  return out;
}

// What one shard reports; gradients stay in the leaves of its view.
struct ShardReport {
  objective::LossSums sums;
  double entropy_sum = 0;
  SamplerMismatch mismatch;
};

ShardReport run_shard(const lm::Model& view, const std::vector<MicroBatch>& batches, const Job& job,
                      std::vector<objective::ItemRatio>& ratios) {
  ShardReport report;
  for (const MicroBatch& batch : batches) {
    const lm::TokenScores scores = scores_of(view, batch, job.settings);
    const PolicyLossGradient loss = policy_loss_gradient(
        job.settings.loss, scores.logprob, targets_of(batch, job, scores.logprob.detach()));
    scores.logprob.backward(loss.gradient);
    report.sums.add(loss.sums);
    report.entropy_sum += scores.entropy.sum(at::kDouble).item<double>();
    report.mismatch.add(mismatch_of(batch, job, scores.logprob));
    for (std::size_t i = 0; i < batch.items.size(); ++i) ratios[batch.items[i]] = loss.items[i];
  }
  return report;
}

}  // namespace

void SamplerMismatch::add_token(double here, double sampled) {
  const double difference = std::abs(here - sampled), ratio = std::exp(here - sampled);
  add({1, difference, difference, ratio, ratio * ratio, ratio, ratio});
}

void SamplerMismatch::add(const SamplerMismatch& other) {
  if (other.tokens == 0) return;
  ratio_min = tokens == 0 ? other.ratio_min : std::min(ratio_min, other.ratio_min);
  ratio_max = std::max(ratio_max, other.ratio_max);
  ratio_sum += other.ratio_sum;
  ratio_squares += other.ratio_squares;
  sum += other.sum;
  max = std::max(max, other.max);
  tokens += other.tokens;
}

std::vector<Metric> SamplerMismatch::metrics() const {
  if (tokens == 0) return {};
  return {{"mismatch/logp_diff_mean", sum / tokens},
          {"mismatch/logp_diff_max", max},
          {"mismatch/ratio_min", ratio_min},
          {"mismatch/ratio_mean", ratio_sum / tokens},
          {"mismatch/ratio_max", ratio_max},
          {"mismatch/ess", ratio_sum * ratio_sum / (tokens * ratio_squares)}};
}

PolicyGradient policy_gradient(const lm::Model& model, const TrainRows& rows,
                               std::span<const std::uint32_t> which, std::span<const double> omega,
                               Version version, const PolicyGradientSettings& settings) {
  std::vector<double> scale(rows.rows.size(), 0);
  for (std::size_t i = 0; i < which.size(); ++i)
    scale[which[i]] = omega[i] * rows.rows[which[i]].weight;
  const Job job{rows, scale, version, settings};
  const Shards shards = pack(pack_groups(rows, which), settings.pack);

  std::vector<objective::ItemRatio> ratios(rows.rows.size());  // shards write distinct entries
  std::vector<ShardReport> reports(shards.size());
  PolicyGradient out;
  out.gradients =
      summed_gradients(model, static_cast<int>(shards.size()), workers_for(model, settings.workers),
                       [&](const lm::Model& view, int shard) {
                         const auto s = static_cast<std::size_t>(shard);
                         reports[s] = run_shard(view, shards[s], job, ratios);
                       });
  for (const ShardReport& report : reports) {
    out.sums.add(report.sums);
    out.entropy_sum += report.entropy_sum;
    out.mismatch.add(report.mismatch);
  }
  for (const std::uint32_t row : which) out.items.push_back(ratios[row]);
  out.positions = positions_of(shards);
  return out;
}

LogProbs log_probs(const lm::Model& model, const TrainRows& rows,
                   std::span<const std::uint32_t> which, const PolicyGradientSettings& settings) {
  const Shards shards = pack(pack_groups(rows, which), settings.pack);
  std::vector<std::vector<double>> by_row(rows.rows.size());
  for_each_shard(
      static_cast<int>(shards.size()), workers_for(model, settings.workers), [&](int shard) {
        const at::NoGradGuard no_grad;
        for (const MicroBatch& batch : shards[static_cast<std::size_t>(shard)]) {
          const std::vector<double> values = to_host(scores_of(model, batch, settings).logprob);
          for (std::size_t i = 0; i < batch.items.size(); ++i)
            by_row[batch.items[i]].assign(values.begin() + batch.first_target[i],
                                          values.begin() + batch.first_target[i + 1]);
        }
      });
  LogProbs out;
  for (const std::uint32_t row : which) out.values.push_back(std::move(by_row[row]));
  out.positions = positions_of(shards);
  return out;
}

}  // namespace allot
