// The table and the picture of docs/methods/scale.md are those the program makes. With
// ALLOT_UPDATE_DOCS=1 in the environment stale ones are rewritten instead.
#include "allot/app/scale_listing.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace allot {
namespace {

const std::string kFolder = std::string(ALLOT_SOURCE_DIR) + "/docs/methods/";

std::string read(const std::string& file) {
  std::ifstream in(kFolder + file);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void expect_file(const std::string& file, const std::string& wanted) {
  if (std::getenv("ALLOT_UPDATE_DOCS")) std::ofstream(kFolder + file) << wanted;
  EXPECT_EQ(read(file), wanted) << file << " is stale; run this test with ALLOT_UPDATE_DOCS=1";
}

TEST(ScaleListing, DocsAreUpToDate) {
  const std::string begin = "<!-- scale:begin -->\n", end = "<!-- scale:end -->";
  std::string page = read("scale.md");
  const std::size_t first = page.find(begin), last = page.find(end);
  ASSERT_TRUE(first != std::string::npos && last != std::string::npos);
  page.replace(first + begin.size(), last - first - begin.size(), scale_markdown());
  expect_file("scale.md", page);
  expect_file("scale.svg", scale_svg());
}

TEST(ScaleListing, TextAndJsonHaveTheSameRows) {
  const auto json = nlohmann::json::parse(scale_json());
  EXPECT_EQ(json["rates"].size(), 8u);
  const std::string text = scale_text();
  EXPECT_GE(json["rows"].size(), 13u);
  for (const auto& row : json["rows"]) {
    EXPECT_EQ(row["values"].size(), 8u);
    EXPECT_NE(text.find(row["label"].get<std::string>()), std::string::npos);
  }
  EXPECT_EQ(json["rows"][0]["settings"], "adv.estimator=leave_one_out");
  EXPECT_NEAR(json["rows"][0]["values"][0].get<double>(), 1, 1e-6);
}

TEST(ScaleListing, PictureHasACurvePerDrawnRow) {
  const std::string svg = scale_svg();
  EXPECT_EQ(svg.rfind("<svg", 0), 0u);
  for (const char* name : {"GRPO", "AR3PO", "AERO", "PODS", "Reinforce-Ada"})
    EXPECT_NE(svg.find(name), std::string::npos);
}

}  // namespace
}  // namespace allot
