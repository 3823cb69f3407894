// Every published loss through a whole run: three steps of the smallest example, from its
// configuration to the run folder; and rollouts by policies of their own.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include <gtest/gtest.h>

#include "allot/app/train.h"
#include "allot/core/error.h"
#include "allot/core/testing/temporary_folder.h"
#include "allot/objective/presets.h"

namespace allot {
namespace {

// Keeps what a run says of itself.
class Listener final : public Recorder {
 public:
  void step(const StepRecord& record) override {
    ++steps;
    for (const auto& [name, value] : record.metrics) {
      metrics[name] = value;
      const auto [known, is_new] = least.try_emplace(name, value);
      if (!is_new) known->second = std::min(known->second, value);
    }
  }
  void event(const Event& event) override { events.push_back(event); }

  int steps = 0;
  std::map<std::string, double> metrics, least;  // of each name the last, the least of all steps
  std::vector<Event> events;
};

class ObjectiveRuns : public ::testing::Test {
 protected:
  using Settings = std::vector<std::pair<std::string, std::string>>;

  RunConfig config(const Settings& settings) const {
    ConfigSources sources;
    sources.files = {std::string(ALLOT_SOURCE_DIR) + "/examples/tiny.yaml"};
    sources.flags = {{"train.output", folder_.string(), "test"},
                     {"train.max_steps", "3", "test"},
                     {"eval.every", "0", "test"},
                     {"checkpoint.every", "0", "test"},
                     {"train.workers", "1", "test"},
                     {"rollout.workers", "1", "test"}};
    for (const auto& [key, value] : settings) sources.flags.push_back({key, value, "test"});
    return load_config(sources);
  }

  // Trains from the shared warm start in a folder of its own.
  TrainResult run(const std::string& name, const RunConfig& config, Listener& listener) const {
    const std::atomic<bool> never = false;
    const auto start = starting_point(config, listener, never);
    return train({config, "", folder_ / name, false}, *start, {listener, never});
  }

  // What is refused at start-up, and names both keys.
  void expect_refused(const Settings& settings, const char* first, const char* second) const {
    try {
      (void)config(settings);
      ADD_FAILURE() << first << " with " << second << " was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Config);
      const std::string message = error.what();
      EXPECT_NE(message.find(first), std::string::npos) << first << ": " << message;
      EXPECT_NE(message.find(second), std::string::npos) << second << ": " << message;
    }
  }

