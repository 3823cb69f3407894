#include "allot/app/config.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "allot/app/aliases.h"
#include "allot/core/error.h"
#include "allot/core/testing/temporary_folder.h"

namespace allot {
namespace {

class ConfigTest : public ::testing::Test {
 protected:
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
  testing::TemporaryFolder folder_;
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
  sources.flags = {{"alloc.method", "aero", "--set"}, {"alloc.aero.explore", "4", "--set"},
                   {"eval.k", "[1, 4]", "--set"},     {"eval.group_size", "4", "--set"},
                   {"optim.lr", "0.00031", "--set"},  {"loss.preset", "gspo", "--set"}};
  const RunConfig config = load_config(sources);
  const std::string text = expanded_yaml(config);
  EXPECT_NE(text.find("level: \"preset\"  # \"sequence_geometric\"\n"), std::string::npos) << text;
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
  EXPECT_EQ(differences_text(config_differences(a, b)),
            "alloc.method: grpo -> aero\noptim.lr: 1e-06 -> 0.5\n");
  EXPECT_EQ(differences_json(config_differences(a, b)),
            R"({"differences":[{"key":"alloc.method","before":"grpo","after":"aero"},)"
            R"({"key":"optim.lr","before":"1e-06","after":"0.5"}]})");
  EXPECT_EQ(differences_text(config_differences(a, a)), "no differences\n");
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
  EXPECT_GT(alias_names().size(), 30u);
  for (const std::string& name : alias_names()) {
    const auto target = alias_target(name);
    const bool is_one_of_several = is_batch_setting(name) || is_part_setting(name);
    EXPECT_TRUE(is_one_of_several ? !target : target && list.find(*target)) << name;
  }
  EXPECT_FALSE(alias_target("alloc.group_size"));
}

std::vector<Setting> flags(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::vector<Setting> settings;
  for (const auto& [key, text] : pairs) settings.push_back({key, text, "--" + key});
  return settings;
}

TEST_F(ConfigTest, TakesACommandLineOfTrl) {
  const RunConfig config = load_config({.flags = flags({{"num_generations", "16"},
                                                        {"per_device_train_batch_size", "32"},
                                                        {"gradient_accumulation_steps", "2"},
                                                        {"steps_per_generation", "4"},
                                                        {"learning_rate", "1e-5"},
                                                        {"beta", "0.0"},
                                                        {"loss_type", "dapo"},
                                                        {"scale_rewards", "False"},
                                                        {"reward_weights", "[1.0]"},
                                                        {"report_to", "tensorboard"},
                                                        {"log_completions", "True"},
                                                        {"resume_from_checkpoint", "False"},
                                                        {"output_dir", "somewhere"}})});
  EXPECT_EQ(config.adv.scale, AdvantageScale::None);
  EXPECT_EQ(config.alloc.group_size, 16);
  EXPECT_EQ(config.train.prompts_per_step, 8);   // 32 x 4 / 16
  EXPECT_EQ(config.learner.minibatch_rows, 64);  // 32 x 2
  EXPECT_EQ(config.log.to, std::vector<std::string>{"tensorboard"});
  EXPECT_EQ(config.log.completions, 4);
  EXPECT_EQ(config.checkpoint.resume, "disable");
  EXPECT_EQ(config.train.output, "somewhere");
  EXPECT_EQ(
      load_config({.flags = flags({{"per_device_train_batch_size", "64"}})}).learner.minibatch_rows,
      0);  // one update of all
}

TEST_F(ConfigTest, BetaAndLossTypeMeanWhatTheyMeanInTrl) {
  using objective::KlEstimator, objective::KlPlacement;
  const auto kl = [](const std::vector<std::pair<std::string, std::string>>& pairs) {
    return load_config({.flags = flags(pairs)}).loss.expanded().kl;
  };
  const auto with = kl({{"beta", "0.04"}});
  EXPECT_EQ(with.placement, KlPlacement::InLoss);
  EXPECT_EQ(with.estimator, KlEstimator::K3);
  EXPECT_EQ(with.beta, 0.04);
  EXPECT_EQ(kl({{"loss_type", "grpo"}}).beta, 0);
  EXPECT_EQ(kl({{"loss_type", "grpo"}, {"beta", "0.0"}}).beta, 0);
  EXPECT_EQ(kl({{"loss.preset", "grpo"}}).beta, 0.04) << "as in its paper";
  EXPECT_EQ(kl({{"beta", "0.1"}, {"loss.kl.estimator", "k2"}}).estimator, KlEstimator::K2);
}

TEST_F(ConfigTest, MasksAndCorrectionsMeanWhatTheyMeanInTrl) {
  using objective::MismatchLevel, objective::MismatchWeight;
  const auto loss = [](const std::vector<std::pair<std::string, std::string>>& pairs) {
    return load_config({.flags = flags(pairs)}).loss.expanded();
  };
  using Masks = std::vector<std::string>;
  const auto masked = loss({{"mask_truncated_completions", "True"},
                            {"top_entropy_quantile", "0.2"},
                            {"off_policy_mask_threshold", "0.7"}});
  EXPECT_EQ(masked.masks, (Masks{"truncated", "top_entropy", "off_policy_sequence"}));
  EXPECT_EQ(masked.top_entropy, 0.2);
  EXPECT_EQ(masked.off_policy_delta, 0.7);
  EXPECT_FALSE(loss({{"top_entropy_quantile", "1.0"}}).has_mask("top_entropy"));
  EXPECT_FALSE(loss({{"mask_truncated_completions", "False"}}).has_mask("truncated"));
  const auto usual = loss({{"vllm_importance_sampling_correction", "True"}}).mismatch;
  EXPECT_EQ(usual.weight, MismatchWeight::Mask);
  EXPECT_EQ(usual.level, MismatchLevel::Sequence);
  EXPECT_EQ(usual.max, 3);
  const auto token = loss({{"vllm_importance_sampling_mode", "token_truncate"},
                           {"vllm_importance_sampling_clip_max", "2.5"},
                           {"vllm_importance_sampling_clip_min", "0.1"}})
                         .mismatch;
  EXPECT_EQ(token.weight, MismatchWeight::Truncate);
  EXPECT_EQ(token.level, MismatchLevel::Token);
  EXPECT_EQ(token.max, 2.5);
  EXPECT_EQ(token.min, 0.1);
  EXPECT_EQ(loss({{"vllm_importance_sampling_correction", "False"},
                  {"vllm_importance_sampling_mode", "token_mask"}})
                .mismatch.weight,
            MismatchWeight::None);
  EXPECT_NE(message({.flags = flags({{"vllm_importance_sampling_mode", "mask"}})})
                .find("sequence_truncate"),
            std::string::npos);
  EXPECT_NE(message({.flags = flags({{"loss_type", "bnpo"}})}).find("loss_type=dapo"),
            std::string::npos);
  EXPECT_EQ(load_config({.flags = flags({{"multi_objective_aggregation", "normalize_then_sum"}})})
                .adv.reward_aggregation,
            RewardAggregation::NormalizeThenSum);
}

TEST_F(ConfigTest, WhatNobodySetFollowsFromWhatWasGiven) {
  const RunConfig config = load_config(
      {.flags = flags({{"dataset_name", "x.jsonl"}, {"model_name_or_path", "folder"}})});
  EXPECT_EQ(config.data.task, "jsonl");
  EXPECT_EQ(config.warm_start.steps, 0);
  const RunConfig warmed =
      load_config({.flags = flags({{"model.path", "folder"}, {"warm_start.steps", "7"}})});
  EXPECT_EQ(warmed.warm_start.steps, 7);
  EXPECT_EQ(load_config({}).data.task, "digit_sort");
  EXPECT_GT(load_config({}).warm_start.steps, 0);
  EXPECT_NE(message({.flags = flags({{"data.task", "addition"}, {"data.train", "x.jsonl"}})})
                .find("makes its own prompts"),
            std::string::npos);
}

TEST_F(ConfigTest, ExplainsBatchArithmetic) {
  const std::string text = message({.flags = flags({{"num_generations", "6"},
                                                    {"per_device_train_batch_size", "8"},
                                                    {"steps_per_generation", "8"}})});
  EXPECT_NE(text.find("64 rollouts per step (per_device_train_batch_size 8 x 8 steps) are not "
                      "divisible by num_generations 6"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("that divide them are 4 and 8"), std::string::npos) << text;
  EXPECT_NE(text.find("rollouts per step are 60 and 66"), std::string::npos) << text;
  EXPECT_NE(message({.flags = flags({{"per_device_train_batch_size", "x"}})}).find("a count is"),
            std::string::npos);
  EXPECT_NE(
      message({.flags = flags({{"generation_batch_size", "64"}, {"train.prompts_per_step", "9"}})})
          .find("two names of one setting"),
      std::string::npos);
}

TEST_F(ConfigTest, SuggestsTheNearestAliasToo) {
  EXPECT_NE(message({.flags = flags({{"num_generation", "4"}})})
                .find("did you mean 'num_generations'? (alloc.group_size)"),
            std::string::npos);
  EXPECT_NE(message({.flags = flags({{"actor_rollout_ref.rollout.n", "4"}})})
                .find("use alloc.group_size"),
            std::string::npos);
  EXPECT_NE(message({.flags = flags({{"report_to", "wandb"}})}).find("'wandb' was given"),
            std::string::npos);
  EXPECT_NE(message({.flags = flags({{"log.aliases", "[trl, ver]"}})}).find("'ver' was given"),
            std::string::npos);
}

}  // namespace
}  // namespace allot
