#include "allot/app/objective_lines.h"

#include <cmath>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "allot/core/error.h"

namespace allot {
namespace {

using nlohmann::json;

const char* const kGolden = R"("rewards": [1, 0, 1, 0], "group_index": [5, 5, 5, 5],
 "logprobs": [[-0.40,-0.80,-0.09],[-0.45,-2.60],[-0.04,-1.30,-2.10,-0.45],[-0.60]],
 "old_logprobs": [[-0.52,-1.10,-0.11],[-0.31,-2.20],[-0.05,-0.95,-2.60,-0.42],[-1.45]],
 "rollout_logprobs": [[-0.50,-1.20,-0.10],[-0.30,-2.00],[-0.05,-1.10,-3.00,-0.40],[-1.50]],
 "ref_logprobs": [[-0.60,-1.30,-0.12],[-0.28,-1.90],[-0.06,-0.85,-3.20,-0.41],[-1.60]]})";

json evaluated(const std::string& head, const std::vector<Setting>& settings = {}) {
  std::string line = "{" + head + kGolden;
  for (char& c : line)
    if (c == '\n') c = ' ';
  const auto lines = objective_lines(line + "\n\n", "steps.jsonl", settings);
  EXPECT_EQ(lines.size(), 1u);
  return json::parse(lines.at(0));
}

// Golden G1: from rewards to loss, the whole preset.
TEST(ObjectiveLines, WholePresets) {
  EXPECT_NEAR(evaluated(R"("preset": "grpo", )")["loss"].get<double>(), 0.24245351, 1e-6);
  EXPECT_NEAR(evaluated("")["loss"].get<double>(), -0.29300159, 1e-6);  // dapo
  const json rloo = evaluated(R"("preset": "rloo", )");
  EXPECT_NEAR(rloo["loss"].get<double>(), 0.25443975, 1e-6);
  EXPECT_NEAR(rloo["advantages"][0][0].get<double>(), .661167, 1e-6);
  const json gspo = evaluated(R"("preset": "gspo", "options": {"loss.clip_low": 0.05,
                                 "loss.clip_high": 0.05}, )");
  EXPECT_NEAR(gspo["grad"][2][0].get<double>(), -.055905, 1e-6);
  const json constant = evaluated(R"("preset": "dr_grpo", "options": {"loss.norm_constant": 4}, )");
  EXPECT_NEAR(constant["loss"].get<double>(), -0.10074615, 1e-6);
  EXPECT_NEAR(evaluated(R"("preset": "reinforce_pp", )")["advantages"][2][3].get<double>(), .627439,
              1e-6);
  EXPECT_EQ(evaluated("")["metrics"]["train/tokens"], 10);
}

TEST(ObjectiveLines, ALinesOptionsComeAfterTheCommands) {
  const std::vector<Setting> settings = {{"loss.preset", "rloo", "--preset"},
                                         {"loss.kl.beta", "0", "--set"}};
  EXPECT_NEAR(evaluated("", settings)["advantages"][0][0].get<double>(), 2. / 3, 1e-12);
  EXPECT_NEAR(evaluated(R"("options": {"loss.kl.beta": 0.03}, )", settings)["loss"].get<double>(),
              0.25443975, 1e-6);
}

void expect_refusal(const std::string& line, ErrorKind kind, const std::string& part) {
  try {
    (void)objective_lines(line, "steps.jsonl", {});
    ADD_FAILURE() << line;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(ObjectiveLines, RefusalsNameLineAndField) {
  expect_refusal("[]", ErrorKind::Data, "steps.jsonl:1");
  expect_refusal("{}\n", ErrorKind::Data, "logprobs");
  expect_refusal(R"({"logprob": [[-1]]})", ErrorKind::Data, "did you mean 'logprobs'");
  expect_refusal(R"({"logprobs": [["x"]]})", ErrorKind::Data, "'logprobs' holds");
  expect_refusal(R"({"logprobs": [[-1]]})", ErrorKind::Data, "external_advantage");
  expect_refusal(R"({"logprobs": [[-1]], "external_advantage": [1], "preset": "grp"})",
                 ErrorKind::Config, "did you mean 'grpo'");
  expect_refusal(R"({"logprobs": [[-1]], "external_advantage": [1], "preset": "tis"})",
                 ErrorKind::Data, "rollout");
  expect_refusal(R"({"logprobs": [[-1]], "external_advantage": [1], "options": {"loss.clip": 1}})",
                 ErrorKind::Config, "loss.clip");
}

TEST(ObjectiveLines, AMissingRewardIsNotScorable) {
  const auto lines = objective_lines(
      R"({"logprobs": [[-1, -1], [-1], [-2]], "rewards": [null, 1, 0], "group_index": [0, 0, 0]})",
      "steps.jsonl", {});
  const json result = json::parse(lines.at(0));
  EXPECT_EQ(result["advantages"][0], (std::vector<double>{0, 0}));
  EXPECT_EQ(result["metrics"]["train/tokens"], 2);
  EXPECT_NEAR(result["metrics"]["reward/unscorable"].get<double>(), 1. / 3, 1e-12);
}

}  // namespace
}  // namespace allot
