// docs/objectives.md agrees with the code: every preset and every option stands in its tables.
// With ALLOT_UPDATE_DOCS=1 in the environment stale tables are rewritten instead.
#include <cstdlib>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "allot/objective/options.h"
#include "allot/objective/presets.h"
#include "allot/objective/requirements_table.h"

namespace allot::objective {
namespace {

const std::string kPage = std::string(ALLOT_SOURCE_DIR) + "/docs/objectives.md";

// The text between <!-- marker:begin --> and <!-- marker:end -->.
void expect_between(const std::string& marker, const std::string& table) {
  std::ifstream in(kPage);
  std::ostringstream read;
  read << in.rdbuf();
  std::string text = read.str();
  const std::string begin = "<!-- " + marker + ":begin -->\n", end = "<!-- " + marker + ":end -->";
  const std::size_t first = text.find(begin), last = text.find(end);
  ASSERT_TRUE(first != std::string::npos && last != std::string::npos && first < last)
      << kPage << " needs the lines " << begin << "and " << end;
  const std::size_t start = first + begin.size();
  if (std::getenv("ALLOT_UPDATE_DOCS")) {
    text.replace(start, last - start, table);
    std::ofstream(kPage) << text;
    return;
  }
  EXPECT_EQ(text.substr(start, last - start), table)
      << kPage << " is stale; run this test with ALLOT_UPDATE_DOCS=1";
}

TEST(ObjectiveDocs, ThePageHasAllPresetsAndOptions) {
  expect_between("presets", presets_table());
  expect_between("requirements", requirements_table());
  LossOptions options;
  expect_between("options", OptionList::of(options, "loss").docs_table());
}

}  // namespace
}  // namespace allot::objective
