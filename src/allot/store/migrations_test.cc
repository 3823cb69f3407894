// A database of an earlier version, brought up, against what this version records itself.
#include "allot/store/migrations.h"

#include <gtest/gtest.h>

#include "allot/core/durable_file.h"
#include "allot/core/error.h"
#include "allot/store/run_reader.h"
#include "allot/store/schema.h"
#include "allot/store/testing/schema_1.h"
#include "allot/store/testing/synthetic_run.h"
#include "allot/store/testing/table_dump.h"
#include "allot/store/testing/temporary_folder.h"

namespace allot {
namespace {

namespace fs = std::filesystem;
using testing::kTables;
using testing::SyntheticRun;
using testing::table_dump;
using testing::TemporaryFolder;

// A run as version 1 stored it: the columns that it had, of a run of today.
void write_version_1(const fs::path& from, const fs::path& to) {
  SqliteConnection db = SqliteConnection::open_for_writing(to);
  db.execute("PRAGMA journal_mode = WAL");
  db.execute(concat("PRAGMA application_id = ", kApplicationId));
  db.execute("PRAGMA user_version = 1");
  db.execute(testing::kSchema1);
  db.prepare("ATTACH ? AS now").run(from.string());
  for (const char* table : {"run", "steps", "metrics", "decisions", "evaluations", "events"})
    db.execute(concat("INSERT INTO main.", table, " SELECT * FROM now.", table));
  db.execute(
      "INSERT INTO main.prompts SELECT id, key, text, answer FROM now.prompts WHERE steps > 0;"
      "INSERT INTO main.groups SELECT step, position, prompt, generated, correct, tokens, "
      "counted_n, counted_sum, admitted, shipped, pool_n, pool_mean, cause FROM now.groups;"
      "INSERT INTO main.rollouts SELECT id, step, prompt, seq, round, tag, behaviour, status, "
      "scoring, reward, correct, parsed, tokens, trained, text, answer, reason FROM now.rollouts");
}

class Migration : public ::testing::Test {
 protected:
  void SetUp() override {
    run_.steps = 6;
    run_.hold = 4;
    run_.kept = 2;
    run_.adaptive = true;
    write_synthetic_run(run_, folder_ / "now");
    fs::create_directory(folder_ / "old");
    write_version_1(folder_ / "now" / "run.sqlite", folder_ / "old" / "run.sqlite");
    // What version 1 had no place for.
    SqliteConnection::open_for_writing(folder_ / "now" / "run.sqlite")
        .execute(
            "DELETE FROM prompts WHERE steps = 0; UPDATE prompts SET token_ids = NULL;"
            "UPDATE rollouts SET token_ids = NULL");
  }

  SyntheticRun run_;
  TemporaryFolder folder_;
};

TEST_F(Migration, OfVersion1GivesWhatIsRecordedToday) {
  {
    SqliteConnection db = SqliteConnection::open_for_writing(folder_ / "old" / "run.sqlite");
    bring_up_to_date(db, folder_ / "old" / "run.sqlite");
    bring_up_to_date(db, folder_ / "old" / "run.sqlite");  // nothing is left to do
    EXPECT_EQ(db.integer("PRAGMA user_version"), kSchemaVersion);
  }
  for (const char* table : kTables)
    EXPECT_EQ(table_dump(folder_ / "old", table), table_dump(folder_ / "now", table)) << table;
  for (const char* view : {"completions", "ledger"})
    EXPECT_EQ(table_dump(folder_ / "old", view), table_dump(folder_ / "now", view)) << view;
}

TEST_F(Migration, ReadersSeeTheCurrentSchemaAndChangeNothing) {
  const std::string before = read_file(folder_ / "old" / "run.sqlite");
  const RunReader reader(folder_ / "old");
  EXPECT_EQ(reader.samples(50).size(), RunReader(folder_ / "now").samples(50).size());
  const SqliteConnection shown = open_current_for_reading(folder_ / "old" / "run.sqlite");
  EXPECT_EQ(table_dump(shown, "ledger"), table_dump(folder_ / "now", "ledger"));
  EXPECT_EQ(read_file(folder_ / "old" / "run.sqlite"), before);
}

TEST_F(Migration, AnEarlierRunGoesOn) {
  SyntheticRun longer = run_;
  longer.steps = 9;
  write_synthetic_run(longer, folder_ / "old", 6);
  write_synthetic_run(longer, folder_ / "now", 6);
  for (const char* table : {"groups", "decisions", "metrics"})
    EXPECT_EQ(table_dump(folder_ / "old", table), table_dump(folder_ / "now", table)) << table;
}

TEST_F(Migration, OneThatFailsChangesNothing) {
  SqliteConnection db = SqliteConnection::open_for_writing(folder_ / "old" / "run.sqlite");
  db.execute("DROP TABLE decisions");  // the migration reads it
  EXPECT_THROW(bring_up_to_date(db, folder_ / "old" / "run.sqlite"), Error);
  EXPECT_EQ(db.integer("PRAGMA user_version"), 1);
  EXPECT_EQ(db.integer("SELECT count(*) FROM sqlite_schema WHERE name LIKE '%_1'"), 0);
}

}  // namespace
}  // namespace allot
