#include "allot/loop/evaluate.h"

#include <numeric>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/loop/testing/toy_world.h"

namespace allot {
namespace {

// Enumerates all k-subsets of n responses of which the first c are right.
double enumerated(unsigned n, unsigned c, unsigned k) {
  double hits = 0, all = 0;
  for (unsigned mask = 0; mask < (1u << n); ++mask) {
    if (static_cast<unsigned>(__builtin_popcount(mask)) != k) continue;
    ++all;
    hits += (mask & ((1u << c) - 1)) != 0;
  }
  return hits / all;
}

TEST(PassAtK, EqualsTheShareOfSubsetsWithASuccess) {
  for (unsigned n = 1; n <= 10; ++n)
    for (unsigned c = 0; c <= n; ++c)
      for (unsigned k = 1; k <= n; ++k)
        EXPECT_NEAR(pass_at_k(n, c, k), enumerated(n, c, k), 1e-12) << n << ' ' << c << ' ' << k;
  EXPECT_THROW(pass_at_k(4, 1, 5), Error);
}

TEST(Evaluate, CountsPerPromptAndDoesNotDependOnChunks) {
  testing::ToyPolicy policy;
  for (int i = 0; i < 30; ++i) policy.logit.push_back(-2 + 4.0 * i / 30);
  testing::ToyPrompts prompts(30);
  testing::ToyVerifier verifier;
  testing::ToyRecorder recorder;
  std::vector<PromptId> ids(30);
  std::iota(ids.begin(), ids.end(), PromptId{0});
  EvalSettings settings;
  settings.group_size = 8;
  settings.k = {1, 4, 8};
  testing::ToyEngine engine(policy, 1);
  const EvalResult whole = evaluate(engine, verifier, prompts, ids, settings, recorder);
  EXPECT_EQ(engine.cost().prefilled, 30u);
  settings.prompts_at_once = 7;
  testing::ToyEngine other(policy, 2);
  const EvalResult parts = evaluate(other, verifier, prompts, ids, settings, recorder);
  EXPECT_EQ(whole.correct, parts.correct);
  double mean = 0;
  for (const std::uint32_t c : whole.correct) mean += c / 240.0;
  EXPECT_NEAR(whole.pass_at_1, mean, 1e-12);
  EXPECT_NEAR(whole.pass_at_k[0], mean, 1e-12);
  EXPECT_GT(whole.pass_at_k[2], whole.pass_at_k[1]);
  EXPECT_NEAR(whole.pass_at_1, 0.5, 0.1);
}

TEST(Evaluate, StopsBetweenChunks) {
  testing::ToyPolicy policy;
  policy.logit.assign(20, 0);
  testing::ToyPrompts prompts(20);
  testing::ToyVerifier verifier;
  testing::ToyRecorder recorder;
  std::vector<PromptId> ids(20);
  std::iota(ids.begin(), ids.end(), PromptId{0});
  std::atomic<bool> stop = true;
  EvalSettings settings;
  settings.prompts_at_once = 5;
  settings.stop = &stop;
  testing::ToyEngine engine(policy, 1);
  EXPECT_FALSE(evaluate(engine, verifier, prompts, ids, settings, recorder).complete);
  EXPECT_EQ(engine.cost().prefilled, 5u);
  settings.k = {2};
  EXPECT_THROW(evaluate(engine, verifier, prompts, ids, settings, recorder), Error);
}

}  // namespace
}  // namespace allot
