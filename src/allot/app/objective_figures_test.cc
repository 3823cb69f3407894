// The pictures in docs/objectives/ are those that the program's functions draw. With
// ALLOT_UPDATE_DOCS=1 in the environment stale ones are rewritten instead.
#include "allot/app/objective_figures.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

namespace allot {
namespace {

TEST(ObjectiveFigures, TheDocsShowWhatTheReferenceComputes) {
  for (const auto& [name, svg] : objective_figures()) {
    const std::string path = std::string(ALLOT_SOURCE_DIR) + "/docs/objectives/" + name;
    if (std::getenv("ALLOT_UPDATE_DOCS")) {
      std::filesystem::create_directories(std::string(ALLOT_SOURCE_DIR) + "/docs/objectives");
      std::ofstream(path) << svg;
      continue;
    }
    std::ifstream in(path);
    std::ostringstream text;
    text << in.rdbuf();
    EXPECT_EQ(text.str(), svg) << path << " is stale; run this test with ALLOT_UPDATE_DOCS=1";
  }
}

}  // namespace
}  // namespace allot
