#include "allot/tasks/data_file.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/tasks/data_columns.h"

namespace allot {
namespace {

using Lines = std::vector<std::pair<std::size_t, std::string>>;  // line, text of column a

Lines rows_of(const std::string& name, const std::string& text) {
  std::istringstream in(text);
  Lines lines;
  read_rows(in, name, [&](const Cell& row, const RowPlace& place) {
    const Cell* cell = row.find("a");
    lines.emplace_back(place.line, cell == nullptr ? "-" : cell->text);
  });
  return lines;
}

void expect_error(const std::string& name, const std::string& text, const std::string& part) {
  try {
    rows_of(name, text);
    ADD_FAILURE() << "no error for " << text;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Data);
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(DataFile, ReadsJsonLines) {
  EXPECT_EQ(rows_of("x.jsonl", "\xEF\xBB\xBF{\"a\":\"1\"}\r\n\n  {\"a\":2.50}"),
            (Lines{{1, "1"}, {3, "2.50"}}));
  EXPECT_EQ(rows_of("x.jsonl", ""), Lines{});
  expect_error("x.jsonl", "{\"a\":1}\n{\"a\":", "x.jsonl:2");
  expect_error("x.jsonl", "{\"a\":1}\n\n[1]", "x.jsonl:3");
}

TEST(DataFile, ReadsAJsonList) {
  EXPECT_EQ(rows_of("x.json", " [ {\"a\":\"]},[\\\"\"},\n\n {\"b\":[1,{}]} , {\"a\":\"3\"}\n]\n"),
            (Lines{{1, "]},[\""}, {3, "-"}, {3, "3"}}));
  EXPECT_EQ(rows_of("x.json", "[]"), Lines{});
  expect_error("x.json", "[{\"a\":1},\n{\"a\":\"", "x.json:2] the row is cut off");
  expect_error("x.json", "[{\"a\":1},\n\n{\"a\":1}", "x.json:3] the row is cut off");
  expect_error("x.json", "[{\"a\":1},]", "missing after the comma");
  expect_error("x.json", "[{\"a\":1}]\n[", "x.json:2] there is more");
  expect_error("x.json", "[{\"a\":1} {\"a\":2}]", "not JSON");
  expect_error("x.json", "[3]", "not an object");
}

TEST(DataFile, ReadsCsv) {
  EXPECT_EQ(rows_of("x.csv", "a,b\n1,2\r\n\"x, \"\"y\"\"\nz\",\n\n4,5"),
            (Lines{{2, "1"}, {3, "x, \"y\"\nz"}, {6, "4"}}));
  EXPECT_EQ(rows_of("x.tsv", "b\ta\n1\t2,3\n"), (Lines{{2, "2,3"}}));
  EXPECT_EQ(rows_of("x.csv", "a\n\nx\n"), (Lines{{2, ""}, {3, "x"}}));
  expect_error("x.csv", "a,b\n1,2\n3\n", "x.csv:3] the row has 1 fields; the header has 2");
  expect_error("x.csv", "a,b\n1,\"2\n", "x.csv:2] a quote is not closed");
  expect_error("x.csv", "a,b\n1,\"2\"3\n", "x.csv:2] text stands behind");
  expect_error("x.csv", "a,a\n1,2\n", "x.csv:1] the column 'a' stands twice");
  expect_error("x.csv", "a\n\xFF\n", "x.csv:2");
}

// What the fuzzer (fuzz/data_file.cc) began from and found.
TEST(DataFile, ReplaysTheFuzzersCorpus) {
  constexpr std::array kNames = {"x.jsonl", "x.csv", "x.tsv"};
  std::size_t files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(ALLOT_SOURCE_DIR "/fuzz/corpus/data_file")) {
    ++files;
    std::ifstream in(entry.path(), std::ios::binary);
    const auto name = kNames.at(static_cast<std::size_t>(in.get()) % kNames.size());
    try {
      read_rows(in, name, [](const Cell& row, const RowPlace&) {
        (void)to_prompt(row, find_columns(row, {}));
      });
    } catch (const Error&) {
    }
  }
  EXPECT_GE(files, 10u);
}

}  // namespace
}  // namespace allot
