#include "allot/app/config.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "allot/app/aliases.h"
#include "allot/core/error.h"

namespace allot {
namespace {

class ConfigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(folder_);
  }
  std::string file(const std::string& name, const std::string& text) {
    const std::string path = (folder_ / name).string();
    std::ofstream(path) << text;
    return path;
  }
  static std::string message(const ConfigSources& sources) {
    try {
      load_config(sources);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Config);
      return error.what();
    }
    return "";
  }
  std::filesystem::path folder_;
};

TEST_F(ConfigTest, LaterSourcesWin) {
  ConfigSources sources;
  sources.files = {file("a.yaml", "alloc: {method: dapo, group_size: 4}\noptim.lr: 0.5\n"),
                   file("b.yaml", "optim: {lr: 0.25}\n")};
  sources.flags = {{"alloc.group_size", "16", "--set"}, {"alloc.group_size", "12", "--set"}};
  const RunConfig config = load_config(sources);
  EXPECT_EQ(config.alloc.method, "dapo");
  EXPECT_EQ(config.alloc.group_size, 12);
  EXPECT_EQ(config.optim.lr, 0.25);
  EXPECT_EQ(run_name(sources, "x"), "a");
}

TEST_F(ConfigTest, AComparedMethodHasSettingsOfItsOwn) {
  const auto with = [](const std::string& settings) {
    ConfigSources sources;
    sources.flags = {{"compare.methods", "grpo,aero", "--set"},
                     {"compare.settings", settings, "--set"}};
    return sources;
  };
  const RunConfig config =
      load_config(with(R"(["aero:learning_rate=0.5", "aero:alloc.group_size=12"])"));
  EXPECT_EQ(config_of_method(config, "aero").alloc.method, "aero");
  EXPECT_EQ(config_of_method(config, "aero").optim.lr, 0.5);
  EXPECT_EQ(config_of_method(config, "aero").alloc.group_size, 12);
  EXPECT_EQ(config_of_method(config, "grpo").optim.lr, RunConfig().optim.lr);
  const std::pair<const char*, const char*> wrong[] = {
      {"[aero]", "METHOD:key=value is needed"},
      {"[\"dapo:optim.lr=1\"]", "'dapo' is not among compare.methods"},
      {"[\"aero:optim.lrr=1\"]", "optim.lr"},
      {"[\"aero:alloc.group_size=0\"]", "alloc.group_size"},
      {"[\"aero:model.seed=1\"]", "the same for all compared runs"},
      {"[\"aero:train.max_steps=1\"]", "the same for all compared runs"}};
  for (const auto& [settings, expected] : wrong)
    EXPECT_NE(message(with(settings)).find(expected), std::string::npos) << message(with(settings));
}

TEST_F(ConfigTest, TheExpandedFormReadsBackAsTheSame) {
  ConfigSources sources;
  sources.flags = {{"alloc.method", "aero", "--set"},
                   {"alloc.aero.explore", "4", "--set"},
                   {"eval.k", "[1, 4]", "--set"},
                   {"eval.group_size", "4", "--set"},
                   {"optim.lr", "0.00031", "--set"}};
  const RunConfig config = load_config(sources);
  ConfigSources again;
  again.files = {file("expanded.yaml", expanded_yaml(config))};
  const RunConfig back = load_config(again);
  EXPECT_TRUE(config_differences(config, back).empty());
  EXPECT_EQ(expanded_yaml(back), expanded_yaml(config));
}

TEST_F(ConfigTest, DifferencesNameKeyAndBothValues) {
  RunConfig a, b;
  b.alloc.method = "aero";
  b.optim.lr = 0.5;
  EXPECT_EQ(config_differences(a, b),
            (std::vector<std::string>{"alloc.method: grpo -> aero", "optim.lr: 1e-06 -> 0.5"}));
}

TEST_F(ConfigTest, AnnotatesOrigins) {
  ConfigSources sources;
  sources.files = {file("run.yaml", "train:\n  seed: 3\n")};
  sources.flags = {{"num_generations", "16", "--num_generations"}};
  const std::string text = annotated_yaml(sources);
  EXPECT_NE(text.find("  seed: 3  # " + sources.files[0] + ":2"), std::string::npos) << text;
  EXPECT_NE(text.find("  group_size: 16  # --num_generations"), std::string::npos);
}

TEST_F(ConfigTest, RefusesWithHints) {
  EXPECT_NE(message({.flags = {{"alloc.group_sise", "4", "--set"}}})
                .find("did you mean 'alloc.group_size'?"),
            std::string::npos);
  EXPECT_NE(message({.flags = {{"alloc.group_size", "0", "--set"}}}).find("1 .. 65536"),
            std::string::npos);
  EXPECT_NE(message({.flags = {{"alloc.method", "aerro", "--set"}}}).find("aero"),
            std::string::npos);
  EXPECT_NE(message({.files = {"/nonexistent.yaml"}}).find("not found"), std::string::npos);
  EXPECT_NE(message({.flags = {{"num_generations", "4", "--a"}, {"alloc.group_size", "8", "--b"}}})
                .find("two names of one setting"),
            std::string::npos);
  EXPECT_NE(message({.flags = {{"clip_ratio", "0.2", "--clip_ratio"}}}).find("no effect in verl"),
            std::string::npos);
  EXPECT_NE(message({.flags = {{"eval.k", "[8]", "--set"}}}).find("eval.group_size"),
            std::string::npos);
}

TEST_F(ConfigTest, EveryAliasLeadsToAKey) {
  RunConfig config;
  const OptionList list = OptionList::of(config);
  for (const char* name : {"num_generations",
                           "learning_rate",
                           "max_completion_length",
                           "epsilon",
                           "epsilon_high",
                           "delta",
                           "num_iterations",
                           "max_steps",
                           "seed",
                           "save_steps",
                           "save_total_limit",
                           "eval_steps",
                           "logging_steps",
                           "temperature",
                           "top_p",
                           "top_k",
                           "min_p",
                           "weight_decay",
                           "max_grad_norm",
                           "warmup_steps",
                           "lr_scheduler_type",
                           "dataset_name",
                           "model_name_or_path",
                           "num_generations_eval"}) {
    const auto target = alias_target(name);
    ASSERT_TRUE(target) << name;
    EXPECT_NE(list.find(*target), nullptr) << name << " -> " << *target;
  }
  EXPECT_FALSE(alias_target("alloc.group_size"));
}

}  // namespace
}  // namespace allot
