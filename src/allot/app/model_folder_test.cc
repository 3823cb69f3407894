// Runs on a Hugging Face folder: byte-level BPE, chat template, adapters, rounded weights, what is
// saved, and evaluation on further sets.
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "allot/app/evaluate_checkpoint.h"
#include "allot/app/sample_file.h"
#include "allot/app/train.h"
#include "allot/core/durable_file.h"
#include "allot/core/error.h"
#include "allot/core/testing/temporary_folder.h"
#include "allot/lm/lora.h"
#include "allot/lm/model.h"
#include "allot/store/run_reader.h"
#include "allot/text/load_tokenizer.h"

namespace allot {
namespace {

namespace fs = std::filesystem;

const fs::path kQwenTokenizer = ALLOT_SOURCE_DIR "/src/allot/text/testing/tokenizers/qwen2.json";
const std::atomic<bool> kNever = false;

class Silent final : public Recorder {
 public:
  void step(const StepRecord&) override {}
  void event(const Event& event) override { events += event.text + "\n"; }
  std::string events;
};

std::string content(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

class ModelFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(root_ / "model");
    lm::ModelConfig shape;
    shape.vocab = 560, shape.dim = 32, shape.heads = 2, shape.kv_heads = 1, shape.head_dim = 16;
    shape.layers = 2, shape.ffn = 48, shape.context = 160;
    lm::Model::random(shape, 3, at::kFloat, at::kCPU).save((root_ / "model").string());
    fs::copy_file(kQwenTokenizer, root_ / "model" / "tokenizer.json");
    replace_file(root_ / "model" / "tokenizer_config.json",
                 R"({"eos_token": "<|end|>", "chat_template": "{% for m in messages %}<|start|>)"
                 R"({{ m.role }}\n{{ m.content }}<|end|>\n{% endfor %})"
                 R"({{ '<|start|>assistant\\n' }}"})");
    // So many ends that responses of random weights have many lengths.
    std::string ends = "521";
    for (int id = 0; id < 40; ++id) ends += concat(",", id);
    replace_file(root_ / "model" / "generation_config.json",
                 concat("{\"eos_token_id\": [", ends, "]}"));
    std::string rows;
    for (int i = 2; i < 12; ++i)
      rows += concat("{\"question\": \"Tom has ", i, " bags of 3 nuts. How many nuts?\", ",
                     "\"answer\": \"3*", i, " = ", 3 * i, "\\n#### ", 3 * i, "\"}\n");
    replace_file(root_ / "nuts.jsonl", rows);
  }

  RunConfig config(std::vector<Setting> more = {}) const {
    std::vector<Setting> all = {
        {"model.path", (root_ / "model").string(), "test"},
        {"data.task", "jsonl", "test"},
        {"data.train", (root_ / "nuts.jsonl").string(), "test"},
        {"data.jsonl.test_share", "0.3", "test"},
        {"data.template", "chat", "test"},
        {"warm_start.steps", "0", "test"},
        // A reward that differs between responses of random weights.
        {"reward.functions", "[task, soft_overlong]", "test"},
        {"reward.overlong_buffer", "20", "test"},
        {"rollout.max_new_tokens", "24", "test"},
        {"alloc.group_size", "4", "test"},
        {"train.prompts_per_step", "3", "test"},
        {"train.max_steps", "3", "test"},
        {"train.output", (root_ / "runs").string(), "test"},
        {"optim.lr", "1e-2", "test"},
        {"eval.every", "0", "test"},
    };
    all.insert(all.end(), more.begin(), more.end());
    return load_config({{}, all});
  }

  TrainResult trained(const RunConfig& config, const std::string& name) {
    const auto start = starting_point(config, console_, kNever);
    return train({config, "", root_ / "runs" / name, false}, *start, {console_, kNever});
  }
  fs::path checkpoint(const std::string& name, int step) const {
    return root_ / "runs" / name / concat("checkpoint-", step);
  }

  testing::TemporaryFolder temporary_;
  fs::path root_ = temporary_.path();
  Silent console_;
};

