// The transformer over packed rows: checks, and the choice of the path.
#include "allot/lm/forward.h"

#include <cmath>
#include <memory>
#include <utility>

#include <ATen/core/grad_mode.h>

#include "allot/core/error.h"
#include "allot/lm/autograd_functions.h"
#include "allot/lm/forward_reference.h"
#include "allot/lm/fused_layers.h"
#include "allot/lm/score_chunks.h"

namespace allot::lm {
namespace {

void require(bool holds, std::int64_t at, const char* needed) {
  if (!holds) throw Error(ErrorKind::Internal, "packed rows", concat("entry ", at, ": ", needed));
}

// The promises of packed_rows.h, which the kernels rely on to stay inside their memory.
void check(const PackedRows& rows, const ModelConfig& config) {
  const std::int64_t n = rows.rows();
  require(n >= 1 && n < std::int64_t{1} << 31, n, "1 to 2^31 - 1 rows are needed");
  require(rows.positions.size() == rows.tokens.size(), n, "as many positions as tokens are needed");
  require(rows.target_row.size() == rows.target_token.size(), rows.targets(),
          "as many target rows as target tokens are needed");
  for (std::int64_t i = 0; i < n; ++i) {
    require(rows.tokens[i] >= 0 && rows.tokens[i] < config.vocab, i,
            "a token outside of the vocabulary");
  }
  std::int64_t reached = 0;
  for (std::size_t s = 0; s < rows.segments.size(); ++s) {
    const Segment& segment = rows.segments[s];
    const std::int64_t at = static_cast<std::int64_t>(s);
    require(segment.start == reached && segment.length >= 1 && segment.length <= n - reached, at,
            "segments follow each other and have at least one row");
    require(segment.prefix_start >= 0 && segment.prefix_length >= 0 &&
                std::int64_t{segment.prefix_start} + segment.prefix_length <= segment.start,
            at, "the prefix of a segment lies before it");
    require(std::int64_t{segment.prefix_length} + segment.length <= config.context, at,
            "a segment is longer than the context");
    for (std::int32_t i = 0; i < segment.length; ++i) {
      require(rows.positions[segment.start + i] == segment.prefix_length + i, segment.start + i,
              "positions count up from the length of the prefix");
    }
    reached += segment.length;
  }
  require(reached == n, reached, "segments cover all rows");
}

void check(Kernels kernels, const Model& model) {
  if (kernels != Kernels::Reference && !has_fused_kernels(model)) {
    throw Error(ErrorKind::Internal, "forward",
                "fused kernels were asked for; they need a CPU model in float or double",
                "ask has_fused_kernels() first");
  }
}

// Rows up to the next step, each a segment by itself that nothing uses.
PackedRows filled_up(PackedRows rows) {
  for (std::int64_t n = rows.rows(); n % kRowStep != 0; ++n) {
    rows.segments.push_back({.start = static_cast<std::int32_t>(n), .length = 1});
    rows.tokens.push_back(0);
    rows.positions.push_back(0);
  }
  return rows;
}

at::Tensor fused(const Model& model, const PackedRows& rows, Kernels kernels,
                 KeptActivations kept) {
  std::shared_ptr<FusedLayers> layers = make_fused_layers(
      model, rows, kernels == Kernels::FusedBf16 ? ProductType::Bf16 : ProductType::Same, kept);
  const bool gradients = at::GradMode::is_enabled() && model.embedding.requires_grad();
  return gradients ? layer_outputs(model, std::move(layers)) : layers->forward_without_gradient();
}

}  // namespace

bool has_fused_kernels(const Model& model) {
  return model.device().is_cpu() && (model.dtype() == at::kFloat || model.dtype() == at::kDouble);
}

at::Tensor hidden_states(const Model& model, const PackedRows& given, Kernels kernels,
                         KeptActivations kept) {
  check(given, model.config());
  check(kernels, model);
  if (kept == KeptActivations::LayerInputs && kernels == Kernels::Reference) {
    throw Error(ErrorKind::Internal, "forward",
                "activations to be computed again were asked for; that needs fused kernels");
  }
  const PackedRows rows = filled_up(given);
  const at::Tensor hidden = kernels == Kernels::Reference ? reference_hidden_states(model, rows)
                                                          : fused(model, rows, kernels, kept);
  return hidden.narrow(0, 0, given.rows());
}

TokenScores score_targets(const Model& model, const at::Tensor& hidden, const PackedRows& rows,
                          double temperature, Kernels kernels) {
  check(kernels, model);
  require(
      hidden.dim() == 2 && hidden.size(0) == rows.rows() && hidden.size(1) == model.config().dim,
      rows.rows(), "hidden states [rows, dim] are needed");
  require(std::isfinite(temperature) && temperature > 0, 0, "a positive temperature is needed");
  require(rows.target_row.size() == rows.target_token.size(), rows.targets(),
          "as many target rows as target tokens are needed");
  for (std::int64_t i = 0; i < rows.targets(); ++i) {
    require(rows.target_row[i] >= 0 && rows.target_row[i] < rows.rows(), i,
            "a target's row lies outside of the rows");
    require(rows.target_token[i] >= 0 && rows.target_token[i] < model.config().vocab, i,
            "a target's token lies outside of the vocabulary");
  }
  return chunked_scores(
      hidden, model.head,
      make_score_chunks(rows, model.config().vocab, temperature, model.device(), kernels));
}

}  // namespace allot::lm
