// allot train with a server that samples: the program and a server that misbehaves, end to end.
#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "allot/cli/testing/program.h"
#include "allot/core/testing/temporary_folder.h"
#include "allot/remote/testing/fake_server.h"
#include "allot/text/char_tokenizer.h"

namespace allot {
namespace {

namespace fs = std::filesystem;
using remote::testing::FakeOptions;
using remote::testing::FakeRequest;
using remote::testing::FakeServer;
using remote::testing::Trick;
using testing::Ended;

class ServedTraining : public ::testing::Test {
 protected:
  void SetUp() override {
    write("served.yaml",
          "model: {dim: 16, layers: 1, heads: 2, kv_heads: 1, ffn: 32}\n"
          "warm_start: {steps: 5, batch: 8}\n");
  }
  void write(const char* name, const char* model) const {
    std::ofstream(folder_ / name)
        << model
        << "data: {task: digit_sort, digit_sort: {digits: {min: 1, max: 3}, train: 40, test: 10}}\n"
           "alloc: {group_size: 4}\n"
           "train: {prompts_per_step: 8, max_steps: 2}\noptim: {lr: 1.0e-3}\neval: {every: 0}\n"
           "rollout: {engine: server, server: {backoff_s: 0.001, backoff_max_s: 0.01, "
           "retries: 100}}\n";
  }

