// The decoder's logits against the full forward pass, without the sampler between.
#include "allot/lm/kernels/decode_net.h"

#include <algorithm>

#include <ATen/ops/linear.h>
#include <gtest/gtest.h>

#include "allot/core/random.h"
#include "allot/lm/decode_weights.h"
#include "allot/lm/forward.h"
#include "allot/lm/testing/examples.h"
#include "allot/lm/testing/instruction_sets.h"

namespace allot::lm {
namespace {

using kernels::DecodeRow;
using kernels::DecodeScratch;
using kernels::KeyValueCache;

// Logits of all positions of `tokens`, [positions, vocab], by the full forward pass in double.
at::Tensor full_logits(const Model& exact, const std::vector<std::int32_t>& tokens) {
  PackedRows rows;
  rows.tokens = tokens;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    rows.positions.push_back(static_cast<std::int32_t>(i));
  }
  rows.segments.push_back({0, static_cast<std::int32_t>(tokens.size()), 0, 0});
  return at::linear(hidden_states(exact, rows, Kernels::Reference), exact.head);
}

// The largest difference over all positions, relative to the largest logit if that is above 1: the
// prompt in chunks of `chunk` rows, the rest one position at a time, as a decoder goes.
template <class T>
double largest_error(const Model& exact, const Model& model, int prompt, int response, int chunk) {
  const ModelConfig& config = model.config();
  const auto net = kernels::make_decode_net(config, weight_pointers<T>(model));
  RandomStream stream({.seed = 1, .use = RandomUse::Test, .prompt = 17});
  std::vector<std::int32_t> tokens;
  for (int i = 0; i < prompt + response; ++i) {
    tokens.push_back(static_cast<std::int32_t>(stream.below(config.vocab)));
  }
  const at::Tensor wanted = full_logits(exact, tokens);
  DecodeScratch<T> scratch(config, chunk);
  KeyValueCache<T> prefix(config, prompt), own(config, response);
  double worst = 0;
  const auto run = [&](const std::vector<DecodeRow<T>>& rows, int first) {
    net->forward(rows, scratch);
    const T* logits = net->logits(0, static_cast<int>(rows.size()), scratch);
    for (std::size_t r = 0; r < rows.size(); ++r) {
      const double* row = wanted.const_data_ptr<double>() + (first + r) * config.vocab;
      for (int v = 0; v < config.vocab; ++v) {
        worst = std::max(worst, std::abs(logits[r * scratch.vocab_stride + v] - row[v]));
      }
    }
  };
  for (int first = 0; first < prompt; first += chunk) {
    std::vector<DecodeRow<T>> rows;
    for (int i = first; i < std::min(prompt, first + chunk); ++i) {
      rows.push_back({tokens[i], nullptr, 0, &prefix, i});
    }
    run(rows, first);
  }
  for (int t = 0; t < response; ++t) {
    run({{tokens[prompt + t], &prefix, prompt, &own, t}}, prompt + t);
  }
  return worst / std::max(1.0, wanted.abs().max().item<double>());
}

TEST(DecodeNet, GivesTheLogitsOfTheFullForwardPass) {
  for_each_instruction_set([&] {
    std::vector<NamedConfig> configs = example_configs();
    configs.push_back({"size_s", {}});
    for (const auto& [name, config] : configs) {
      const Model exact = lively_model(config, 8, at::kDouble);
      const Model single = lively_model(config, 8, at::kFloat);
      for (const auto& [prompt, response] : {std::pair{1, 1}, {16, 20}, {17, 33}, {40, 5}}) {
        for (const int chunk : {1, 13, 64}) {
          EXPECT_LT(largest_error<double>(exact, exact, prompt, response, chunk), 1e-10)
              << name << " " << prompt << " + " << response;
          EXPECT_LT(largest_error<float>(exact, single, prompt, response, chunk), 5e-5)
              << name << " " << prompt << " + " << response;
        }
      }
    }
  });
}

}  // namespace
}  // namespace allot::lm
