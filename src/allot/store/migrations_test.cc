// A database of an earlier version, brought up, against what this version records itself.
#include "allot/store/migrations.h"

#include <gtest/gtest.h>

#include "allot/core/durable_file.h"
#include "allot/core/error.h"
#include "allot/core/testing/temporary_folder.h"
#include "allot/store/run_reader.h"
#include "allot/store/schema.h"
#include "allot/store/testing/schema_1.h"
#include "allot/store/testing/schema_2.h"
#include "allot/store/testing/synthetic_run.h"
#include "allot/store/testing/table_dump.h"

namespace allot {
namespace {

namespace fs = std::filesystem;
using testing::kTables;
using testing::SyntheticRun;
using testing::table_dump;
using testing::TemporaryFolder;

// A database of an earlier version at `to`, with the rows that `copy` takes from `now`, a run of
// today.
void write_earlier(int version, const char* schema, const std::string& copy, const fs::path& now,
                   const fs::path& to) {
  fs::create_directory(to.parent_path());
  SqliteConnection db = SqliteConnection::open_for_writing(to);
  db.execute("PRAGMA journal_mode = WAL");
  db.execute(concat("PRAGMA application_id = ", kApplicationId));
  db.execute(concat("PRAGMA user_version = ", version));
  db.execute(schema);
  db.prepare("ATTACH ? AS now").run(now.string());
  for (const char* table : {"run", "steps", "metrics", "decisions", "evaluations", "events"})
    db.execute(concat("INSERT INTO main.", table, " SELECT * FROM now.", table));
  db.execute(copy);
}

constexpr const char* kCopy1 =
    "INSERT INTO main.prompts SELECT id, key, text, answer FROM now.prompts WHERE steps > 0;"
    "INSERT INTO main.groups SELECT step, position, prompt, generated, correct, tokens, "
    "counted_n, counted_sum, admitted, shipped, pool_n, pool_mean, cause FROM now.groups;"
    "INSERT INTO main.rollouts SELECT id, step, prompt, seq, round, tag, behaviour, status, "
    "scoring, reward, correct, parsed, tokens, trained, text, answer, reason FROM now.rollouts";

constexpr const char* kCopy2 =
    "INSERT INTO main.prompts SELECT * FROM now.prompts;"
    "INSERT INTO main.groups SELECT * FROM now.groups;"
    "INSERT INTO main.rollouts SELECT id, step, prompt, seq, round, tag, behaviour, status, "
    "scoring, reward, correct, parsed, tokens, kept, trained, advantage, text, token_ids, answer, "
    "reason FROM now.rollouts";

class Migration : public ::testing::Test {
 protected:
  void SetUp() override {
    run_.steps = 6;
    run_.hold = 4;
    run_.kept = 2;
    run_.adaptive = true;
    write_synthetic_run(run_, folder_ / "now");
    const fs::path now = folder_ / "now" / "run.sqlite";
    write_earlier(1, testing::kSchema1, kCopy1, now, folder_ / "1" / "run.sqlite");
    write_earlier(2, testing::kSchema2, kCopy2, now, folder_ / "2" / "run.sqlite");
    write_synthetic_run(run_, folder_ / "poor");
    SqliteConnection::open_for_writing(folder_ / "poor" / "run.sqlite")
        .execute(
            "DELETE FROM prompt_names WHERE id NOT IN (SELECT prompt FROM groups);"
            "UPDATE prompt_texts SET token_ids = NULL; UPDATE rollouts SET token_ids = NULL");
  }

  // What a run of the version is after it was brought up: of today, but for what version 1 had no
  // place for.
  fs::path expected(const std::string& version) const {
    return folder_ / (version == "1" ? "poor" : "now");
  }

  SyntheticRun run_;
  TemporaryFolder folder_;
};

TEST_F(Migration, GivesWhatIsRecordedToday) {
  for (const std::string version : {"1", "2"}) {
    const fs::path run = folder_ / version;
    {
      SqliteConnection db = SqliteConnection::open_for_writing(run / "run.sqlite");
      bring_up_to_date(db, run / "run.sqlite");
      bring_up_to_date(db, run / "run.sqlite");  // nothing is left to do
      EXPECT_EQ(db.integer("PRAGMA user_version"), kSchemaVersion);
    }
    for (const char* table : kTables)
      EXPECT_EQ(table_dump(run, table), table_dump(expected(version), table)) << table;
    for (const char* view : {"prompts", "completions", "ledger"})
      EXPECT_EQ(table_dump(run, view), table_dump(expected(version), view)) << view;
  }
}

// The counts that version 2 kept and this one adds up, with its own view of them.
TEST_F(Migration, LedgersOfBothVersionsAgree) {
  const SqliteConnection old = SqliteConnection::open_for_reading(folder_ / "2" / "run.sqlite");
  EXPECT_EQ(old.integer("PRAGMA user_version"), 2);
  EXPECT_EQ(table_dump(old, "ledger"), table_dump(folder_ / "now", "ledger"));
}

TEST_F(Migration, ReadersSeeTheCurrentSchemaAndChangeNothing) {
  for (const std::string version : {"1", "2"}) {
    const fs::path run = folder_ / version;
    const std::string before = read_file(run / "run.sqlite");
    const RunReader reader(run);
    EXPECT_EQ(reader.samples(50).size(), RunReader(folder_ / "now").samples(50).size());
    const SqliteConnection shown = open_current_for_reading(run / "run.sqlite");
    EXPECT_EQ(table_dump(shown, "ledger"), table_dump(expected(version), "ledger"));
    EXPECT_EQ(read_file(run / "run.sqlite"), before);
  }
}

TEST_F(Migration, AnEarlierRunGoesOn) {
  SyntheticRun longer = run_;
  longer.steps = 9;
  write_synthetic_run(longer, folder_ / "now", 6);
  for (const std::string version : {"1", "2"}) {
    write_synthetic_run(longer, folder_ / version, 6);
    for (const char* table : {"groups", "decisions", "metrics", "prompt_names"})
      EXPECT_EQ(table_dump(folder_ / version, table), table_dump(folder_ / "now", table)) << table;
  }
}

TEST_F(Migration, OneThatFailsChangesNothing) {
  SqliteConnection db = SqliteConnection::open_for_writing(folder_ / "1" / "run.sqlite");
  db.execute("DROP TABLE decisions");  // the migration reads it
  EXPECT_THROW(bring_up_to_date(db, folder_ / "1" / "run.sqlite"), Error);
  EXPECT_EQ(db.integer("PRAGMA user_version"), 1);
  EXPECT_EQ(db.integer("SELECT count(*) FROM sqlite_schema WHERE name LIKE '%_1'"), 0);
}

}  // namespace
}  // namespace allot
