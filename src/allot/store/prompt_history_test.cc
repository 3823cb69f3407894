// The history read back against sums that the database makes itself.
#include "allot/store/prompt_history.h"

#include <cstdint>
#include <map>
#include <utility>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/testing/temporary_folder.h"
#include "allot/store/sqlite.h"
#include "allot/store/testing/synthetic_run.h"

namespace allot {
namespace {

using testing::SyntheticRun;
using testing::TemporaryFolder;
using testing::write_synthetic_run;

TEST(PromptHistory, AgreesWithTheTables) {
  TemporaryFolder folder;
  SyntheticRun run;
  run.steps = 30;
  run.adaptive = true;
  run.hold = 4;
  write_synthetic_run(run, folder / "r");
  const PromptHistory history = read_prompt_history(folder / "r");
  const auto database = SqliteConnection::open_for_reading(folder / "r" / "run.sqlite");
  EXPECT_EQ(static_cast<std::int64_t>(history.visits.size()),
            database.integer("SELECT count(*) FROM groups"));
  EXPECT_EQ(static_cast<std::int64_t>(history.prompts.size()),
            database.integer("SELECT count(*) FROM prompts"));

  std::map<std::pair<std::uint64_t, PromptId>, const PromptVisit*> visits;
  for (const PromptVisit& visit : history.visits)
    visits[{visit.step, history.prompts[visit.prompt].id}] = &visit;
  SqliteStatement sums = database.prepare(
      "SELECT step, prompt, count(*), sum(correct), sum(tokens) FROM rollouts GROUP BY 1, 2");
  std::size_t compared = 0;
  while (sums.next()) {
    const PromptVisit& visit = *visits.at({sums.count(0), sums.count(1)});
    EXPECT_EQ(visit.generated, sums.count(2));
    EXPECT_EQ(visit.correct, sums.count(3));
    EXPECT_EQ(visit.tokens, sums.count(4));
    EXPECT_EQ(visit.verdicts, visit.generated);  // all of the first round, all scored
    EXPECT_EQ(visit.right, visit.correct);
    ++compared;
  }
  EXPECT_GT(compared, 100u);
}

TEST(PromptHistory, AnUnknownCauseIsDamage) {
  TemporaryFolder folder;
  SyntheticRun run;
  run.steps = 2;
  write_synthetic_run(run, folder / "r");
  {
    auto database = SqliteConnection::open_for_writing(folder / "r" / "run.sqlite");
    database.execute("UPDATE groups SET cause = 'boredom' WHERE step = 1 AND position = 0");
  }
  EXPECT_THROW(read_prompt_history(folder / "r"), Error);
  EXPECT_THROW(read_prompt_history(folder / "nothing"), Error);
}

}  // namespace
}  // namespace allot
