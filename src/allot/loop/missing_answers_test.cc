#include "allot/loop/missing_answers.h"

#include <gtest/gtest.h>

#include "allot/loop/testing/toy_world.h"

namespace allot {
namespace {

// Steps of ten responses, of which the first `missing` hold no answer.
class Steps {
 public:
  explicit Steps(int looked_at) : watch_(looked_at) {}

  std::optional<Event> step(int missing, Status status = Status::Ok) {
    std::vector<RolloutId> generated;
    for (int i = 0; i < 10; ++i) {
      Rollout rollout;
      rollout.id = next_++;
      rollout.text = concat("some\nwords ", i);
      rollout.status = status;
      Score score;
      score.parsed = i >= missing;
      generated.push_back(rollout.id);
      store_.add(std::move(rollout), score, step_);
    }
    const TrainBatch batch;
    return watch_.step({step_++, {}, generated, batch, {}, store_, prompts_, {}, {}, {}});
  }

 private:
  MissingAnswers watch_;
  testing::ToyPrompts prompts_{10};
  RolloutStore store_;
  RolloutId next_ = 0;
  std::uint64_t step_ = 0;
};

TEST(MissingAnswers, SaysSoOnceWithExamples) {
  Steps steps(20);
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(steps.step(10)) << "too early";
  const auto said = steps.step(10);
  ASSERT_TRUE(said);
  EXPECT_EQ(said->code, "no_answers");
  EXPECT_EQ(said->severity, Severity::Warning);
  EXPECT_NE(said->text.find("50 of the 50 responses of the first 5 steps"), std::string::npos)
      << said->text;
  for (const char* part : {"\n    some words 0", "\n    some words 2", "data.template"})
    EXPECT_NE(said->text.find(part), std::string::npos) << said->text;
  EXPECT_EQ(said->text.find("words 3"), std::string::npos);
  for (int i = 0; i < 30; ++i) EXPECT_FALSE(steps.step(10)) << "once";
}

TEST(MissingAnswers, NamesTheLimitWhereResponsesWereCut) {
  Steps steps(20);
  for (int i = 0; i < 4; ++i) steps.step(10, Status::Truncated);
  EXPECT_NE(steps.step(10, Status::Truncated)->text.find("rollout.max_new_tokens"),
            std::string::npos);
}

TEST(MissingAnswers, NineInTenIsNotTooMany) {
  Steps steps(20);
  for (int i = 0; i < 30; ++i) EXPECT_FALSE(steps.step(9));
}

TEST(MissingAnswers, LooksAtTheFirstStepsOnly) {
  Steps late(6);
  for (int i = 0; i < 6; ++i) EXPECT_FALSE(late.step(5));
  for (int i = 0; i < 30; ++i) EXPECT_FALSE(late.step(10));
  Steps few(2);
  EXPECT_FALSE(few.step(10));
  EXPECT_TRUE(few.step(10)) << "the last of fewer than five";
  Steps never(0);
  for (int i = 0; i < 9; ++i) EXPECT_FALSE(never.step(10));
}

}  // namespace
}  // namespace allot
