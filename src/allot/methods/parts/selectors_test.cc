#include "allot/methods/parts/selectors.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace allot {
namespace {

using Positions = std::vector<std::uint32_t>;

// Rollouts whose verdicts alternate as long as there are some of both, the first one correct.
Group group_of(std::uint32_t right, std::uint32_t wrong) {
  Group group;
  while (right + wrong > 0) {
    const bool correct = wrong == 0 || (right > 0 && group.rollouts.size() % 2 == 0);
    group.add({.correct = correct});
    --(correct ? right : wrong);
  }
  return group;
}

Positions list_of(const ScoredPositions& positions) { return {positions.begin(), positions.end()}; }

Positions random_subset(const Positions& positions, std::uint32_t k, RandomStream stream) {
  Ragged<std::uint32_t> kept;
  kept.add(Positions{7});  // what is there already stays
  for (const std::uint32_t i : positions) kept.push(i);
  leave_random_subset(kept, k, stream);
  kept.close();
  EXPECT_EQ(kept[0][0], 7u);
  return {kept.back().begin(), kept.back().end()};
}

Positions correct_and_some_wrong(const Group& group, std::uint32_t per_correct,
                                 RandomStream stream) {
  Ragged<std::uint32_t> kept;
  add_correct_and_some_wrong(group, per_correct, stream, kept);
  return {kept.back().begin(), kept.back().end()};
}

RC_GTEST_PROP(Selectors, KeepWhatTheyPromise, ()) {
  const auto right = *rc::gen::inRange<std::uint32_t>(0, 12);
  const auto wrong = *rc::gen::inRange<std::uint32_t>(0, 12);
  const auto k = *rc::gen::inRange<std::uint32_t>(0, 12);
  const Group group = group_of(right, wrong);
  const Positions all = list_of(group.scored()), correct = list_of(group.scored_with(true));
  const RandomStream stream = selection_stream(*rc::gen::arbitrary<std::uint64_t>(), 3, 4);
  const auto is_subset = [](const Positions& kept, const Positions& of) {
    return std::is_sorted(kept.begin(), kept.end()) &&
           std::adjacent_find(kept.begin(), kept.end()) == kept.end() &&
           std::includes(of.begin(), of.end(), kept.begin(), kept.end());
  };

  const Positions some = random_subset(correct, k, stream);
  RC_ASSERT(some.size() == std::min(k, right) && is_subset(some, correct));

  const Positions curated = correct_and_some_wrong(group, k, stream);
  RC_ASSERT(curated.size() == right + std::min(k * right, wrong) && is_subset(curated, all));
  RC_ASSERT(std::includes(curated.begin(), curated.end(), correct.begin(), correct.end()));
}

// Against all splits: at most n in all, as many as there are, and none nearer to half and half.
TEST(Selectors, FirstsAreAsBalancedAsTheSidesAllow) {
  for (std::uint32_t wrong = 0; wrong < 9; ++wrong)
    for (std::uint32_t right = 0; right < 9; ++right)
      for (std::uint32_t n = 0; n < 12; ++n) {
        const auto kept = balanced_firsts({wrong, right}, n);
        const std::uint32_t size = std::min(n, wrong + right);
        const auto off = [&](std::uint32_t r) { return std::max(r, n / 2) - std::min(r, n / 2); };
        std::uint32_t best = n;
        for (std::uint32_t r = 0; r <= std::min(right, size); ++r)
          if (size - r <= wrong) best = std::min(best, off(r));
        EXPECT_EQ(kept[0] + kept[1], size);
        EXPECT_TRUE(kept[0] <= wrong && kept[1] <= right);
        EXPECT_EQ(off(kept[1]), best) << wrong << " " << right << " " << n;
      }
}

TEST(Selectors, DrawEveryWrongRolloutEquallyOften) {
  const Group group = group_of(1, 4);
  std::map<std::uint32_t, int> count;
  for (std::uint64_t step = 0; step < 4000; ++step)
    for (const std::uint32_t i : correct_and_some_wrong(group, 2, selection_stream(1, step, 9)))
      ++count[i];
  EXPECT_EQ(count[0], 4000);
  // Each wrong one is kept with chance 1/2: mean 2000, standard deviation 32.
  for (const std::uint32_t i : group.scored_with(false)) EXPECT_NEAR(count[i], 2000, 160);
}

TEST(Selectors, DrawDependsOnSeedStepAndPrompt) {
  const Positions all = list_of(group_of(40, 0).scored());
  std::set<Positions> seen;
  for (std::uint64_t i = 0; i < 4; ++i) {
    seen.insert(random_subset(all, 20, selection_stream(i, 0, 0)));
    seen.insert(random_subset(all, 20, selection_stream(0, i, 0)));
    seen.insert(random_subset(all, 20, selection_stream(0, 0, i)));
  }
  EXPECT_EQ(seen.size(), 10u);  // (0, 0, 0) three times
}

}  // namespace
}  // namespace allot
