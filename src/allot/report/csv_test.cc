#include "allot/report/csv.h"

#include <cmath>
#include <cstdlib>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace allot {
namespace {

// An independent reader: one record per call of a state machine, as RFC 4180 describes it.
std::vector<std::vector<std::string>> parsed(const std::string& text) {
  std::vector<std::vector<std::string>> rows(1, std::vector<std::string>(1));
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string& cell = rows.back().back();
    if (quoted) {
      if (text[i] != '"') {
        cell += text[i];
      } else if (i + 1 < text.size() && text[i + 1] == '"') {
        cell += text[i++];
      } else {
        quoted = false;
      }
    } else if (text[i] == '"') {
      quoted = true;
    } else if (text[i] == ',') {
      rows.back().emplace_back();
    } else if (text[i] == '\n') {
      rows.emplace_back(1, "");
    } else {
      cell += text[i];
    }
  }
  rows.pop_back();
  return rows;
}

TEST(Csv, QuotesWhatNeedsIt) {
  TextTable table;
  table.header = {"key", "a,b"};
  table.rows = {{"x \"y\"", "1\n2"}, {"short"}};
  EXPECT_EQ(csv_text(table), "key,\"a,b\"\n\"x \"\"y\"\"\",\"1\n2\"\nshort,\n");
}

TEST(Csv, DisarmsFormulas) {
  TextTable table;
  table.header = {"a", "b", "c", "d"};
  table.rows = {{"=1+1", "-3.5", "+2 dogs", "@x"}};
  EXPECT_EQ(csv_text(table), "a,b,c,d\n'=1+1,-3.5,'+2 dogs,'@x\n");
}

TEST(Csv, NumbersReadBack) {
  for (const double value : {0.1, -1e-300, 123456789.0, 1.0 / 3})
    EXPECT_EQ(std::strtod(csv_number(value).c_str(), nullptr), value);
  EXPECT_EQ(csv_number(std::nan("")), "");
  EXPECT_EQ(csv_number(HUGE_VAL), "");
}

RC_GTEST_PROP(Csv, ReadsBack, (const std::vector<std::string>& cells)) {
  TextTable table;
  table.header = {"first"};
  table.header.insert(table.header.end(), cells.begin(), cells.end());
  std::vector<std::string> expected = {"first"};
  for (const std::string& cell : cells) {
    const bool disarmed = !cell.empty() && std::string("=+-@\t\r").find(cell[0]) < 6 &&
                          csv_text({{}, {cell}, {}}).find('\'') < 2;
    expected.push_back((disarmed ? "'" : "") + cell);
  }
  RC_ASSERT(parsed(csv_text(table)).at(0) == expected);
}

}  // namespace
}  // namespace allot
