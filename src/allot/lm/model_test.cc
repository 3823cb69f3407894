// Random start, copies, files: what is written, and that damaged files are refused.
#include "allot/lm/model.h"

#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include "allot/core/durable_file.h"
#include "allot/core/error.h"
#include "allot/lm/safetensors.h"
#include "allot/lm/testing/examples.h"
#include "allot/lm/testing/temporary_folder.h"

namespace allot::lm {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

void expect_same_weights(const Model& a, const Model& b) {
  const auto left = a.parameters(), right = b.parameters();
  ASSERT_EQ(left.size(), right.size());
  for (std::size_t i = 0; i < left.size(); ++i) {
    EXPECT_EQ(left[i].name, right[i].name);
    EXPECT_TRUE(left[i].tensor.equal(right[i].tensor)) << left[i].name;
  }
}

TEST(Model, RandomStartIsAFunctionOfConfigAndSeed) {
  const ModelConfig config;
  const Model a = Model::random(config, 7, at::kFloat, at::kCPU);
  expect_same_weights(a, Model::random(config, 7, at::kFloat, at::kCPU));
  const Model other = Model::random(config, 8, at::kFloat, at::kCPU);
  EXPECT_FALSE(a.embedding.equal(other.embedding));
  EXPECT_FALSE(a.layers[0].q.equal(a.layers[1].q));
  const Model wide = Model::random(config, 7, at::kDouble, at::kCPU);
  EXPECT_TRUE(a.layers[2].down.equal(wide.layers[2].down.to(at::kFloat)));
}

TEST(Model, RandomStartHasTheStatedSpread) {
  ModelConfig config;
  config.layers = 2;
  const Model m = Model::random(config, 1, at::kDouble, at::kCPU);
  const auto spread = [](const at::Tensor& t) { return t.square().mean().sqrt().item<double>(); };
  // 24,576 numbers: the relative standard error of a standard deviation is 0.45 %.
  const double gate = 1 / std::sqrt(config.dim), down = gate / 2;
  EXPECT_NEAR(spread(m.layers[0].gate), gate, gate * 0.025);
  EXPECT_NEAR(spread(m.layers[0].down), down, down * 0.025);
  EXPECT_NEAR(m.layers[0].gate.mean().item<double>(), 0, 5 * gate / std::sqrt(24576.0));
  EXPECT_EQ(m.layers[1].input_norm.min().item<double>(), 1);
  EXPECT_EQ(m.final_norm.max().item<double>(), 1);
  EXPECT_EQ(m.layers[1].q_bias.abs().max().item<double>(), 0);
}

TEST(Model, TiedHeadIsOneParameter) {
  ModelConfig config;
  const Model tied = Model::random(config, 1, at::kFloat, at::kCPU);
  EXPECT_TRUE(tied.head.is_same(tied.embedding));
  const Model copy = tied.clone(), view = tied.training_view();
  EXPECT_TRUE(copy.head.is_same(copy.embedding));
  EXPECT_TRUE(view.head.is_same(view.embedding));
  config.tied_embedding = false;
  const Model apart = Model::random(config, 1, at::kFloat, at::kCPU);
  EXPECT_EQ(apart.parameters().size(), tied.parameters().size() + 1);
  EXPECT_EQ(apart.parameters().back().name, "lm_head.weight");
}

TEST(Model, CloneHasItsOwnStorageAndCopyFromFillsIt) {
  const Model a = lively_model({}, 1, at::kFloat);
  Model b = a.clone();
  expect_same_weights(a, b);
  b.embedding.zero_();
  EXPECT_FALSE(a.embedding.equal(b.embedding));
  b.copy_from(a);
  expect_same_weights(a, b);
  ModelConfig larger;
  larger.dim = 128;
  EXPECT_THROW(b.copy_from(Model::random(larger, 1, at::kFloat, at::kCPU)), Error);
}

TEST(Model, ConvertedIsARoundedCopyOfItsOwn) {
  const Model a = lively_model({}, 1, at::kFloat);
  const Model rounded = a.converted(at::kBFloat16);
  EXPECT_EQ(rounded.dtype(), at::kBFloat16);
  EXPECT_TRUE(rounded.head.is_same(rounded.embedding));
  EXPECT_TRUE(rounded.layers[0].q.equal(a.layers[0].q.to(at::kBFloat16)));
  a.converted(at::kFloat).embedding.zero_();
  EXPECT_NE(a.embedding.abs().max().item<float>(), 0);
}

TEST(Checkpoint, RoundTripIsExact) {
  for (const NamedConfig& named : example_configs()) {
    const TemporaryFolder folder;
    const Model model = lively_model(named.config, 3, at::kFloat);
    model.save(folder.file("new/checkpoint"));
    const Model back = Model::load(folder.file("new/checkpoint"), at::kFloat, at::kCPU);
    expect_same_weights(model, back);
    EXPECT_EQ(back.config().to_json(), named.config.to_json());
    model.save(folder.file("new/checkpoint"));  // over an older one
    EXPECT_EQ(std::distance(fs::directory_iterator(folder.file("new/checkpoint")), {}), 2);
  }
}

// Names and shapes as in Hugging Face's Qwen2, written out by hand.
TEST(Checkpoint, NamesAreHuggingFaces) {
  ModelConfig config;
  config.layers = 1;
  const TemporaryFolder folder;
  Model::random(config, 1, at::kFloat, at::kCPU).save(folder.path());
  const std::string bytes = read_file(folder.file("model.safetensors"));
  std::uint64_t size;
  std::memcpy(&size, bytes.data(), 8);
  EXPECT_EQ(size % 8, 0u);
  const Json header = Json::parse(bytes.substr(8, size));
  const Json shapes = {{"model.embed_tokens.weight", {64, 96}},
                       {"model.layers.0.input_layernorm.weight", {96}},
                       {"model.layers.0.mlp.down_proj.weight", {96, 256}},
                       {"model.layers.0.mlp.gate_proj.weight", {256, 96}},
                       {"model.layers.0.mlp.up_proj.weight", {256, 96}},
                       {"model.layers.0.post_attention_layernorm.weight", {96}},
                       {"model.layers.0.self_attn.k_proj.bias", {48}},
                       {"model.layers.0.self_attn.k_proj.weight", {48, 96}},
                       {"model.layers.0.self_attn.o_proj.weight", {96, 96}},
                       {"model.layers.0.self_attn.q_proj.bias", {96}},
                       {"model.layers.0.self_attn.q_proj.weight", {96, 96}},
                       {"model.layers.0.self_attn.v_proj.bias", {48}},
                       {"model.layers.0.self_attn.v_proj.weight", {48, 96}},
                       {"model.norm.weight", {96}}};
  EXPECT_EQ(header["__metadata__"]["format"], "pt");
  EXPECT_EQ(header.size(), shapes.size() + 1);
  for (const auto& [name, shape] : shapes.items()) {
    ASSERT_TRUE(header.contains(name)) << name;
    EXPECT_EQ(header[name]["shape"], shape) << name;
    EXPECT_EQ(header[name]["dtype"], "F32");
  }
}

// A file from parts, valid or not.
std::string file_of(const std::string& header, const std::string& data) {
  std::string size(8, '\0');
  for (int i = 0; i < 8; ++i) size[i] = static_cast<char>(header.size() >> 8 * i);
  return size + header + data;
}

TEST(Safetensors, ReadsOtherFloatTypes) {
  const TemporaryFolder folder;
  const std::string path = folder.file("x.safetensors");
  // 1.5 is 0x3FC0 in bfloat16 and 0x3E00 in float16.
  write_file(path, file_of(R"({"b":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]},
                              "h":{"dtype":"F16","shape":[],"data_offsets":[2,4]},
                              "e":{"dtype":"F32","shape":[0,3],"data_offsets":[4,4]}})",
                           std::string("\xC0\x3F\x00\x3E", 4)));
  const auto tensors = read_safetensors(path);
  ASSERT_EQ(tensors.size(), 3u);
  for (const NamedTensor& named : tensors) {
    if (named.name == "e") continue;
    EXPECT_EQ(named.tensor.to(at::kFloat).item<float>(), 1.5f) << named.name;
  }
}

