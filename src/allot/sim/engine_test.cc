#include "allot/sim/engine.h"

#include <cmath>

#include <gtest/gtest.h>

#include "allot/sim/prompts.h"

namespace allot::sim {
namespace {

Work work(const Prompt& prompt, RolloutId first, std::uint32_t n) {
  Work request;
  request.issued = {.prompt = prompt.id, .first = first, .n = n};
  request.seed = 5;
  request.prompt = &prompt;
  return request;
}

TEST(SimEngine, AnswersAreRightWithThePassRate) {
  const World world({.pool = Pool::Uniform}, 1);
  const Policy policy(world);
  const SimPrompts prompts(world);
  SimEngine engine(policy);
  SimVerifier verifier;
  SimPrompts source(world);
  constexpr std::uint32_t kEach = 400;
  std::vector<Work> all;
  for (PromptId id = 0; id < 50; ++id) all.push_back(work(prompts.get(id), 1 + id * kEach, kEach));
  engine.submit(all);
  const std::vector<Rollout> rollouts = engine.wait();
  const std::vector<Score> scores = verifier.score(rollouts, source);
  ASSERT_EQ(rollouts.size(), 50 * kEach);
  double chi2 = 0;
  std::uint64_t tokens = 0;
  for (PromptId id = 0; id < 50; ++id) {
    const double p = policy.pass_rate(id);
    double right = 0;
    for (std::uint32_t i = 0; i < kEach; ++i) {
      const Score& score = scores[id * kEach + i];
      EXPECT_EQ(score.reward, score.correct ? 1 : 0);
      right += score.correct;
      EXPECT_EQ(rollouts[id * kEach + i].length(), world.traits(id).tokens);
      tokens += world.traits(id).tokens;
    }
    const double z = (right - kEach * p) / std::sqrt(kEach * p * (1 - p));
    chi2 += z * z;
  }
  EXPECT_NEAR(chi2, 50, 40);  // 50 degrees of freedom, deviation 10
  EXPECT_EQ(engine.cost().generated, tokens);
  EXPECT_EQ(engine.cost().prefilled, 0u);
}

TEST(SimEngine, ARolloutDependsOnItsOwnKeyAlone) {
  const World world({.pool = Pool::Uniform}, 1);
  const Policy policy(world);
  const SimPrompts prompts(world);
  SimEngine few(policy), many(policy);
  few.submit(std::vector{work(prompts.get(3), 10, 4)});
  many.submit(std::vector{work(prompts.get(8), 1, 9), work(prompts.get(3), 10, 16)});
  const auto a = few.wait(), b = many.wait();
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(a[i].text, b[9 + i].text);
  EXPECT_TRUE(few.wait().empty());
}

TEST(SimEngine, OneByOneSavesWhatIsCancelled) {
  const World world({}, 1);
  const Policy policy(world);
  const SimPrompts prompts(world);
  SimEngine engine(policy, Pace::OneByOne);
  engine.submit(std::vector{work(prompts.get(0), 1, 3), work(prompts.get(1), 4, 2)});
  const auto first = engine.wait();
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[0].id, 1u);
  EXPECT_EQ(first[1].id, 4u);
  engine.cancel(std::vector<RolloutId>{1, 2, 3});
  std::uint64_t cancelled = 0, ended = 0;
  for (auto next = engine.wait(); !next.empty(); next = engine.wait())
    for (const Rollout& rollout : next)
      (rollout.status == Status::Cancelled ? cancelled : ended) += 1;
  EXPECT_EQ(cancelled, 2u);
  EXPECT_EQ(ended, 1u);
  EXPECT_EQ(engine.cost().generated, world.traits(0).tokens + 2ull * world.traits(1).tokens);
}

}  // namespace
}  // namespace allot::sim
