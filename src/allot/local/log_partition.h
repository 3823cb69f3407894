// log Z of FlowRL (arXiv 2509.15207): a network of three layers on the mean hidden state of a
// prompt, trained together with the policy and never sent to an engine.
//
//   Linear, GELU, LayerNorm, dropout 0.1, twice; then Linear to one number
//
// Source: objectives, section 11. Dropout is drawn by prompt and step, so that a prompt that is
// computed in several pieces has one value.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "allot/core/random.h"
#include "allot/lm/model.h"
#include "allot/lm/packed_rows.h"
#include "allot/lm/tensor.h"

namespace allot {

class LogPartition {
 public:
  static constexpr double kDropout = 0.1;

  // Hidden layers as wide as the model; weights normal with sd 1 / sqrt(dim), the last layer 0, so
  // that training begins at log Z = 0. A pure function of shape and seed.
  LogPartition(int dim, std::uint64_t seed, at::ScalarType type, at::Device device);

  // log Z of each prompt, with gradient for both. prompts [n, dim]; keys [n] of the dropout.
  at::Tensor operator()(const at::Tensor& prompts, std::span<const RandomKey> keys) const;

  std::vector<lm::NamedTensor> parameters() const;  // "log_partition.0.weight", ...
  // The same storage behind fresh leaves that require grad.
  LogPartition training_view() const;

  // A file of the checkpoint folder. load(): Error(Model) for a missing or damaged one, or another
  // shape; nothing changes then.
  void save(const std::string& path) const;
  void load(const std::string& path);

 private:
  LogPartition() = default;

  std::vector<at::Tensor> tensors_;  // in the order of parameters()
};

// The prompts of packed rows: each response's prompt, by its number, and the prompts' mean hidden
// states.
struct PromptMeans {
  at::Tensor means;                    // [prompts, dim], with the gradient of `hidden`
  std::vector<std::size_t> of_target;  // by first target given
};
// `first_target`: of each response. hidden [rows, dim].
PromptMeans prompt_means(const at::Tensor& hidden, const lm::PackedRows& rows,
                         std::span<const std::uint32_t> first_target);

}  // namespace allot
