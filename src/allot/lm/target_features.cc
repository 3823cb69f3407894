#include "allot/lm/target_features.h"

#include <algorithm>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/topk.h>

#include "allot/core/error.h"
#include "allot/lm/score_chunks.h"

namespace allot::lm {
namespace {

void check(const FeatureWishes& wishes, const PackedRows& rows) {
  if (!wishes.chosen_ids.defined()) return;
  if (wishes.chosen_ids.dim() != 2 || wishes.chosen_ids.size(0) != rows.targets())
    throw Error(ErrorKind::Internal, "head", "chosen ids need one list per target");
}

}  // namespace

TargetFeatures target_features(const Model& model, const at::Tensor& hidden, const PackedRows& rows,
                               double temperature, Kernels kernels, const FeatureWishes& wishes) {
  const at::NoGradGuard no_grad;
  check(wishes, rows);
  const auto plan =
      make_score_chunks(rows, model.config().vocab, temperature, model.device(), kernels);
  const auto options =
      hidden.options().dtype(hidden.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
  const std::int64_t targets = plan->targets;
  const std::int64_t k = std::min<std::int64_t>(wishes.likeliest, model.config().vocab);
  TargetFeatures out;
  out.logprob = at::empty({targets}, options);
  out.entropy = at::empty({targets}, options);
  if (k > 0) {
    out.likeliest = at::empty({targets, k}, options);
    out.likeliest_ids = at::empty({targets, k}, options.dtype(at::kLong));
  }
  if (wishes.chosen_ids.defined())
    out.chosen = at::empty({targets, wishes.chosen_ids.size(1)}, options);
  for (const ScoreChunk& chunk : plan->chunks) {
    const at::Tensor logits = at::mm(hidden.index_select(0, chunk.rows), model.head.t());
    const at::Tensor log_sum = at::empty({logits.size(0)}, options);
    // The math may overwrite the logits.
    at::Tensor top, top_ids, chosen;
    if (k > 0) std::tie(top, top_ids) = at::topk(logits, k, 1);
    if (out.chosen.defined())
      chosen =
          logits.index({chunk.local.unsqueeze(1), wishes.chosen_ids.index_select(0, chunk.target)});
    plan->math->forward(chunk, logits, log_sum, out.logprob, out.entropy);
    const at::Tensor sums = log_sum.index_select(0, chunk.local).unsqueeze(1);
    if (k > 0) {
      const at::Tensor of_targets = top.index_select(0, chunk.local).to(options) / temperature;
      out.likeliest.index_put_({chunk.target}, of_targets - sums);
      out.likeliest_ids.index_put_({chunk.target}, top_ids.index_select(0, chunk.local));
    }
    if (out.chosen.defined())
      out.chosen.index_put_({chunk.target}, chosen.to(options) / temperature - sums);
  }
  return out;
}

}  // namespace allot::lm