TEST_F(ModelFolder, TrainsSavesAndEvaluates) {
  const RunConfig config = this->config();
  ASSERT_EQ(trained(config, "a").status, RunStatus::Finished);
  const fs::path saved = checkpoint("a", 3);
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "generation_config.json"})
    EXPECT_EQ(content(saved / name), content(root_ / "model" / name)) << name;
  const lm::Model before = lm::Model::load((root_ / "model").string(), at::kFloat, at::kCPU);
  const lm::Model after = lm::Model::load(saved.string(), at::kFloat, at::kCPU);
  EXPECT_FALSE(before.embedding.equal(after.embedding)) << "nothing was learnt";

  // What the run recorded of the prompts is what the template makes of them.
  RunReader reader(root_ / "runs" / "a");
  std::size_t rows = 0;
  reader.each_completion([&](const CompletionRow& row) {
    ++rows;
    EXPECT_TRUE(row.prompt.starts_with("<|start|>user\nTom has ")) << row.prompt;
    EXPECT_TRUE(row.prompt.ends_with("<|end|>\n<|start|>assistant\n")) << row.prompt;
    // <|start|> is one token at the beginning, not text.
    EXPECT_TRUE(row.prompt_ids.starts_with("[520,")) << row.prompt_ids;
  });
  EXPECT_GT(rows, 0u);

  const std::string events = console_.events;
  const CheckpointEvaluation evaluation =
      evaluate_checkpoint(config, saved.string(), console_, kNever);
  ASSERT_EQ(evaluation.sets.size(), 2u) << "the strict and the flexible profile";
  EXPECT_EQ(evaluation.sets[1].set, "test/flexible");
  EXPECT_EQ(evaluation.sets[0].result.prompts, 3u);
  EXPECT_NE(events.find("after 3 steps"), std::string::npos) << events;
}

TEST_F(ModelFolder, AnAdapterAloneIsTrainedSavedAndContinued) {
  const auto lora = [&](int steps) {
    return config({{"model.lora.r", "2", "test"},
                   {"checkpoint.every", "2", "test"},
                   {"train.max_steps", std::to_string(steps), "test"}});
  };
  trained(lora(4), "whole");
  trained(lora(2), "parts");
  trained(lora(4), "parts");
  for (const int step : {2, 4}) {
    const std::string expected = content(checkpoint("whole", step) / "adapter_model.safetensors");
    EXPECT_FALSE(expected.empty());
    EXPECT_EQ(content(checkpoint("parts", step) / "adapter_model.safetensors"), expected);
  }
  EXPECT_NE(content(checkpoint("whole", 2) / "adapter_model.safetensors"),
            content(checkpoint("whole", 4) / "adapter_model.safetensors"));
  EXPECT_FALSE(fs::exists(checkpoint("whole", 4) / "model.safetensors"));

  const CheckpointEvaluation evaluation =
      evaluate_checkpoint(config(), checkpoint("whole", 4).string(), console_, kNever);
  EXPECT_TRUE(evaluation.complete());
}

// The frozen reference is the model before training also in a run that is continued, and the stale
// sampler is as stale as it was.
TEST_F(ModelFolder, AReferenceAndAStaleSamplerContinueWithAdaptersAndRoundedWeights) {
  const auto with = [&](int steps, const char* kl, const char* refresh) {
    return config({{"loss.preset", "grpo", "test"},
                   {"loss.kl.beta", kl, "test"},
                   {"rollout.refresh_every", refresh, "test"},
                   {"model.lora.r", "2", "test"},
                   {"model.dtype", "bf16", "test"},
                   {"checkpoint.every", "2", "test"},
                   {"train.max_steps", std::to_string(steps), "test"}});
  };
  trained(with(4, "0.5", "3"), "whole");
  trained(with(2, "0.5", "3"), "parts");
  trained(with(4, "0.5", "3"), "parts");
  trained(with(4, "0", "3"), "without kl");
  trained(with(4, "0.5", "1"), "fresh");
  const auto adapter = [&](const char* run) {
    return content(checkpoint(run, 4) / "adapter_model.safetensors");
  };
  EXPECT_FALSE(adapter("whole").empty());
  EXPECT_EQ(adapter("whole"), adapter("parts"));
  EXPECT_NE(adapter("whole"), adapter("without kl"));
  EXPECT_NE(adapter("whole"), adapter("fresh"));
  EXPECT_TRUE(fs::exists(checkpoint("whole", 2) / "sampler" / "model.safetensors"));
  EXPECT_NE(content(root_ / "runs" / "whole" / "metrics.jsonl").find("\"loss/kl\""),
            std::string::npos);
  EXPECT_TRUE(
      evaluate_checkpoint(with(4, "0.5", "3"), checkpoint("whole", 4).string(), console_, kNever)
          .complete());
}

