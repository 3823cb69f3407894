#include "allot/methods/parts/selectors.h"

#include <algorithm>
#include <map>
#include <set>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace allot {
namespace {

// `right` even positions and `wrong` odd ones.
Positions every_other(std::uint32_t count, std::uint32_t first) {
  Positions out;
  for (std::uint32_t i = 0; i < count; ++i) out.push_back(first + 2 * i);
  return out;
}

RC_GTEST_PROP(Selectors, KeepWhatTheyPromise, ()) {
  const auto right = *rc::gen::inRange<std::uint32_t>(0, 12);
  const auto wrong = *rc::gen::inRange<std::uint32_t>(0, 12);
  const auto k = *rc::gen::inRange<std::uint32_t>(0, 12);
  const Positions correct = every_other(right, 0), bad = every_other(wrong, 1);
  const RandomStream stream = selection_stream(*rc::gen::arbitrary<std::uint64_t>(), 3, 4);
  const auto is_subset = [](const Positions& kept, Positions of) {
    std::sort(of.begin(), of.end());
    return std::is_sorted(kept.begin(), kept.end()) &&
           std::adjacent_find(kept.begin(), kept.end()) == kept.end() &&
           std::includes(of.begin(), of.end(), kept.begin(), kept.end());
  };
  Positions all = correct;
  all.insert(all.end(), bad.begin(), bad.end());

  const Positions some = random_subset(correct, k, stream);
  RC_ASSERT(some.size() == std::min(k, right) && is_subset(some, correct));

  const Positions curated = keep_correct_and_some_wrong(correct, bad, k, stream);
  RC_ASSERT(curated.size() == right + std::min(k * right, wrong) && is_subset(curated, all));
  RC_ASSERT(std::includes(curated.begin(), curated.end(), correct.begin(), correct.end()));

  const Positions balanced = balanced_firsts(correct, bad, k);
  RC_ASSERT(balanced.size() == std::min(k, right + wrong) && is_subset(balanced, all));
  const auto kept_right = static_cast<std::uint32_t>(
      std::count_if(balanced.begin(), balanced.end(), [](auto i) { return i % 2 == 0; }));
  if (right >= k / 2 && wrong >= k - k / 2) RC_ASSERT(kept_right == k / 2);
  for (std::uint32_t i = 0; i < kept_right; ++i)  // the first ones
    RC_ASSERT(std::binary_search(balanced.begin(), balanced.end(), 2 * i));
}

TEST(Selectors, DrawEveryWrongRolloutEquallyOften) {
  const Positions correct = {0}, wrong = {1, 2, 3, 4};
  std::map<std::uint32_t, int> count;
  for (std::uint64_t step = 0; step < 4000; ++step)
    for (const std::uint32_t i :
         keep_correct_and_some_wrong(correct, wrong, 2, selection_stream(1, step, 9)))
      ++count[i];
  EXPECT_EQ(count[0], 4000);
  // Each wrong one is kept with chance 1/2: mean 2000, standard deviation 32.
  for (const std::uint32_t i : wrong) EXPECT_NEAR(count[i], 2000, 160);
}

TEST(Selectors, DrawDependsOnSeedStepAndPrompt) {
  const Positions all = every_other(40, 0);
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
