#include "allot/local/row_scores.h"

#include <algorithm>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>

#include "allot/lm/target_features.h"
#include "allot/local/shards.h"

namespace allot {
namespace {

at::Tensor index_tensor(std::vector<std::int64_t>& values, at::IntArrayRef shape, at::Device to) {
  return at::from_blob(values.data(), shape, at::kLong)
      .to(to, at::kLong, /*non_blocking=*/false, /*copy=*/true);
}

// The ids of TrainRow::top by target, lists filled up to one width. Undefined without any.
at::Tensor chosen_ids(const MicroBatch& batch, const TrainRows& rows, at::Device device) {
  std::size_t width = 0;
  for (const std::uint32_t item : batch.items)
    for (const objective::TopK& top : rows.rows[item].top) width = std::max(width, top.ids.size());
  if (width == 0) return {};
  std::vector<std::int64_t> ids;
  for (const std::uint32_t item : batch.items) {
    const TrainRow& row = rows.rows[item];
    for (std::size_t t = 0; t < row.tokens(); ++t) {
      const std::size_t end = ids.size() + width;
      if (t < row.top.size()) ids.insert(ids.end(), row.top[t].ids.begin(), row.top[t].ids.end());
      ids.resize(end, 0);
    }
  }
  const auto targets = static_cast<std::int64_t>(ids.size() / width);
  return index_tensor(ids, {targets, static_cast<std::int64_t>(width)}, device);
}

// A [targets, k] tensor on the CPU, read by rows.
class HostTable {
 public:
  HostTable(const at::Tensor& table, at::ScalarType type)
      : table_(table.to(at::kCPU, type).contiguous()), width_(table.size(1)) {}

  template <class T>
  std::vector<T> row(std::size_t target, std::size_t count) const {
    const T* first = table_.const_data_ptr<T>() + static_cast<std::int64_t>(target) * width_;
    return {first, first + count};
  }
  std::size_t width() const { return static_cast<std::size_t>(width_); }

 private:
  at::Tensor table_;
  std::int64_t width_;
};

void fill_likeliest(const lm::TargetFeatures& features, const MicroBatch& batch,
                    std::vector<RowScore>& by_row) {
  const HostTable ids(features.likeliest_ids, at::kLong), logprob(features.likeliest, at::kDouble);
  for (std::size_t i = 0; i < batch.items.size(); ++i)
    for (std::size_t t = batch.first_target[i]; t < batch.first_target[i + 1]; ++t)
      by_row[batch.items[i]].likeliest.push_back(
          {ids.row<std::int64_t>(t, ids.width()), logprob.row<double>(t, logprob.width())});
}

// A state and its length alone are the same to whatever reads only lengths.
void fill_hidden(const at::Tensor& hidden, const MicroBatch& batch, HiddenPart part,
                 std::vector<RowScore>& by_row) {
  std::vector<std::int64_t> of_target(batch.rows.target_row.begin(), batch.rows.target_row.end());
  const auto targets = static_cast<std::int64_t>(of_target.size());
  at::Tensor states =
      hidden.index_select(0, index_tensor(of_target, {targets}, hidden.device())).to(at::kDouble);
  if (part == HiddenPart::Length) states = states.square().sum(1, /*keepdim=*/true).sqrt();
  const HostTable table(states, at::kDouble);
  for (std::size_t i = 0; i < batch.items.size(); ++i)
    for (std::size_t t = batch.first_target[i]; t < batch.first_target[i + 1]; ++t)
      by_row[batch.items[i]].hidden.push_back(table.row<double>(t, table.width()));
}

void fill_chosen(const lm::TargetFeatures& features, const MicroBatch& batch, const TrainRows& rows,
                 std::vector<RowScore>& by_row) {
  const HostTable logprob(features.chosen, at::kDouble);
  for (std::size_t i = 0; i < batch.items.size(); ++i) {
    const std::vector<objective::TopK>& top = rows.rows[batch.items[i]].top;
    for (std::size_t t = 0; t < top.size(); ++t)
      by_row[batch.items[i]].chosen.push_back(
          logprob.row<double>(batch.first_target[i] + t, top[t].ids.size()));
  }
}

void score_batch(const lm::Model& model, const MicroBatch& batch, const TrainRows& rows,
                 const PolicyGradientSettings& settings, const ScoreWishes& wishes,
                 std::vector<RowScore>& by_row) {
  const lm::Kernels kernels = kernels_of(model, settings.matmul);
  const at::Tensor hidden = lm::hidden_states(model, batch.rows, kernels);
  lm::FeatureWishes wanted;
  wanted.likeliest = wishes.likeliest;
  if (wishes.chosen == ChosenIds::TopOfRows)
    wanted.chosen_ids = chosen_ids(batch, rows, model.device());
  const lm::TargetFeatures features =
      lm::target_features(model, hidden, batch.rows, settings.temperature, kernels, wanted);
  const std::vector<double> logprob = to_host(features.logprob),
                            entropy = to_host(features.entropy);
  for (std::size_t i = 0; i < batch.items.size(); ++i) {
    const std::uint32_t first = batch.first_target[i], last = batch.first_target[i + 1];
    RowScore& row = by_row[batch.items[i]];
    row.logprob.assign(logprob.begin() + first, logprob.begin() + last);
    row.entropy.assign(entropy.begin() + first, entropy.begin() + last);
  }
  if (wishes.hidden != HiddenPart::None) fill_hidden(hidden, batch, wishes.hidden, by_row);
  if (features.likeliest.defined()) fill_likeliest(features, batch, by_row);
  if (features.chosen.defined()) fill_chosen(features, batch, rows, by_row);
}

}  // namespace

lm::Kernels kernels_of(const lm::Model& model, Matmul matmul) {
  if (!lm::has_fused_kernels(model)) return lm::Kernels::Reference;
  return matmul == Matmul::Bf16 ? lm::Kernels::FusedBf16 : lm::Kernels::Fused;
}

Shards shards_of(const TrainRows& rows, std::span<const std::uint32_t> which,
                 const PackSettings& settings) {
  return pack(pack_groups(rows, which), settings);
}

std::uint64_t positions_of(const Shards& shards) {
  std::int64_t rows = 0;
  for (const auto& shard : shards)
    for (const MicroBatch& batch : shard) rows += batch.rows.rows();
  return static_cast<std::uint64_t>(rows);
}

std::vector<double> to_host(const at::Tensor& tensor) {
  const at::Tensor host = tensor.detach().to(at::kCPU, at::kDouble).contiguous();
  const double* first = host.const_data_ptr<double>();
  return {first, first + host.numel()};
}

RowScores score_rows(const lm::Model& model, const TrainRows& rows,
                     std::span<const std::uint32_t> which, const PolicyGradientSettings& settings,
                     const ScoreWishes& wishes) {
  const Shards shards = shards_of(rows, which, settings.pack);
  std::vector<RowScore> by_row(rows.rows.size());
  for_each_shard(static_cast<int>(shards.size()), workers_for(model, settings.workers),
                 [&](int shard) {
                   const at::NoGradGuard no_grad;
                   for (const MicroBatch& batch : shards[static_cast<std::size_t>(shard)])
                     score_batch(model, batch, rows, settings, wishes, by_row);
                 });
  RowScores out;
  for (const std::uint32_t row : which) out.rows.push_back(std::move(by_row[row]));
  out.positions = positions_of(shards);
  return out;
}

}  // namespace allot
