// Likeliest and chosen tokens against a plain log-softmax over the whole vocabulary.
#include "allot/lm/target_features.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/mm.h>
#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/random.h"
#include "allot/lm/testing/examples.h"

namespace allot::lm {
namespace {

struct Head {
  Model model;
  PackedRows rows;
  at::Tensor hidden, log_p;  // log_p [targets, vocab] at temperature 0.8
};

Head make_head(int vocab) {
  ModelConfig config = example_configs()[0].config;
  config.vocab = vocab;
  config.layers = 1;
  Head out{lively_model(config, 4, at::kDouble),
           pack_shared(random_groups(config, 9, 2, 3, 4, 30)),
           {},
           {}};
  out.hidden = hidden_states(out.model, out.rows, Kernels::Reference);
  const at::Tensor row = at::empty({out.rows.targets()}, at::kLong);
  for (std::int64_t i = 0; i < out.rows.targets(); ++i)
    row.data_ptr<std::int64_t>()[i] = out.rows.target_row[i];
  out.log_p = at::log_softmax(at::mm(out.hidden.index_select(0, row), out.model.head.t()) / 0.8, 1);
  return out;
}

at::Tensor random_ids(std::int64_t targets, std::int64_t n, int vocab) {
  const at::Tensor ids = at::empty({targets, n}, at::kLong);
  RandomStream random({.seed = 3, .use = RandomUse::Test});
  for (std::int64_t i = 0; i < ids.numel(); ++i)
    ids.data_ptr<std::int64_t>()[i] = static_cast<std::int64_t>(random.below(vocab));
  return ids;
}

TEST(TargetFeatures, EqualAPlainLogSoftmax) {
  for (const int vocab : {12, 300, 70000}) {  // fewer tokens than wished; several chunks
    const Head head = make_head(vocab);
    const std::int64_t targets = head.rows.targets();
    const at::Tensor ids = random_ids(targets, 7, vocab);
    for (const Kernels kernels : {Kernels::Fused, Kernels::Reference}) {
      const TargetFeatures found =
          target_features(head.model, head.hidden, head.rows, 0.8, kernels, {20, ids});
      const TokenScores scores = score_targets(head.model, head.hidden, head.rows, 0.8, kernels);
      EXPECT_TRUE(found.logprob.equal(scores.logprob));
      EXPECT_TRUE(found.entropy.equal(scores.entropy));
      const std::int64_t k = std::min(20, vocab);
      ASSERT_EQ(found.likeliest.sizes(), at::IntArrayRef({targets, k}));
      const auto worst = [](const at::Tensor& a, const at::Tensor& b) {
        return (a - b).abs().max().item<double>();
      };
      // As many as k tokens are at least as likely as the last of the list.
      const at::Tensor last = found.likeliest.narrow(1, k - 1, 1) - 1e-11;
      EXPECT_TRUE((head.log_p >= last).sum(1).eq(k).all().item<bool>());
      EXPECT_LT(worst(found.likeliest, head.log_p.gather(1, found.likeliest_ids)), 1e-11);
      EXPECT_LT(worst(found.chosen, head.log_p.gather(1, ids)), 1e-11);
    }
  }
}

TEST(TargetFeatures, GivesOnlyWhatIsWished) {
  const Head head = make_head(50);
  const TargetFeatures found =
      target_features(head.model, head.hidden, head.rows, 1, Kernels::Fused, {});
  EXPECT_FALSE(found.likeliest.defined());
  EXPECT_FALSE(found.chosen.defined());
  EXPECT_EQ(found.logprob.numel(), head.rows.targets());
  EXPECT_THROW(target_features(head.model, head.hidden, head.rows, 1, Kernels::Fused,
                               {0, random_ids(2, 2, 50)}),
               Error);
}

}  // namespace
}  // namespace allot::lm
