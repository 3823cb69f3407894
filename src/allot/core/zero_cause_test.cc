#include "allot/core/zero_cause.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace allot {
namespace {

Outcome scored(float reward, bool correct) { return {.reward = reward, .correct = correct}; }
Outcome ended(Status status, Scoring scoring) { return {.status = status, .scoring = scoring}; }

ZeroCause cause(const std::vector<Outcome>& outcomes) { return zero_cause(outcomes, 1e-6); }

const Outcome right = scored(1, true), wrong = scored(0, false);
const Outcome failed = ended(Status::Failed, Scoring::NotScorable);
const Outcome cancelled = ended(Status::Cancelled, Scoring::NotScorable);
const Outcome unscorable = ended(Status::Ok, Scoring::NotScorable);
const Outcome broken = ended(Status::Ok, Scoring::VerifierError);

TEST(ZeroCause, EveryRowOfTheTable) {
  Outcome cut = wrong, silent = wrong;
  cut.status = Status::Truncated;
  silent.parsed = false;
  EXPECT_EQ(cause({}), ZeroCause::GenerationFailed);
  EXPECT_EQ(cause({failed, cancelled}), ZeroCause::GenerationFailed);
  EXPECT_EQ(cause({broken, broken, failed}), ZeroCause::VerifierError);
  EXPECT_EQ(cause({broken, unscorable}), ZeroCause::Unscorable);
  EXPECT_EQ(cause({unscorable, unscorable}), ZeroCause::Unscorable);
  EXPECT_EQ(cause({right, broken, failed}), ZeroCause::Single);
  EXPECT_EQ(cause({cut, cut}), ZeroCause::Truncated);
  EXPECT_EQ(cause({silent, silent}), ZeroCause::NoAnswer);
  EXPECT_EQ(cause({right, right}), ZeroCause::AllRight);
  EXPECT_EQ(cause({wrong, wrong}), ZeroCause::AllWrong);
  EXPECT_EQ(cause({scored(0.5f, true), scored(0.5f, false)}), ZeroCause::Tie);
  EXPECT_EQ(cause({right, wrong}), ZeroCause::None);
}

TEST(ZeroCause, TheFirstMatchingRowWins) {
  Outcome cut_silent = wrong;
  cut_silent.status = Status::Truncated;
  cut_silent.parsed = false;
  EXPECT_EQ(cause({cut_silent, cut_silent}), ZeroCause::Truncated);
  Outcome silent = wrong;
  silent.parsed = false;
  EXPECT_EQ(cause({cut_silent, silent}), ZeroCause::NoAnswer);
  EXPECT_EQ(cause({cut_silent, wrong}), ZeroCause::AllWrong);
  EXPECT_EQ(cause({cut_silent}), ZeroCause::Single);
}

TEST(ZeroCause, ASingletonWithABaselineCarriesSignal) {
  EXPECT_EQ(zero_cause(std::vector{right, failed}, 1e-6, SingletonBaseline::Exists),
            ZeroCause::None);
  EXPECT_EQ(zero_cause(std::vector{right, right}, 1e-6, SingletonBaseline::Exists),
            ZeroCause::AllRight);
}

TEST(ZeroCause, ResolutionDecidesWhatIsEqual) {
  const std::vector<Outcome> near{scored(0.1f, false), scored(0.1f + 5e-7f, false)};
  const std::vector<Outcome> apart{scored(0.1f, false), scored(0.2f, false)};
  EXPECT_EQ(zero_cause(near, 1e-6), ZeroCause::AllWrong);
  EXPECT_EQ(zero_cause(near, 0), ZeroCause::None);
  EXPECT_EQ(zero_cause(apart, 1e-6), ZeroCause::None);
  EXPECT_EQ(zero_cause(apart, 0.5), ZeroCause::AllWrong);
}

// Outcomes that were not scored change no cause as long as two scored ones are there.
TEST(ZeroCause, UnscoredOutcomesDoNotMatter) {
  for (const Outcome& other : {failed, cancelled, unscorable, broken}) {
    EXPECT_EQ(cause({right, other, right}), ZeroCause::AllRight);
    EXPECT_EQ(cause({right, other, wrong}), ZeroCause::None);
  }
}

}  // namespace
}  // namespace allot