TEST(Safetensors, RefusesDamagedFiles) {
  const TemporaryFolder folder;
  const std::string path = folder.file("bad.safetensors");
  const auto refuses = [&](const std::string& bytes, const std::string& fault) {
    write_file(path, bytes);
    try {
      read_safetensors(path);
      ADD_FAILURE() << "read: " << fault;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Model);
      const std::string message = error.what();
      EXPECT_NE(message.find(path), std::string::npos) << message;
      EXPECT_NE(message.find(fault), std::string::npos) << message;
    }
  };
  const auto entry = [](const std::string& body) { return "{\"a\":{" + body + "}}"; };
  const std::string eight(8, '\0');
  const std::string good = R"("dtype":"F32","shape":[2],"data_offsets":[0,8])";
  write_file(path, file_of(entry(good), eight));
  EXPECT_EQ(read_safetensors(path).size(), 1u);

  refuses("", "truncated");
  refuses("\x08", "truncated");
  refuses(std::string(8, '\xff') + "{}", "header claims");
  refuses(std::string("\x10\0\0\0\0\0\0\0{}", 10), "header claims");
  refuses(file_of("nonsense", ""), "no JSON object");
  refuses(file_of("[]", ""), "no JSON object");
  refuses(file_of(entry(good), eight.substr(1)), "truncated");
  refuses(file_of(entry(good), eight + "x"), "after the last tensor");
  refuses(file_of(entry(R"("dtype":"F32","shape":[2])"), eight), "lacks");
  refuses(file_of(R"({"a":[]})", eight), "lacks");
  refuses(file_of(entry(R"("dtype":"I64","shape":[1],"data_offsets":[0,8])"), eight), "I64");
  refuses(file_of(entry(R"("dtype":"F32","shape":[3],"data_offsets":[0,8])"), eight), "12 bytes");
  refuses(file_of(entry(R"("dtype":"F32","shape":[-2],"data_offsets":[0,8])"), eight), "count");
  refuses(file_of(entry(R"("dtype":"F32","shape":[2.0],"data_offsets":[0,8])"), eight), "count");
  refuses(file_of(entry(R"("dtype":"F32","shape":[2],"data_offsets":[8,0])"), eight), "offsets");
  refuses(file_of(entry(R"("dtype":"F32","shape":[2],"data_offsets":[4,12])"), eight), "begins at");
  refuses(
      file_of(entry(R"("dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0])"), ""),
      "too large");
  refuses(
      file_of(entry(R"("dtype":"F32","shape":[2305843009213693952],"data_offsets":[0,8])"), eight),
      "");
  refuses(file_of("{\"a\":{" + good + "},\"b\":{" + good + "}}", eight), "overlap");
  refuses(file_of("{\"a\":{" + good + "},\"a\":{" + good + "}}", eight), "twice");

  EXPECT_THROW(read_safetensors(folder.file("missing")), Error);
  EXPECT_THROW(read_safetensors(folder.path()), Error);
}