  testing::TemporaryFolder temporary_;
  std::filesystem::path folder_ = temporary_.path();
};

// What a preset leaves open, and two updates per batch so that the old policy matters.
std::vector<std::pair<std::string, std::string>> settings_for(const std::string& preset) {
  return {{"loss.preset", preset},          {"loss.preset_full", "true"},
          {"loss.norm_constant", "5"},      {"loss.curvature.lr", "0.001"},
          {"alloc.grpo.ship_zero", "true"}, {"train.updates_per_rollout", "2"}};
}

TEST_F(ObjectiveRuns, EveryPresetTrainsAsPublished) {
  for (const objective::PresetRow& preset : objective::presets()) {
    SCOPED_TRACE(preset.name);
    auto settings = settings_for(std::string(preset.name));
    objective::LossOptions whole;
    whole.preset = std::string(preset.name);
    whole.preset_full = true;
    if (whole.expanded().aggregation != objective::Aggregation::SeqMeanTokenSumNorm)
      std::erase_if(settings, [](const auto& s) { return s.first == "loss.norm_constant"; });
    if (preset.name == "gdpo") {
      settings.emplace_back("reward.functions", "[task, length_cosine]");
      settings.emplace_back("reward.weights", "[1, 0.5]");
    }
    Listener listener;
    const TrainResult result = run(std::string(preset.name), config(settings), listener);
    EXPECT_EQ(result.status, RunStatus::Finished);
    EXPECT_EQ(listener.steps, 3);
    EXPECT_TRUE(std::isfinite(listener.metrics.at("loss/total")));
    EXPECT_GT(listener.metrics.at("optim/grad_norm"), 0);
  }
}

TEST_F(ObjectiveRuns, RolloutsOfASmallerOrStalePolicy) {
  // Another shape than the trained one samples, and never changes.
  Listener smaller;
  const RunConfig jackpot = config({{"loss.preset", "jackpot"},
                                    {"model.dim", "48"},
                                    {"model.layers", "2"},
                                    {"rollout.model", "S"},
                                    {"eval.every", "3"}});
  EXPECT_EQ(run("smaller", jackpot, smaller).status, RunStatus::Finished);
  EXPECT_GT(smaller.metrics.at("mismatch/logp_diff_mean"), 1e-3);
  const auto kept = [](const Listener& run) {
    return std::min(run.least.at("mask/obrs_keep_pos"), run.least.at("mask/obrs_keep_neg"));
  };
  EXPECT_LT(kept(smaller), 1);
  EXPECT_GT(kept(smaller), 0);
  Listener same;
  run("same", config({{"loss.preset", "jackpot"}}), same);
  EXPECT_EQ(kept(same), 1);

  Listener stale, fresh;
  run("stale", config({{"loss.preset", "tis"}, {"rollout.refresh_every", "4"}}), stale);
  run("fresh", config({{"loss.preset", "tis"}}), fresh);
  EXPECT_GT(stale.metrics.at("mismatch/logp_diff_mean"), 1e-4);
  EXPECT_LT(fresh.metrics.at("mismatch/logp_diff_mean"), 1e-4);
}

TEST_F(ObjectiveRuns, AStaleSamplerContinuesBitForBit) {
  const auto with = [&](const char* steps) {
    return config({{"loss.preset", "tis"},
                   {"rollout.refresh_every", "3"},
                   {"train.max_steps", steps},
                   {"eval.every", "5"}});
  };
  Listener whole, first, second;
  run("whole", with("5"), whole);
  run("parts", with("2"), first);
  run("parts", with("5"), second);
  EXPECT_EQ(second.steps, 3);
  for (const char* name : {"loss/total", "optim/grad_norm", "mismatch/logp_diff_mean"})
    EXPECT_EQ(whole.metrics.at(name), second.metrics.at(name)) << name;
}

TEST_F(ObjectiveRuns, RefusesWhatDoesNotGoTogetherByBothKeys) {
  expect_refused({{"loss.weight_anchor", "rollout"}, {"loss.mismatch.weight", "truncate"}},
                 "loss.weight_anchor", "loss.mismatch.weight");
  expect_refused({{"loss.surrogate", "clipped_weight"}}, "loss.surrogate", "loss.weight_max");
  expect_refused({{"loss.preset", "cispo"}, {"loss.clip_high", "0.3"}}, "loss.clip_high",
                 "loss.weight_max");
  expect_refused({{"loss.preset", "dr_grpo"}, {"loss.preset_full", "true"}}, "loss.aggregation",
                 "loss.norm_constant");
  expect_refused({{"loss.dual_clip_c", "3"}, {"loss.ratio_cap", "4"}}, "loss.dual_clip_c",
                 "loss.ratio_cap");
  expect_refused(
      {{"loss.kl.placement", "in_loss"}, {"loss.kl.estimator", "k1"}, {"loss.kl.beta", "0.1"}},
      "loss.kl.estimator", "loss.kl.placement");
  expect_refused(
      {{"loss.preset", "tis"}, {"rollout.engine", "server"}, {"rollout.temperature", "0.7"}},
      "loss.mismatch.weight", "rollout.engine");
  expect_refused({{"adv.estimator", "leave_one_out"}, {"adv.scale", "batch"}}, "adv.estimator",
                 "adv.scale");
  expect_refused({{"loss.preset", "rloo"}, {"alloc.method", "aero"}}, "loss.kl.placement",
                 "alloc.method");
  expect_refused({{"adv.reward_aggregation", "normalize_then_sum"}, {"alloc.method", "vip"}},
                 "adv.reward_aggregation", "alloc.method");
  expect_refused({{"loss.preset", "capo"}}, "loss.masks", "loss.curvature.lr");
  expect_refused({{"loss.preset", "jackpot"}, {"rollout.engine", "server"}}, "loss.masks",
                 "rollout.engine");
  expect_refused(
      {{"loss.preset", "v32"}, {"rollout.engine", "server"}, {"rollout.temperature", "0.7"}},
      "loss.masks", "rollout.engine");
  expect_refused(
      {{"loss.preset", "reinforce_pp"}, {"adv.reward_aggregation", "normalize_then_sum"}},
      "loss.kl.placement", "adv.reward_aggregation");
  expect_refused({{"adv.gamma", "0.9"}}, "adv.gamma", "adv.estimator");
  expect_refused({{"rollout.model", "S"}, {"rollout.refresh_every", "2"}}, "rollout.refresh_every",
                 "rollout.model");
}

TEST_F(ObjectiveRuns, RefusesListsOfAPolicyThatIsGone) {
  Listener listener;
  EXPECT_THROW(
      run("held", config({{"loss.preset", "jackpot"}, {"alloc.method", "ar3po"}}), listener),
      Error);
}

TEST_F(ObjectiveRuns, WarnsOnceOfWhatAPresetLeavesOut) {
  Listener listener;
  run("gspo", config({{"loss.preset", "cispo"}, {"rollout.top_p", "0.9"}}), listener);
  int left_out = 0;
  for (const Event& event : listener.events)
    left_out += event.text.find("loss.aggregation=token_mean") != std::string::npos;
  EXPECT_EQ(left_out, 1);
}

}  // namespace
}  // namespace allot
