// Folders as Hugging Face has them: shards and their index, what goes with the weights, memory.
#include "allot/lm/weight_files.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>

#include <ATen/ops/rand.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "allot/core/durable_file.h"
#include "allot/core/error.h"
#include "allot/lm/testing/examples.h"
#include "allot/lm/testing/temporary_folder.h"

namespace allot::lm {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char* kIndex = "model.safetensors.index.json";
constexpr std::uint64_t kSmallShards = 6000;

std::string folder_refusal(const std::string& folder) {
  try {
    Model::load(folder, at::kFloat, at::kCPU);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Model);
    return error.what();
  }
  return "";
}

void expect_mentions(const std::string& message, const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    EXPECT_NE(message.find(word), std::string::npos) << word << " is not in: " << message;
  }
}

TEST(WeightFiles, ShardsAreCutAtTheLimitAndListed) {
  const TemporaryFolder folder;
  const Model model = lively_model(example_configs()[0].config, 1, at::kFloat);
  model.save(folder.path(), {.shard_bytes = kSmallShards});
  const Json index = Json::parse(read_file(folder.file(kIndex)));
  std::map<std::string, std::uint64_t> sizes;
  for (const NamedTensor& named : model.parameters()) {
    sizes[index["weight_map"][named.name]] += 4 * static_cast<std::uint64_t>(named.tensor.numel());
  }
  EXPECT_GT(sizes.size(), 2u);
  std::uint64_t total = 0;
  for (const auto& [file, bytes] : sizes) {
    EXPECT_LE(bytes, kSmallShards) << file;
    EXPECT_TRUE(fs::exists(folder.file(file)));
    total += bytes;
  }
  EXPECT_EQ(index["metadata"]["total_size"], total);
  EXPECT_TRUE(sizes.contains(concat("model-00001-of-0000", sizes.size(), ".safetensors")));
  EXPECT_EQ(folder_refusal(folder.path()), "");
}

// A folder that is written over holds the new files only, and what others put there.
TEST(WeightFiles, SavingAgainRemovesWhatNoLongerBelongs) {
  const TemporaryFolder folder;
  const Model model = lively_model(example_configs()[0].config, 1, at::kFloat);
  folder.write("notes.txt", "mine");
  model.save(folder.path(), {.shard_bytes = kSmallShards});
  EXPECT_FALSE(fs::exists(folder.file("model.safetensors")));
  model.save(folder.path());
  EXPECT_EQ(folder.entries(), 3u);
  model.save(folder.path(), {.shard_bytes = kSmallShards});
  EXPECT_FALSE(fs::exists(folder.file("model.safetensors")));
  EXPECT_EQ(folder_refusal(folder.path()), "");
}

TEST(WeightFiles, RefusesShardsThatDoNotFitTheirIndex) {
  const TemporaryFolder folder;
  const Model model = lively_model(example_configs()[0].config, 1, at::kFloat);
  const auto refuses = [&](const std::function<void(Json&)>& spoil) {
    model.save(folder.path(), {.shard_bytes = kSmallShards});
    Json index = Json::parse(read_file(folder.file(kIndex)));
    spoil(index);
    folder.write(kIndex, index.dump());
    const std::string message = folder_refusal(folder.path());
    EXPECT_NE(message, "");
    return message;
  };
  const std::string embedding = "model.embed_tokens.weight", norm = "model.norm.weight";
  expect_mentions(refuses([&](Json& index) { index["weight_map"][norm] = "gone.safetensors"; }),
                  {"gone.safetensors", norm, "missing"});
  expect_mentions(refuses([&](Json& index) { index["weight_map"].erase(norm); }),
                  {norm, "nowhere"});
  expect_mentions(
      refuses([&](Json& index) { index["weight_map"][norm] = index["weight_map"][embedding]; }),
      {norm, "model-0000"});
  expect_mentions(
      refuses([&](Json& index) { index["weight_map"]["model.extra"] = index["weight_map"][norm]; }),
      {"model.extra", "has no tensor"});
  for (const Json& name : {Json("../x.safetensors"), Json("/x"), Json(7), Json(""), Json("..")}) {
    expect_mentions(refuses([&](Json& index) { index["weight_map"][norm] = name; }),
                    {norm, "same folder"});
  }
  expect_mentions(refuses([](Json& index) { index = Json::array(); }), {kIndex, "weight_map"});
  expect_mentions(refuses([](Json& index) { index["weight_map"] = Json::object(); }),
                  {kIndex, "weight_map"});

  model.save(folder.path(), {.shard_bytes = kSmallShards});
  const std::string shard = Json::parse(read_file(folder.file(kIndex)))["weight_map"][norm];
  fs::resize_file(folder.file(shard), fs::file_size(folder.file(shard)) - 1);
  expect_mentions(folder_refusal(folder.path()), {shard, "truncated"});
}

