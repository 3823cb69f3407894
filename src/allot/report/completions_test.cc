#include "allot/report/completions.h"

#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "allot/core/error.h"
#include "allot/core/testing/temporary_folder.h"
#include "allot/store/sqlite.h"
#include "allot/store/testing/synthetic_run.h"

namespace allot {
namespace {

using nlohmann::json;

std::vector<json> lines_of(const std::string& text) {
  std::vector<json> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(json::parse(line));
  return lines;
}

// Every stored response once, with what the database says of it, whatever its bytes.
TEST(Completions, EveryStoredResponseIsALine) {
  const testing::TemporaryFolder folder;
  testing::SyntheticRun described;
  described.steps = 3;
  described.functions = {"right", "short"};
  described.text = "quote \" line\nnull \x01 broken \xff ";
  const RunFolderPath run = folder.path() / "one", other = folder.path() / "two";
  testing::write_synthetic_run(described, run);
  testing::write_synthetic_run(described, other);
  const std::vector<json> lines = lines_of(completions_jsonl(std::vector{run, other}));
  EXPECT_EQ(lines.at(0), json({{"format", "allot.completions"}, {"version", 2}}));
  const SqliteConnection db = SqliteConnection::open_for_reading(run / "run.sqlite");
  const auto stored =
      static_cast<std::size_t>(db.integer("SELECT count(*) FROM rollouts WHERE text IS NOT NULL"));
  ASSERT_GT(stored, 0u);
  ASSERT_EQ(lines.size(), 1 + 2 * stored);
  std::int64_t correct = 0, trained = 0;
  for (std::size_t i = 1; i <= stored; ++i) {
    EXPECT_EQ(lines[i].at("run"), "one");
    EXPECT_TRUE(lines[i].at("completion").get<std::string>().starts_with("quote \" line\nnull"));
    EXPECT_EQ(lines[i].at("completion_ids").size(), lines[i].at("tokens").get<std::size_t>());
    EXPECT_TRUE(lines[i].at("prompt_ids").is_array());
    EXPECT_EQ(lines[i].at("reward").is_null(), lines[i].at("verdict") == "not_scorable");
    EXPECT_EQ(lines[i].at("correct"), lines[i].at("verdict") == "correct");
    EXPECT_EQ(lines[i].at("rewards").at("right"), lines[i].at("reward"));
    EXPECT_EQ(lines[i].at("rewards").at("short"), lines[i].at("tokens").get<int>() < 10 ? 1 : 0);
    correct += lines[i].at("correct").get<bool>();
    trained += !lines[i].at("advantage").is_null();
    if (i > 1) {
      EXPECT_LE(lines[i - 1].at("step"), lines[i].at("step"));
    }
  }
  EXPECT_EQ(correct, db.integer("SELECT sum(correct) FROM completions"));
  EXPECT_EQ(trained, db.integer("SELECT count(advantage) FROM completions"));
  EXPECT_EQ(lines[1 + stored].at("run"), "two");
  EXPECT_THROW(completions_jsonl(std::vector{folder.path() / "none"}), Error);
}

}  // namespace
}  // namespace allot