  Ended train(const std::string& more, const std::string& config = "served.yaml") const {
    const std::string command = "cd '" + folder_.string() + "' && '" ALLOT_PROGRAM "' train " +
                                config + " " + more + " 2>&1";
    Ended ended;
    std::FILE* pipe = ::popen(command.c_str(), "r");
    std::array<char, 4096> buffer;
    for (std::size_t n; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
      ended.out.append(buffer.data(), n);
    ended.code = WEXITSTATUS(::pclose(pipe));
    return ended;
  }
  std::string read(const fs::path& path) const {
    std::ifstream in(folder_ / path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  // Plays a model that sorts the digits right about half of the time. Its weights are known by a
  // hash of the file that was published.
  FakeOptions model() {
    FakeOptions fake;
    fake.folder = (folder_ / "runs/published").string();
    fake.read_weights = [this](const std::string& folder) {
      std::ifstream in(fs::path(folder) / "model.safetensors", std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(in), {}};
      EXPECT_GT(bytes.size(), 1000u);
      EXPECT_TRUE(fs::exists(fs::path(folder) / "config.json"));
      const std::uint64_t hash = std::hash<std::string>{}(bytes);
      const std::lock_guard lock(mutex_);
      if (!tokenizer_) tokenizer_.emplace(CharTokenizer::load(folder));
      loaded_.insert(hash);
      return hash;
    };
    fake.respond = [this](const FakeRequest& request, RandomStream& random) {
      const std::lock_guard lock(mutex_);
      if (!tokenizer_) return std::vector<std::int32_t>{1};
      const std::string prompt = tokenizer_->decode(request.prompt);  // "sort:312=>"
      std::string digits;
      for (const char c : prompt)
        if (c >= '0' && c <= '9') digits += c;
      if (random.uniform() < 0.5) std::sort(digits.begin(), digits.end());
      auto tokens = tokenizer_->encode(digits);
      tokens.push_back(tokenizer_->end_token());
      return tokens;
    };
    fake.vocabulary = 16;
    return fake;
  }

  testing::TemporaryFolder temporary_;
  fs::path folder_ = temporary_.path();
  std::mutex mutex_;
  std::optional<CharTokenizer> tokenizer_;
  std::set<std::uint64_t> loaded_;  // different weights that were loaded
};

std::string at(const FakeServer& server) { return "--set rollout.server.url=" + server.url(); }

TEST_F(ServedTraining, TroubleChangesNothingInTheResult) {
  FakeServer calm(model());
  const Ended quiet = train(at(calm) + " --name calm");
  ASSERT_EQ(quiet.code, 0) << quiet.out;
  EXPECT_EQ(loaded_.size(), 3u);  // before, after one and after two updates
  EXPECT_EQ(quiet.out.find("repetitions"), std::string::npos) << quiet.out;

  FakeOptions fake = model();
  fake.tricks = {Trick::Drop, Trick::HalfBody, Trick::Twice,   Trick::Nan,    Trick::FewerChoices,
                 Trick::Page, Trick::TooMany,  Trick::Failure, Trick::Forget, Trick::Delay};
  fake.share = 0.2;
  FakeServer troubled(fake);
  const Ended ended = train(at(troubled) + " --name troubled");
  ASSERT_EQ(ended.code, 0) << ended.out;
  EXPECT_NE(ended.out.find(" repetitions ("), std::string::npos) << ended.out;
  EXPECT_EQ(read("runs/calm/checkpoint-2/model.safetensors"),
            read("runs/troubled/checkpoint-2/model.safetensors"));

  // The last weights are those that were published last, and a longer run goes on.
  EXPECT_EQ(read("runs/troubled/checkpoint-2/model.safetensors"),
            read("runs/published/model.safetensors"));
  const Ended longer = train(at(calm) + " --name troubled --set train.max_steps=3");
  EXPECT_EQ(longer.code, 0) << longer.out;
  EXPECT_NE(longer.out.find("continued after step 2"), std::string::npos) << longer.out;
}

TEST_F(ServedTraining, AServerThatIsNotThereOrGoesAwayIsExitCode5) {
  const Ended nobody =
      train("--set rollout.server.url=http://127.0.0.1:1 --set rollout.server.retries=1");
  EXPECT_EQ(nobody.code, 5) << nobody.out;
  EXPECT_NE(nobody.out.find("[http://127.0.0.1:1] no connection"), std::string::npos) << nobody.out;
  EXPECT_NE(nobody.out.find("vllm serve "), std::string::npos) << nobody.out;

  FakeOptions fake = model();
  fake.tricks = {Trick::Failure};
  fake.share = 1;
  FakeServer broken(fake);
  const Ended ended = train(at(broken) + " --set rollout.server.retries=2");
  EXPECT_EQ(ended.code, 5) << ended.out;
  EXPECT_NE(ended.out.find("status 500"), std::string::npos) << ended.out;

  const Ended lora = train(at(broken) + " --set rollout.server.load=lora");
  EXPECT_EQ(lora.code, 2) << lora.out;
  const Ended misspelt = train("--set rollout.server.in_fligth=3");
  EXPECT_NE(misspelt.out.find("rollout.server.in_flight"), std::string::npos) << misspelt.out;
}

TEST_F(ServedTraining, AnAdapterIsHandedOverAlone) {
  const Ended whole = train("--set rollout.engine=local --set train.max_steps=1 --name whole");
  ASSERT_EQ(whole.code, 0) << whole.out;
  FakeOptions fake = model();
  std::set<std::string> adapters;
  fake.read_weights = [&](const std::string& folder) {
    std::ifstream in(fs::path(folder) / "adapter_model.safetensors", std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    EXPECT_GT(bytes.size(), 100u) << folder;
    EXPECT_TRUE(fs::exists(fs::path(folder) / "adapter_config.json")) << folder;
    const std::lock_guard lock(mutex_);
    if (!tokenizer_)
      tokenizer_.emplace(CharTokenizer::load((folder_ / "runs/whole/checkpoint-1").string()));
    adapters.insert(bytes);
    return std::hash<std::string>{}(bytes);
  };
  FakeServer server(fake);
  write("adapted.yaml", "model: {path: runs/whole/checkpoint-1}\n");
  const std::string lora = at(server) + " --set rollout.server.load=lora";
  const Ended none = train(lora, "adapted.yaml");
  EXPECT_EQ(none.code, 2) << none.out;
  EXPECT_NE(none.out.find("model.lora.r is 0"), std::string::npos) << none.out;
  const Ended ended = train(lora + " --set model.lora.r=2 --name adapter", "adapted.yaml");
  ASSERT_EQ(ended.code, 0) << ended.out;
  EXPECT_EQ(adapters.size(), 3u);  // before, after one and after two updates
  EXPECT_EQ(adapters.count(read("runs/adapter/checkpoint-2/adapter_model.safetensors")), 1u);
  // Only what may still be asked for is kept.
  const auto left = std::distance(fs::directory_iterator(folder_ / "runs/published"), {});
  EXPECT_LE(left, 2);
}

TEST_F(ServedTraining, TheKeyStaysOutOfTheRunFolder) {
  FakeOptions fake = model();
  fake.key = "a-very-secret-key";
  FakeServer locked(fake);
  std::ofstream(folder_ / "key") << "a-very-secret-key\n";
  const Ended without = train(at(locked));
  EXPECT_EQ(without.code, 5) << without.out;
  EXPECT_NE(without.out.find("denies access"), std::string::npos) << without.out;
  const Ended with = train(at(locked) + " --set rollout.server.api_key_file=key");
  EXPECT_EQ(with.code, 0) << with.out;
  EXPECT_EQ(with.out.find("a-very-secret-key"), std::string::npos);
  for (const auto& entry : fs::recursive_directory_iterator(folder_ / "runs")) {
    if (!entry.is_regular_file()) continue;
    EXPECT_EQ(read(entry.path()).find("a-very-secret-key"), std::string::npos) << entry.path();
  }
}

}  // namespace
}  // namespace allot
