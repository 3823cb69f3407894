// The decoder's logits against the full forward pass, without the sampler between.
#include "allot/lm/kernels/decode_net.h"

#include <algorithm>
#include <numeric>
#include <span>

#include <ATen/ops/linear.h>
#include <gtest/gtest.h>

#include "allot/core/random.h"
#include "allot/lm/decode_weights.h"
#include "allot/lm/forward.h"
#include "allot/lm/testing/examples.h"
#include "allot/lm/testing/instruction_sets.h"

namespace allot::lm {
namespace {

using kernels::Bf16;
using kernels::DecodeRow;
using kernels::DecodeScratch;
using kernels::KeyValueCache;
using kernels::Real;

// Logits of all positions of `tokens`, [positions, vocab] in double, by the full forward pass of
// the library in the model's type.
at::Tensor full_logits(const Model& model, const std::vector<std::int32_t>& tokens) {
  PackedRows rows;
  rows.tokens = tokens;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    rows.positions.push_back(static_cast<std::int32_t>(i));
  }
  rows.segments.push_back({0, static_cast<std::int32_t>(tokens.size()), 0, 0});
  return at::linear(hidden_states(model, rows, Kernels::Reference), model.head).to(at::kDouble);
}

struct Shape {
  int prompt, response;
  int chunk;    // rows of the prompt that are run together
  int members;  // of the team
};

std::vector<std::int32_t> random_tokens(const ModelConfig& config, int count) {
  RandomStream stream({.seed = 1, .use = RandomUse::Test, .prompt = 17});
  std::vector<std::int32_t> tokens;
  for (int i = 0; i < count; ++i) {
    tokens.push_back(static_cast<std::int32_t>(stream.below(config.vocab)));
  }
  return tokens;
}

// Logits of all positions, [positions * vocab]: the prompt in chunks, the rest one position at a
// time, as a decoder goes.
template <class W>
std::vector<Real<W>> decoded_logits(const Model& model, const Shape& shape) {
  using T = Real<W>;
  const ModelConfig& config = model.config();
  const auto net = kernels::make_decode_net(config, weight_pointers<W>(model));
  const auto tokens = random_tokens(config, shape.prompt + shape.response);
  Team team(shape.members);
  DecodeScratch<W> scratch(config, shape.chunk, shape.chunk, shape.members);
  KeyValueCache<T> prefix(config, shape.prompt), own(config, shape.response);
  std::vector<T> all;
  const auto run = [&](const std::vector<DecodeRow<T>>& rows) {
    std::vector<int> which(rows.size());
    std::iota(which.begin(), which.end(), 0);
    team.run([&](const TeamMember& member) {
      net->forward(rows, scratch, member);
      net->logits(which, scratch, member);
    });
    for (std::size_t r = 0; r < rows.size(); ++r) {
      const T* row = scratch.logits.data() + r * scratch.vocab_stride;
      all.insert(all.end(), row, row + config.vocab);
    }
  };
  for (int first = 0; first < shape.prompt; first += shape.chunk) {
    std::vector<DecodeRow<T>> rows;
    for (int i = first; i < std::min(shape.prompt, first + shape.chunk); ++i) {
      rows.push_back({tokens[i], nullptr, 0, &prefix, i});
    }
    run(rows);
  }
  for (int t = 0; t < shape.response; ++t) {
    run({{tokens[shape.prompt + t], &prefix, shape.prompt, &own, t}});
  }
  return all;
}

// The largest difference over all positions, relative to the largest logit if that is above 1.
template <class Logits>
double largest_error(const Model& exact, const Logits& logits, const Shape& shape) {
  const at::Tensor wanted =
      full_logits(exact, random_tokens(exact.config(), shape.prompt + shape.response));
  double worst = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    worst = std::max(worst, std::abs(logits[i] - wanted.const_data_ptr<double>()[i]));
  }
  return worst / std::max(1.0, wanted.abs().max().item<double>());
}

std::vector<NamedConfig> configs() {
  std::vector<NamedConfig> configs = example_configs();
  configs.push_back({"size_s", {}});
  return configs;
}

TEST(DecodeNet, GivesTheLogitsOfTheFullForwardPass) {
  for_each_instruction_set([&] {
    for (const auto& [name, config] : configs()) {
      const Model exact = lively_model(config, 8, at::kDouble);
      const Model single = lively_model(config, 8, at::kFloat);
      for (const Shape& shape : {Shape{1, 1, 1, 1}, {16, 20, 13, 1}, {17, 33, 64, 2}}) {
        SCOPED_TRACE(name);
        EXPECT_LT(largest_error(exact, decoded_logits<double>(exact, shape), shape), 1e-10);
        EXPECT_LT(largest_error(exact, decoded_logits<float>(single, shape), shape), 5e-5);
      }
    }
  });
}

// The same weights in double: what separates them is the rounding of activations to 8 bits. The
// library, which rounds sums and keys besides, says how much that is.
TEST(DecodeNet, GivesTheLogitsOfTheFullForwardPassWithinBf16) {
  for_each_instruction_set([&] {
    for (const auto& [name, config] : configs()) {
      const Model half = lively_model(config, 8, at::kBFloat16);
      Model exact = lively_model(config, 8, at::kDouble);
      exact.copy_from(half);
      for (const Shape& shape : {Shape{1, 1, 1, 1}, {16, 20, 13, 1}, {17, 33, 64, 2}}) {
        SCOPED_TRACE(name);
        const at::Tensor library =
            full_logits(half, random_tokens(config, shape.prompt + shape.response));
        const std::span<const double> theirs(library.const_data_ptr<double>(), library.numel());
        EXPECT_LT(largest_error(exact, decoded_logits<Bf16>(half, shape), shape),
                  0.01 + largest_error(exact, theirs, shape));
      }
    }
  });
}

template <class W>
void expect_same_bits_in_every_team(const Model& model) {
  const auto wanted = decoded_logits<W>(model, {19, 8, 12, 1});
  for (const int members : {2, 3, 5}) {
    EXPECT_EQ(decoded_logits<W>(model, {19, 8, 12, members}), wanted) << members;
    EXPECT_EQ(decoded_logits<W>(model, {19, 8, 7, members}), wanted) << members;
  }
}

TEST(DecodeNet, GivesTheSameBitsInEveryTeam) {
  for_each_instruction_set([&] {
    for (const auto& [name, config] : configs()) {
      SCOPED_TRACE(name);
      expect_same_bits_in_every_team<float>(lively_model(config, 8, at::kFloat));
      expect_same_bits_in_every_team<Bf16>(lively_model(config, 8, at::kBFloat16));
    }
  });
}

}  // namespace
}  // namespace allot::lm
