// Values and gradients of both paths against plain loops, finite differences and each other.
#include "allot/lm/forward.h"

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/mm.h>
#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/random.h"
#include "allot/lm/matmul.h"
#include "allot/lm/testing/examples.h"
#include "allot/lm/testing/plain_transformer.h"

namespace allot::lm {
namespace {

// Small tensors: a second thread of the library only waits.
class OneThread : public ::testing::Environment {
 public:
  void SetUp() override { set_worker_threads(); }
};
const auto* const kOneThread = ::testing::AddGlobalTestEnvironment(new OneThread);

constexpr Kernels kBoth[] = {Kernels::Fused, Kernels::Reference};

// Fixed numbers in (-1, 1), one per target.
at::Tensor loss_weights(std::int64_t count, at::ScalarType dtype) {
  const at::Tensor weights = at::empty({count}, at::kDouble);
  RandomStream random({.seed = 5, .use = RandomUse::Test});
  for (std::int64_t i = 0; i < count; ++i) {
    weights.data_ptr<double>()[i] = 2 * random.uniform() - 1;
  }
  return weights.to(dtype);
}

struct Evaluated {
  at::Tensor logprob, entropy;
  std::map<std::string, at::Tensor> gradient;  // in double
};

// Gradient of sum_i weight_i logprob_i.
Evaluated evaluate(const Model& model, const PackedRows& rows, double temperature,
                   Kernels kernels) {
  const Model view = model.training_view();
  const TokenScores scores =
      score_targets(view, hidden_states(view, rows, kernels), rows, temperature, kernels);
  (scores.logprob * loss_weights(rows.targets(), scores.logprob.scalar_type())).sum().backward();
  Evaluated out{scores.logprob.detach(), scores.entropy, {}};
  for (const NamedTensor& named : view.parameters()) {
    out.gradient[named.name] = named.tensor.grad().to(at::kDouble);
  }
  return out;
}

double relative_difference(const at::Tensor& a, const at::Tensor& b) {
  const double size = b.to(at::kDouble).norm().item<double>();
  return (a.to(at::kDouble) - b.to(at::kDouble)).norm().item<double>() / (size + 1e-300);
}

void expect_same_gradients(const Evaluated& a, const Evaluated& b, double tolerance,
                           const std::string& what) {
  ASSERT_EQ(a.gradient.size(), b.gradient.size());
  for (const auto& [name, gradient] : a.gradient) {
    const at::Tensor& other = b.gradient.at(name);
    // The bias of k only shifts all scores of a softmax: its gradient is 0 but for rounding.
    if (name.find("k_proj.bias") != std::string::npos && other.norm().item<double>() < 1e-9) {
      EXPECT_LT(gradient.norm().item<double>(), 1e-9) << what << " " << name;
      continue;
    }
    EXPECT_LT(relative_difference(gradient, other), tolerance) << what << " " << name;
  }
}

struct Case {
  std::string name;
  ModelConfig config;
  std::vector<ExampleGroup> groups;
};

std::vector<Case> cases() {
  std::vector<Case> out;
  for (const NamedConfig& named : example_configs()) {
    out.push_back({named.name + " short", named.config,
                   random_groups(named.config, 11, 3, 4, 3, 4)});  // many lengths of 1
    out.push_back(
        {named.name + " long", named.config, random_groups(named.config, 12, 2, 3, 60, 70)});
  }
  return out;
}

TEST(Forward, BothPathsEqualPlainLoops) {
  for (const Case& c : cases()) {
    const Model model = lively_model(c.config, 3, at::kDouble);
    const Weights weights = weights_of(model);
    const PackedRows rows = pack_shared(c.groups);
    for (const Kernels kernels : kBoth) {
      const at::Tensor hidden = hidden_states(model, rows, kernels);
      const TokenScores scores = score_targets(model, hidden, rows, 0.7, kernels);
      const double* logprob = scores.logprob.const_data_ptr<double>();
      const double* entropy = scores.entropy.const_data_ptr<double>();
      std::int64_t target = 0;
      for (const ExampleGroup& group : c.groups) {
        for (const auto& response : group.responses) {
          std::vector<std::int32_t> tokens = group.prompt;
          tokens.insert(tokens.end(), response.begin(), response.end());
          const PlainOutput plain = plain_transformer(c.config, weights, tokens, 0.7);
          for (std::size_t i = 0; i < response.size(); ++i, ++target) {
            const std::size_t at = group.prompt.size() + i - 1;
            double plain_entropy = 0;
            for (const double lp : plain.logprob[at]) plain_entropy -= std::exp(lp) * lp;
            EXPECT_NEAR(logprob[target], plain.logprob[at][response[i]], 1e-10) << c.name;
            EXPECT_NEAR(entropy[target], plain_entropy, 1e-10) << c.name;
            const double* row =
                hidden.const_data_ptr<double>() + rows.target_row[target] * c.config.dim;
            for (int d = 0; d < c.config.dim; ++d) {
              ASSERT_NEAR(row[d], plain.hidden[at][d], 1e-10) << c.name;
            }
          }
        }
      }
      EXPECT_EQ(target, rows.targets());
    }
  }
}

TEST(Forward, FusedGradientsEqualReferenceInDouble) {
  for (const Case& c : cases()) {
    const Model model = lively_model(c.config, 3, at::kDouble);
    const PackedRows rows = pack_shared(c.groups);
    const Evaluated fused = evaluate(model, rows, 0.8, Kernels::Fused);
    const Evaluated reference = evaluate(model, rows, 0.8, Kernels::Reference);
    EXPECT_LT(relative_difference(fused.logprob, reference.logprob), 1e-12) << c.name;
    EXPECT_LT(relative_difference(fused.entropy, reference.entropy), 1e-12) << c.name;
    expect_same_gradients(fused, reference, 1e-10, c.name);
  }
}

TEST(Forward, FloatIsCloseToDouble) {
  for (const Case& c : cases()) {
    const PackedRows rows = pack_shared(c.groups);
    const Evaluated exact =
        evaluate(lively_model(c.config, 3, at::kDouble), rows, 1, Kernels::Reference);
    for (const Kernels kernels : kBoth) {
      const Evaluated single = evaluate(lively_model(c.config, 3, at::kFloat), rows, 1, kernels);
      EXPECT_LT(relative_difference(single.logprob, exact.logprob), 1e-5) << c.name;
      EXPECT_LT(relative_difference(single.entropy, exact.entropy), 1e-5) << c.name;
      for (const auto& [name, gradient] : exact.gradient) {
        if (gradient.norm().item<double>() < 1e-9) continue;
        EXPECT_LT(relative_difference(single.gradient.at(name), gradient), 1e-5)
            << c.name << " " << name;
      }
    }
  }
}

// Products of BF16 numbers round each factor by up to 2^-9: values and gradients follow the exact
// ones that closely, and no closer (else nothing was rounded).
TEST(Forward, Bf16ProductsAreCloseToFloat) {
  for (const Case& c : cases()) {
    const PackedRows rows = pack_shared(c.groups);
    const Model model = lively_model(c.config, 3, at::kFloat);
    const Evaluated exact = evaluate(model, rows, 1, Kernels::Fused);
    const Evaluated rounded = evaluate(model, rows, 1, Kernels::FusedBf16);
    const double error = relative_difference(rounded.logprob, exact.logprob);
    EXPECT_LT(error, 0.03) << c.name;
    EXPECT_GT(error, 1e-5) << c.name;
    for (const auto& [name, gradient] : exact.gradient) {
      if (name.find("k_proj.bias") != std::string::npos) continue;  // 0 but for rounding
      EXPECT_LT(relative_difference(rounded.gradient.at(name), gradient), 0.1)
          << c.name << " " << name;
    }
  }
}

// Shared prompts against one row of prompt and response per response: in double to rounding, in
// float within 1e-5.
TEST(Forward, SharingPromptsChangesNothing) {
  for (const NamedConfig& named : example_configs()) {
    for (std::uint64_t seed = 20; seed < 24; ++seed) {
      const auto groups = random_groups(named.config, seed, 3, 5, 20, seed % 2 == 0 ? 30 : 3);
      for (const auto dtype : {at::kDouble, at::kFloat}) {
        const Model model = lively_model(named.config, seed, dtype);
        const Evaluated shared = evaluate(model, pack_shared(groups), 1, Kernels::Fused);
        const Evaluated apart = evaluate(model, pack_unshared(groups), 1, Kernels::Fused);
        const double tolerance = dtype == at::kDouble ? 1e-11 : 1e-5;
        EXPECT_LT(relative_difference(shared.logprob, apart.logprob), tolerance);
        for (const auto& [name, gradient] : apart.gradient) {
          if (name.find("k_proj.bias") != std::string::npos) continue;  // 0 but for rounding
          EXPECT_LT(relative_difference(shared.gradient.at(name), gradient), tolerance)
              << named.name << " " << seed << " " << name;
        }
      }
    }
  }
}

// A sequence's values may not depend on what else is packed beside it.
TEST(Forward, NeighboursDoNotMatter) {
  const ModelConfig config = example_configs()[3].config;
  const Model model = lively_model(config, 2, at::kDouble);
  const auto groups = random_groups(config, 30, 5, 3, 9, 40);
  const PackedRows together = pack_shared(groups);
  const at::Tensor all = score_targets(model, hidden_states(model, together, Kernels::Fused),
                                       together, 1, Kernels::Fused)
                             .logprob;
  std::int64_t at = 0;
  for (const ExampleGroup& group : groups) {
    const PackedRows alone = pack_shared({group});
    const at::Tensor own =
        score_targets(model, hidden_states(model, alone, Kernels::Fused), alone, 1, Kernels::Fused)
            .logprob;
    EXPECT_LT(relative_difference(all.narrow(0, at, alone.targets()), own), 1e-13);
    at += alone.targets();
  }
}

// Central differences along random directions, all parameters at once.
TEST(Forward, GradientsEqualFiniteDifferences) {
  for (const NamedConfig& named : example_configs()) {
    const auto groups = random_groups(named.config, 40, 2, 3, 5, 9);
    const PackedRows rows = pack_shared(groups);
    const Model model = lively_model(named.config, 4, at::kDouble);
    const at::Tensor weights = loss_weights(rows.targets(), at::kDouble);
    for (const Kernels kernels : kBoth) {
      const Evaluated evaluated = evaluate(model, rows, 0.9, kernels);
      const auto loss_at = [&](const std::string& name, const at::Tensor& direction, double step) {
        Model moved = model.clone();
        for (const NamedTensor& p : moved.parameters()) {
          if (p.name == name) at::Tensor(p.tensor).add_(direction, step);
        }
        const at::Tensor hidden = hidden_states(moved, rows, kernels);
        return (score_targets(moved, hidden, rows, 0.9, kernels).logprob * weights)
            .sum()
            .item<double>();
      };
      for (const NamedTensor& p : model.parameters()) {
        const at::Tensor direction =
            loss_weights(p.tensor.numel(), at::kDouble).view(p.tensor.sizes());
        const double slope = (evaluated.gradient.at(p.name) * direction).sum().item<double>();
        const double h = 1e-5;
        const double numeric =
            (loss_at(p.name, direction, h) - loss_at(p.name, direction, -h)) / (2 * h);
        EXPECT_NEAR(slope, numeric, 1e-6 * (1 + std::fabs(numeric))) << named.name << " " << p.name;
      }
    }
  }
}

// A loss of log-probabilities and entropies: weights of both.
struct HeadLoss {
  double logprob = 0, entropy = 0;
};

// The chunked head against a plain log-softmax under autograd, with more rows than one chunk holds.
TEST(Forward, ChunkedHeadEqualsLogSoftmax) {
  ModelConfig config = example_configs()[0].config;
  config.vocab = 70000;  // 64 rows per chunk
  config.dim = 4;
  config.head_dim = 2;
  config.tied_embedding = false;
  config.layers = 1;
  const auto groups = random_groups(config, 50, 2, 4, 4, 30);
  const PackedRows rows = pack_shared(groups);
  ASSERT_GT(rows.rows(), 64);
  const Model model = lively_model(config, 6, at::kDouble);
  const at::Tensor weights = loss_weights(rows.targets(), at::kDouble);
  const at::Tensor inputs =
      loss_weights(rows.rows() * config.dim, at::kDouble).view({rows.rows(), config.dim});
  const at::Tensor row = at::empty({rows.targets()}, at::kLong), token = at::empty_like(row);
  for (std::int64_t i = 0; i < rows.targets(); ++i) {
    row.data_ptr<std::int64_t>()[i] = rows.target_row[i];
    token.data_ptr<std::int64_t>()[i] = rows.target_token[i];
  }
  for (const Kernels kernels : kBoth) {
    for (const HeadLoss& loss : {HeadLoss{1, 0}, HeadLoss{0, 1}, HeadLoss{0.7, -1.9}}) {
      const Model view = model.training_view(), plain = model.training_view();
      const auto backward = [&](const at::Tensor& logprob, const at::Tensor& entropy) {
        at::Tensor sum = (entropy * weights.flip(0)).sum() * loss.entropy;
        if (loss.entropy == 0) sum = sum.detach();  // an output that nothing uses
        if (loss.logprob != 0) sum = sum + (logprob * weights).sum() * loss.logprob;
        sum.backward();
      };
      const at::Tensor hidden = inputs.clone().requires_grad_();
      const at::Tensor other = inputs.clone().requires_grad_();
      const TokenScores scores = score_targets(view, hidden, rows, 1.3, kernels);
      backward(scores.logprob, scores.entropy);

      const at::Tensor log_p =
          at::log_softmax(at::mm(other.index_select(0, row), plain.head.t()) / 1.3, 1);
      const at::Tensor logprob = log_p.gather(1, token.unsqueeze(1)).squeeze(1);
      const at::Tensor entropy = -(log_p.exp() * log_p).sum(1);
      backward(logprob, entropy);
      EXPECT_LT(relative_difference(scores.logprob, logprob), 1e-12);
      EXPECT_LT(relative_difference(scores.entropy, entropy), 1e-11);
      EXPECT_LT(relative_difference(hidden.grad(), other.grad()), 1e-11);
      EXPECT_LT(relative_difference(view.head.grad(), plain.head.grad()), 1e-11);
    }
  }
}

TEST(Forward, SameBitsTwice) {
  const ModelConfig config = example_configs()[3].config;
  const Model model = lively_model(config, 8, at::kFloat);
  const PackedRows rows = pack_shared(random_groups(config, 60, 4, 6, 16, 48));
  const Evaluated a = evaluate(model, rows, 1, Kernels::Fused);
  const Evaluated b = evaluate(model, rows, 1, Kernels::Fused);
  EXPECT_TRUE(a.logprob.equal(b.logprob));
  for (const auto& [name, gradient] : a.gradient) {
    EXPECT_TRUE(gradient.equal(b.gradient.at(name))) << name;
  }
}

// Gradients of a worker's view must not reach the shared weights or another worker's gradients.
// Computing a layer again gives what was kept of it.
TEST(Forward, LayersComputedAgainGiveTheSameBits) {
  for (const NamedConfig& named : example_configs()) {
    const Model model = lively_model(named.config, 1, at::kFloat);
    const PackedRows rows = pack_shared(random_groups(named.config, 2, 2, 3, 20, 20));
    const auto gradients = [&](KeptActivations kept) {
      const Model view = model.training_view();
      const at::Tensor hidden = hidden_states(view, rows, Kernels::Fused, kept);
      score_targets(view, hidden, rows, 1, Kernels::Fused).logprob.sum().backward();
      return view;
    };
    const Model all = gradients(KeptActivations::All);
    const Model again = gradients(KeptActivations::LayerInputs);
    const auto wanted = all.parameters(), made = again.parameters();
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      EXPECT_TRUE(made[i].tensor.grad().equal(wanted[i].tensor.grad())) << wanted[i].name;
    }
    EXPECT_THROW(hidden_states(model, rows, Kernels::Reference, KeptActivations::LayerInputs),
                 Error);
  }
}

TEST(Forward, TrainingViewsKeepTheirGradients) {
  const ModelConfig config = example_configs()[0].config;
  const Model model = lively_model(config, 8, at::kFloat);
  const PackedRows rows = pack_shared(random_groups(config, 61, 1, 2, 5, 5));
  const Model one = model.training_view(), two = model.training_view();
  score_targets(one, hidden_states(one, rows, Kernels::Fused), rows, 1, Kernels::Fused)
      .logprob.sum()
      .backward();
  EXPECT_TRUE(one.embedding.grad().defined());
  EXPECT_FALSE(two.embedding.grad().defined());
  EXPECT_FALSE(model.embedding.requires_grad());
  EXPECT_EQ(one.embedding.const_data_ptr(), model.embedding.const_data_ptr());
}

TEST(Forward, IsFreedWithoutABackwardPassToo) {
  const ModelConfig config = example_configs()[0].config;
  const Model view = lively_model(config, 8, at::kFloat).training_view();
  const PackedRows rows = pack_shared(random_groups(config, 64, 1, 2, 5, 5));
  for (const Kernels kernels : kBoth) {
    at::Tensor hidden = hidden_states(view, rows, kernels);
    ASSERT_TRUE(hidden.requires_grad());
    const c10::weak_intrusive_ptr<c10::TensorImpl> whole(hidden._base().getIntrusivePtr());
    hidden = at::Tensor();
    EXPECT_TRUE(whole.expired());
  }
}

TEST(Forward, NoTargetsIsAnEmptyLoss) {
  const ModelConfig config = example_configs()[0].config;
  const Model view = lively_model(config, 8, at::kFloat).training_view();
  PackedRows rows = pack_shared(random_groups(config, 62, 1, 1, 5, 5));
  rows.target_row.clear();
  rows.target_token.clear();
  for (const Kernels kernels : kBoth) {
    const TokenScores scores =
        score_targets(view, hidden_states(view, rows, kernels), rows, 1, kernels);
    EXPECT_EQ(scores.logprob.numel(), 0);
    EXPECT_EQ(scores.entropy.numel(), 0);
  }
}

TEST(Forward, RefusesBrokenRows) {
  const ModelConfig config = example_configs()[0].config;
  const Model model = lively_model(config, 8, at::kFloat);
  const PackedRows good = pack_shared(random_groups(config, 63, 2, 2, 5, 9));
  const auto refuses = [&](auto&& spoil) {
    PackedRows rows = good;
    spoil(rows);
    EXPECT_THROW(hidden_states(model, rows, Kernels::Fused), Error);
  };
  refuses([](PackedRows& r) { r = {}; });
  refuses([&](PackedRows& r) { r.tokens[0] = config.vocab; });
  refuses([](PackedRows& r) { r.tokens[0] = -1; });
  refuses([](PackedRows& r) { r.positions.pop_back(); });
  refuses([](PackedRows& r) { r.positions[1] += 1; });
  refuses([](PackedRows& r) { r.segments.pop_back(); });
  refuses([](PackedRows& r) { r.segments.back().length += 1; });
  refuses([](PackedRows& r) { r.segments.back().length = 0; });
  refuses([](PackedRows& r) { r.segments[0].prefix_length = 1; });
  refuses([](PackedRows& r) { r.segments.back().prefix_start = -1; });

  const at::Tensor hidden = hidden_states(model, good, Kernels::Fused);
  const auto refuses_targets = [&](auto&& spoil, double temperature) {
    PackedRows rows = good;
    spoil(rows);
    EXPECT_THROW(score_targets(model, hidden, rows, temperature, Kernels::Fused), Error);
  };
  refuses_targets([](PackedRows& r) { r.target_row[0] = -1; }, 1);
  refuses_targets([](PackedRows& r) { r.target_row[0] = 1 << 20; }, 1);
  refuses_targets([&](PackedRows& r) { r.target_token[0] = config.vocab; }, 1);
  refuses_targets([](PackedRows& r) { r.target_token.pop_back(); }, 1);
  refuses_targets([](PackedRows&) {}, 0);
  refuses_targets([](PackedRows&) {}, std::nan(""));
}

TEST(Forward, FusedKernelsAskForCpuFloats) {
  const ModelConfig config = example_configs()[0].config;
  EXPECT_TRUE(has_fused_kernels(lively_model(config, 1, at::kFloat)));
  EXPECT_TRUE(has_fused_kernels(lively_model(config, 1, at::kDouble)));
  const Model half = lively_model(config, 1, at::kBFloat16);
  EXPECT_FALSE(has_fused_kernels(half));
  const PackedRows rows = pack_shared(random_groups(config, 64, 1, 2, 5, 9));
  EXPECT_THROW(hidden_states(half, rows, Kernels::Fused), Error);
  const at::Tensor hidden = hidden_states(half, rows, Kernels::Reference);
  const TokenScores scores = score_targets(half, hidden, rows, 1, Kernels::Reference);
  const Model exact = lively_model(config, 1, at::kDouble);
  const at::Tensor logprob = score_targets(exact, hidden_states(exact, rows, Kernels::Reference),
                                           rows, 1, Kernels::Reference)
                                 .logprob;
  EXPECT_EQ(scores.logprob.scalar_type(), at::kFloat);
  EXPECT_LT(relative_difference(scores.logprob, logprob), 0.1);
}

}  // namespace
}  // namespace allot::lm