// Every prefix of a real file is refused, whatever is cut off.
TEST(Safetensors, RefusesEveryTruncation) {
  const TemporaryFolder folder;
  ModelConfig config = example_configs()[0].config;
  config.layers = 1;
  const std::string path = folder.file("model.safetensors");
  Model::random(config, 1, at::kFloat, at::kCPU).save(folder.path());
  const std::string bytes = read_file(path);
  for (std::size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 200) {
    write_file(path, bytes.substr(0, size));
    EXPECT_THROW(Model::load(folder.path(), at::kFloat, at::kCPU), Error) << size;
  }
}

TEST(Checkpoint, RefusesWeightsThatDoNotFit) {
  const ModelConfig config = example_configs()[0].config;
  const TemporaryFolder folder;
  const Model model = lively_model(config, 1, at::kFloat);
  const auto refusal = [&](const std::function<void(std::vector<NamedTensor>&)>& spoil) {
    model.save(folder.path());
    std::vector<NamedTensor> parameters = model.parameters();
    spoil(parameters);
    write_safetensors(folder.file("model.safetensors"), parameters);
    try {
      Model::load(folder.path(), at::kFloat, at::kCPU);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Model);
      return std::string(error.what());
    }
    return std::string();
  };
  using Parameters = std::vector<NamedTensor>;
  EXPECT_EQ(refusal([](Parameters&) {}), "");
  EXPECT_NE(refusal([](Parameters& p) { p.pop_back(); }).find("model.norm.weight"),
            std::string::npos);
  EXPECT_NE(refusal([](Parameters& p) { p[0].tensor = p[0].tensor.t(); }).find("shape"),
            std::string::npos);
  EXPECT_NE(refusal([](Parameters& p) {
              p.push_back({"model.extra", p[0].tensor});
            }).find("model.extra"),
            std::string::npos);
  // A repeated tied head, as some programs write it, is taken.
  EXPECT_EQ(refusal([](Parameters& p) { p.push_back({"lm_head.weight", p[0].tensor}); }), "");
  EXPECT_THROW(refusal([](Parameters& p) { p.push_back(p[0]); }), Error);
}

// A disk that fills up while writing: reported, nothing left behind, the old file intact.
TEST(Checkpoint, FullDiskLeavesTheOldFile) {
  const TemporaryFolder folder;
  const Model model = lively_model({}, 1, at::kFloat);
  model.save(folder.path());
  const std::string before = read_file(folder.file("model.safetensors"));

  rlimit old_limit;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = old_limit;
  small.rlim_cur = 100'000;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  std::string message;
  try {
    lively_model({}, 2, at::kFloat).save(folder.path());
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Model);
    message = error.what();
  }
  setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_handler);

  EXPECT_NE(message.find("model.safetensors"), std::string::npos) << message;
  EXPECT_EQ(folder.entries(), 2u);
  EXPECT_EQ(read_file(folder.file("model.safetensors")), before);
}

TEST(Checkpoint, FolderThatCannotBeMade) {
  const TemporaryFolder folder;
  write_file(folder.file("taken"), "x");
  EXPECT_THROW(lively_model({}, 1, at::kFloat).save(folder.file("taken")), Error);
  EXPECT_THROW(Model::load(folder.file("missing"), at::kFloat, at::kCPU), Error);
}

}  // namespace
}  // namespace allot::lm