TEST_F(ModelFolder, SamplesFromRoundedWeightsAndRecomputesActivations) {
  const RunConfig given = config({{"model.dtype", "bf16", "test"},
                                  {"train.activations", "recompute", "test"},
                                  {"train.micro_tokens", "150", "test"}});
  EXPECT_EQ(trained(given, "bf16").steps, 3u);
  const lm::Model after = lm::Model::load(checkpoint("bf16", 3).string(), at::kFloat, at::kCPU);
  EXPECT_FALSE(after.embedding.equal(after.embedding.to(at::kBFloat16).to(at::kFloat)))
      << "weights are saved as they are trained, in F32";
}

TEST_F(ModelFolder, EvaluatesFurtherSetsAndWritesSamples) {
  replace_file(root_ / "easy.json",
               R"x([{"id": 1, "problem": "What is 1 + 1?", "final_answer": ["2"]},
      {"id": 2, "problem": "Pairs?", "final_answer": ["(1,2)", "(2,1)"], "solution": "long"}])x");
  const RunConfig given = config({{"eval.sets", (root_ / "easy.json").string(), "test"},
                                  {"eval.group_size", "2", "test"},
                                  {"eval.k", "[1, 2]", "test"}});
  const fs::path file = root_ / "samples.jsonl";
  SampleFile samples(file.string());
  const CheckpointEvaluation evaluation = evaluate_checkpoint(
      given, "", console_, kNever,
      [&](const std::string& set, const Prompt& prompt, const Rollout& rollout,
          std::span<const Score> scores) { samples.add(set, prompt, rollout, scores); });
  samples.close();
  std::vector<std::string> names;
  for (const auto& [set, result] : evaluation.sets) names.push_back(set);
  EXPECT_EQ(names, (std::vector<std::string>{"test", "test/flexible", "easy", "easy/flexible"}));
  const std::string text = evaluation_text(evaluation);
  for (const char* part : {"flexible", "pass@2", "easy", "avg@2"})
    EXPECT_NE(text.find(part), std::string::npos) << text;
  const auto json = nlohmann::json::parse(evaluation_json(evaluation));
  EXPECT_EQ(json.at("sets").at("easy").at("prompts"), 2);
  EXPECT_TRUE(json.at("sets").contains("test/flexible"));

  std::istringstream lines(content(file));
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, R"({"format":"allot.samples","version":1})");
  std::size_t of_easy = 0, of_test = 0;
  while (std::getline(lines, line)) {
    const auto row = nlohmann::json::parse(line);
    (row.at("set") == "easy" ? of_easy : of_test) += 1;
    EXPECT_TRUE(row.at("flexible").is_string());
  }
  EXPECT_EQ(of_easy, 4u);
  EXPECT_EQ(of_test, 6u);
}

TEST_F(ModelFolder, TheRunRecordsEverySet) {
  fs::copy_file(root_ / "nuts.jsonl", root_ / "again.jsonl");
  trained(config({{"eval.sets", "[more=" + (root_ / "again.jsonl").string() + "]", "test"},
                  {"train.max_steps", "1", "test"}}),
          "sets");
  const std::string metrics = content(root_ / "runs" / "sets" / "metrics.jsonl");
  for (const char* key : {"\"eval/test/pass@1\"", "\"eval/test/flexible/pass@1\"",
                          "\"eval/more/pass@1\"", "\"eval/more/flexible/pass@1\""})
    EXPECT_NE(metrics.find(key), std::string::npos) << key;
}