TEST(WeightFiles, NamesAFolderWithoutWeights) {
  const TemporaryFolder folder;
  lively_model(example_configs()[0].config, 1, at::kFloat).save(folder.path());
  fs::remove(folder.file("model.safetensors"));
  expect_mentions(folder_refusal(folder.path()), {"model.safetensors", "neither"});
  folder.write("pytorch_model.bin", "x");
  expect_mentions(folder_refusal(folder.path()), {"pytorch_model.bin", "safe_serialization"});
}

TEST(WeightFiles, HalfPrecisionIsKeptExactly) {
  const TemporaryFolder folder;
  const Model model = lively_model(example_configs()[0].config, 1, at::kFloat);
  for (const NumberType type : {NumberType::BF16, NumberType::F16}) {
    const Model rounded = model.converted(scalar_type(type));
    rounded.save(folder.path(), {.type = type});
    EXPECT_EQ(Json::parse(read_file(folder.file("config.json")))["torch_dtype"], torch_name(type));
    const Model back = Model::load(folder.path(), at::kFloat, at::kCPU);
    const auto was = rounded.parameters(), is = back.parameters();
    for (std::size_t i = 0; i < was.size(); ++i) {
      EXPECT_TRUE(was[i].tensor.to(at::kFloat).equal(is[i].tensor)) << was[i].name;
    }
  }
}

TEST(WeightFiles, EndTokensComeFromTheGenerationConfig) {
  const TemporaryFolder folder;
  ModelConfig config = example_configs()[0].config;
  config.end_tokens = {3};
  lively_model(config, 1, at::kFloat).save(folder.path());
  EXPECT_EQ(read_model_config(folder.path()).end_tokens, std::vector<std::int32_t>{3});
  folder.write("generation_config.json", R"({"eos_token_id": [5, 3], "temperature": 0.6})");
  EXPECT_EQ(read_model_config(folder.path()).end_tokens, (std::vector<std::int32_t>{5, 3}));
  folder.write("generation_config.json", "no json");
  expect_mentions(folder_refusal(folder.path()), {"generation_config.json"});
}

TEST(WeightFiles, CompanionsAreCopiedUnchanged) {
  const TemporaryFolder from, to;
  const std::string odd("{ \"a\" : 1 }\r\n\0x", 15);
  from.write("tokenizer.json", odd);
  from.write("chat_template.jinja", "{{ x }}");
  from.write("model.safetensors", "not a companion");
  copy_companion_files(from.path(), to.path());
  EXPECT_EQ(to.entries(), 2u);
  EXPECT_EQ(read_file(to.file("tokenizer.json")), odd);
  copy_companion_files(from.path(), from.path());  // onto itself: nothing
  EXPECT_EQ(read_file(from.file("tokenizer.json")), odd);
}

// Kilobytes of a line of /proc/self/status.
long resident_kilobytes() {
  std::ifstream in("/proc/self/status");
  std::string word;
  long value = 0;
  while (in >> word) {
    if (word == "VmRSS:" && in >> value) return value;
  }
  return 0;
}

// The pages of the file are given back tensor by tensor.
TEST(WeightFiles, ReadingTakesTheMemoryOfTheTensors) {
  const TemporaryFolder folder;
  constexpr long kTensors = 12, kKilobytes = 4096;
  std::vector<NamedTensor> tensors;
  for (int i = 0; i < kTensors; ++i) {
    tensors.push_back({concat("t", i), at::rand({kKilobytes * 1024 / 4})});
  }
  write_safetensors(folder.file("x.safetensors"), tensors);
  const long before = resident_kilobytes();
  const SafetensorsFile file(folder.file("x.safetensors"));
  std::vector<at::Tensor> read;
  for (const SafetensorsEntry& entry : file.entries()) read.push_back(file.read(entry));
  const long growth = resident_kilobytes() - before;
  EXPECT_GT(growth, kTensors * kKilobytes / 2);  // the measure works
  EXPECT_LT(growth, (kTensors + 3) * kKilobytes);
  for (int i = 0; i < kTensors; ++i) EXPECT_TRUE(read[i].equal(tensors[i].tensor));
}

}  // namespace
}  // namespace allot::lm
