#include "allot/app/yaml_file.h"

#include <gtest/gtest.h>

#include "allot/core/error.h"

namespace allot {
namespace {

std::string message(std::string_view text) {
  try {
    parse_yaml(text, "run.yaml");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Config);
    return error.what();
  }
  return "";
}

TEST(ParseYaml, FlattensMappingsAndLists) {
  const auto settings = parse_yaml(
      "# a comment\nalloc:\n  method: aero\n  aero: {explore: 4}\ntrain.seed: 3\n"
      "eval:\n  k: [1, 8]\n  names:\n    - a\n    - b\n",
      "run.yaml");
  ASSERT_EQ(settings.size(), 5u);
  EXPECT_EQ(settings[0].key, "alloc.method");
  EXPECT_EQ(settings[0].text, "aero");
  EXPECT_EQ(settings[0].origin, "run.yaml:3");
  EXPECT_EQ(settings[1].key, "alloc.aero.explore");
  EXPECT_EQ(settings[2].key, "train.seed");
  EXPECT_EQ(settings[3].text, "[1, 8]");
  EXPECT_EQ(settings[4].text, "[a, b]");
}

TEST(ParseYaml, ReadsJsonToo) {
  const auto settings = parse_yaml(R"({"optim": {"lr": 3e-4, "betas": [0.9, 0.95]}})", "run.json");
  ASSERT_EQ(settings.size(), 2u);
  EXPECT_EQ(settings[0].key, "optim.lr");
  EXPECT_EQ(settings[0].text, "3e-4");
  EXPECT_EQ(settings[1].text, "[0.9, 0.95]");
}

TEST(ParseYaml, AnEmptyFileSetsNothing) {
  EXPECT_TRUE(parse_yaml("", "run.yaml").empty());
  EXPECT_TRUE(parse_yaml("# only a comment\n", "run.yaml").empty());
}

TEST(ParseYaml, RefusesWithFileAndLine) {
  EXPECT_NE(message("a:\n  b: 1\na.b: 2\n").find("[run.yaml:3] key 'a.b' was given twice"),
            std::string::npos);
  EXPECT_NE(message("a: 1\nb:\n").find("key 'b' has no value"), std::string::npos);
  EXPECT_NE(message("a:\n  - b: 1\n").find("mapping was given inside a list"), std::string::npos);
  EXPECT_NE(message("just text").find("'key: value' lines are needed"), std::string::npos);
  EXPECT_NE(message("a: [1, 2").find("[run.yaml:"), std::string::npos);
  EXPECT_NE(message("a: &x 1\nb: *x\n").find("anchor"), std::string::npos);
  EXPECT_NE(message("a: 'open").find("not readable as YAML"), std::string::npos);
  EXPECT_THROW(read_config_file("/nonexistent/run.yaml"), Error);
}

}  // namespace
}  // namespace allot