TEST_F(ModelFolder, RefusesWhatDoesNotFitTogether) {
  const auto refuses = [&](std::vector<Setting> more, const std::string& part) {
    try {
      const RunConfig given = config(std::move(more));
      (void)cold_starting_point(given);
      ADD_FAILURE() << "no error for " << part;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  refuses({{"eval.sets", "[test=x.jsonl]", "test"}}, "eval.sets");
  refuses({{"eval.sets", "[a=x.jsonl, a=y.jsonl]", "test"}}, "'a'");
  refuses({{"rollout.model", "S", "test"}}, "model.path");
  refuses({{"data.overlong", "error", "test"}, {"data.max_prompt_tokens", "5", "test"}},
          "prompts are too long");
  fs::remove(root_ / "model" / "tokenizer.json");
  refuses({}, "tokenizer");
}

TEST_F(ModelFolder, LeavesLongPromptsOutAndSaysSo) {
  std::string rows = content(root_ / "nuts.jsonl");
  std::string words;
  for (int i = 0; i < 100; ++i) words += "nuts and ";
  replace_file(root_ / "nuts.jsonl",
               rows + concat("{\"question\": \"", words, "?\", \"answer\": \"#### 1\"}\n"));
  trained(config({{"train.max_steps", "1", "test"}}), "long");
  EXPECT_NE(content(root_ / "runs" / "long" / "metrics.jsonl"), "");
  EXPECT_NE(console_.events.find("1 of "), std::string::npos) << console_.events;
  EXPECT_NE(console_.events.find("they were dropped"), std::string::npos) << console_.events;
}

// Three steps and what they leave, with the template, cut prompts, dropped rows and an evaluation.
TEST_F(ModelFolder, PromptsThatStayInTheirFileMakeTheSameRun) {
  std::string rows = content(root_ / "nuts.jsonl"), words;
  for (int i = 0; i < 40; ++i) words += "nuts and ";
  for (int i = 20; i < 26; ++i)
    rows += concat("{\"question\": \"", words, i, "?\", \"answer\": \"#### ", i,
                   "\", \"prior_pass_rate\": 0.", i, "}\n");
  rows += "{\"question\": \"no gold\", \"answer\": \"\\\\frac{1}{\"}\n";
  rows += rows.substr(0, rows.find('\n') + 1);  // the same row twice
  replace_file(root_ / "nuts.jsonl", rows);
  std::map<std::string, std::string> said;
  for (const std::string way : {"never", "always"}) {
    console_.events.clear();
    trained(config({{"data.jsonl.stream", way, "test"},
                    {"data.overlong", "truncate_left", "test"},
                    {"data.max_prompt_tokens", "90", "test"},
                    {"alloc.method", "mopps", "test"},
                    {"eval.every", "3", "test"}}),
            way);
    for (const std::string part : {"; they stay in the file", "/always", "/never"})
      for (std::size_t at; (at = console_.events.find(part)) != std::string::npos;)
        console_.events.erase(at, part.size());
    said[way] = console_.events;
  }
  EXPECT_EQ(said.at("always"), said.at("never"));
  EXPECT_NE(said.at("always").find("they were cut"), std::string::npos) << said.at("always");
  std::size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(checkpoint("never", 3))) {
    const std::string name = entry.path().filename().string();
    // They hold seconds.
    if (!entry.is_regular_file() || name == "COMPLETE" || name == "trainer_state.json") continue;
    ++files;
    EXPECT_EQ(content(entry.path()), content(checkpoint("always", 3) / name)) << name;
  }
  EXPECT_GE(files, 6u);
  const auto recorded = [&](const std::string& way) {
    std::string all;
    RunReader(root_ / "runs" / way).each_completion([&](const CompletionRow& row) {
      all += concat(row.prompt, "|", row.completion, "|", row.verdict, "\n");
    });
    return all;
  };
  EXPECT_EQ(recorded("always"), recorded("never"));
}

}  // namespace
}  // namespace allot
