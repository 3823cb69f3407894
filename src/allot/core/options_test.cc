#include "allot/core/options.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "allot/core/error.h"

namespace allot {
namespace {

enum class Shape { Round, Square };

struct KlOptions {
  double beta = 0;
  Shape shape = Shape::Square;
  template <class V>
  void fields(V& v) {
    v("beta", beta, Range{0, 10}, "weight of the penalty");
    v("shape", shape, Choices<Shape>{{"round", Shape::Round}, {"square", Shape::Square}},
      "form | of the penalty");
  }
};

struct AllKinds {
  bool on = false;
  int count = 3;
  std::uint64_t seed = 1;
  double rate = 1e-6;
  std::string path = "a \"b\"";
  std::vector<int> k{1, 8};
  std::vector<double> betas{0.9, 0.999};
  std::vector<std::string> stop;
  KlOptions kl;
  int last = -2;
  template <class V>
  void fields(V& v) {
    v("on", on, "whether it is on");
    v("count", count, Range{0, 9}, "how many");
    v("seed", seed, Range{0}, "the seed");
    v("rate", rate, Range{0, 1}, "step size");
    v("path", path, "where it lies");
    v("k", k, Range{1, 99}, "values of k");
    v("betas", betas, Range{0, 1}, "decay rates");
    v("stop", stop, "stop texts");
    v("kl", kl);
    v("last", last, Range{-5, -1}, "a negative one");
  }
};

std::string refusal(OptionList& list, std::string_view key, std::string_view text) {
  try {
    list.set(key, text, "--set");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Config);
    return error.what();
  }
  return {};
}

class OptionsTest : public ::testing::Test {
 protected:
  void expect_refused(std::string_view key, std::string_view text, std::string_view part) {
    const std::string before = list.yaml();
    const std::string message = refusal(list, key, text);
    EXPECT_NE(message.find(part), std::string::npos) << key << " = " << text << ": " << message;
    EXPECT_EQ(list.yaml(), before);
  }
  AllKinds all;
  OptionList list = OptionList::of(all, "x.y");
};

TEST_F(OptionsTest, SetsEveryKind) {
  list.set("x.y.on", "true", "file.yaml");
  list.set("x.y.count", " 7 ", "file.yaml");
  list.set("x.y.seed", "18446744073709551615", "file.yaml");
  list.set("x.y.rate", "1e-3", "file.yaml");
  list.set("x.y.path", "runs/a, b", "file.yaml");
  list.set("x.y.k", "[2, 3]", "--set");
  list.set("x.y.betas", "0.5,1", "--set");
  list.set("x.y.stop", "[\"a, b\", \"]\"]", "--set");
  list.set("x.y.kl.shape", "round", "--set");
  list.set("x.y.kl.beta", "2", "--set");
  list.set("x.y.last", "-5", "--set");
  EXPECT_TRUE(all.on);
  EXPECT_EQ(all.count, 7);
  EXPECT_EQ(all.seed, ~std::uint64_t{0});
  EXPECT_EQ(all.rate, 1e-3);
  EXPECT_EQ(all.path, "runs/a, b");
  EXPECT_EQ(all.k, (std::vector<int>{2, 3}));
  EXPECT_EQ(all.betas, (std::vector<double>{0.5, 1}));
  EXPECT_EQ(all.stop, (std::vector<std::string>{"a, b", "]"}));
  EXPECT_EQ(all.kl.shape, Shape::Round);
  EXPECT_EQ(all.kl.beta, 2);
  EXPECT_EQ(all.last, -5);
  EXPECT_EQ(list.find("x.y.k")->origin, "--set");
  EXPECT_EQ(list.find("x.y.on")->origin, "file.yaml");
}

TEST_F(OptionsTest, EmptyAndUnquotedLists) {
  list.set("x.y.k", "[]", "--set");
  EXPECT_TRUE(all.k.empty());
  list.set("x.y.k", "5", "--set");
  EXPECT_EQ(all.k, std::vector<int>{5});
  list.set("x.y.stop", "[one, two]", "--set");
  EXPECT_EQ(all.stop, (std::vector<std::string>{"one", "two"}));
  list.set("x.y.stop", "", "--set");
  EXPECT_TRUE(all.stop.empty());
}

TEST_F(OptionsTest, RefusesBadValuesByKeyValueAndRange) {
  expect_refused("x.y.count", "10", "0 .. 9");
  expect_refused("x.y.count", "10", "x.y.count");
  expect_refused("x.y.count", "-1", "'-1' was given");
  expect_refused("x.y.count", "2.5", "whole number");
  expect_refused("x.y.count", "", "whole number");
  expect_refused("x.y.count", "3x", "whole number");
  expect_refused("x.y.count", "99999999999999999999", "whole number");
  expect_refused("x.y.seed", "-1", "whole number");
  expect_refused("x.y.rate", "nan", "0 .. 1");
  expect_refused("x.y.rate", "inf", "0 .. 1");
  expect_refused("x.y.rate", "fast", "a number");
  expect_refused("x.y.on", "1", "true or false");
  expect_refused("x.y.kl.shape", "oval", "round | square");
  expect_refused("x.y.last", "0", "-5 .. -1");
}

TEST_F(OptionsTest, RefusesBadLists) {
  expect_refused("x.y.k", "[1, 100]", "1 .. 99");
  expect_refused("x.y.k", "[1,,2]", "list");
  expect_refused("x.y.k", "[1, 2", "list");
  expect_refused("x.y.k", "1,", "list");
  expect_refused("x.y.k", "[[1], 2]", "whole number");
  expect_refused("x.y.stop", "[a, [b]", "list");
}

TEST_F(OptionsTest, RefusesTextThatIsNotUtf8) {
  expect_refused("x.y.path", "\xff\xfe", "UTF-8");
  expect_refused("x.y.stop", "ok,\xc3", "UTF-8");
}

TEST_F(OptionsTest, UnknownKeysNameTheNearest) {
  const std::string message = refusal(list, "x.y.kl.bta", "1");
  EXPECT_NE(message.find("unknown key 'x.y.kl.bta'"), std::string::npos);
  EXPECT_NE(message.find("did you mean 'x.y.kl.beta'?"), std::string::npos);
  EXPECT_NE(message.find("[--set]"), std::string::npos);
  const std::string far = refusal(list, "completely.unrelated.words", "1");
  EXPECT_EQ(far.find("did you mean"), std::string::npos);
  EXPECT_EQ(list.find("x.y"), nullptr);
}

TEST_F(OptionsTest, YamlIsNestedInDeclarationOrder) {
  EXPECT_EQ(list.yaml(),
            "x:\n"
            "  y:\n"
            "    on: false\n"
            "    count: 3\n"
            "    seed: 1\n"
            "    rate: 1e-06\n"
            "    path: \"a \\\"b\\\"\"\n"
            "    k: [1,8]\n"
            "    betas: [0.9,0.999]\n"
            "    stop: []\n"
            "    kl:\n"
            "      beta: 0.0\n"
            "      shape: \"square\"\n"
            "    last: -2\n");
}

TEST_F(OptionsTest, YamlGathersASectionDeclaredInTwoPlaces) {
  KlOptions a, b, c;
  OptionList mixed = OptionList::of(a, "one.first");
  mixed.add(b, "two");
  mixed.add(c, "one.second");
  const std::string yaml = mixed.yaml();
  EXPECT_EQ(yaml.find("one:"), yaml.rfind("one:"));
}

TEST_F(OptionsTest, ValuesSurviveTheirOwnText) {
  all.stop = {"a, \"b\"", "[", ""};
  AllKinds other;
  OptionList copy = OptionList::of(other, "x.y");
  for (const Option& option : list.all()) copy.set(option.key, option.plain_text(), "copy");
  EXPECT_EQ(copy.yaml(), list.yaml());
}

TEST_F(OptionsTest, JsonCarriesDefaultAndValue) {
  list.set("x.y.k", "4", "--set");
  const auto json = nlohmann::json::parse(list.json());
  ASSERT_EQ(json.size(), 11u);
  EXPECT_EQ(json[5]["key"], "x.y.k");
  EXPECT_EQ(json[5]["type"], "list of int");
  EXPECT_EQ(json[5]["default"], (std::vector<int>{1, 8}));
  EXPECT_EQ(json[5]["value"], std::vector<int>{4});
  EXPECT_EQ(json[5]["range"], "1 .. 99");
  EXPECT_EQ(json[2]["range"], ">= 0");
  EXPECT_FALSE(json[4].contains("range"));
  EXPECT_EQ(json[9]["type"], "round | square");
  EXPECT_EQ(json[9]["value"], "square");
}

TEST_F(OptionsTest, DocsTableHasOneRowPerKeyAndEscapesBars) {
  const std::string table = list.docs_table();
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 13);
  EXPECT_NE(table.find("| `x.y.count` | int | `3` | 0 .. 9 | how many |\n"), std::string::npos);
  EXPECT_NE(table.find("round \\| square"), std::string::npos);
  EXPECT_NE(table.find("form \\| of the penalty"), std::string::npos);
}

TEST(Options, AKeyDeclaredTwiceIsRefused) {
  KlOptions a, b;
  OptionList list = OptionList::of(a, "kl");
  EXPECT_THROW(list.add(b, "kl"), Error);
}

TEST(Options, NoPrefixGivesPlainKeys) {
  KlOptions a;
  EXPECT_NE(OptionList::of(a).find("beta"), nullptr);
}

}  // namespace
}  // namespace allot
