// Against PEFT: an adapter that it wrote, with the logits of its model and the gradients of A and B
// by its autograd (testdata/lora, made by dev/model_parity); files; refusals.
#include "allot/lm/lora.h"

#include <cmath>
#include <map>
#include <string>

#include <ATen/TensorOperators.h>
#include <ATen/ops/linear.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "allot/core/durable_file.h"
#include "allot/core/error.h"
#include "allot/lm/forward.h"
#include "allot/lm/safetensors.h"
#include "allot/lm/testing/examples.h"
#include "allot/lm/testing/temporary_folder.h"

namespace allot::lm {
namespace {

using Json = nlohmann::json;

const std::string kTestdata = ALLOT_SOURCE_DIR "/src/allot/lm/testdata/";

template <class Call>
std::string refusal_of(const Call& call, ErrorKind kind) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  return "";
}

double furthest_apart(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

TEST(Lora, LogitsAndGradientsAreThoseOfPeft) {
  const Model base = Model::load(kTestdata + "qwen2", at::kFloat, at::kCPU);
  LoraAdapter adapter(base, LoraAdapter::read_config(kTestdata + "lora"), 1);
  adapter.load(kTestdata + "lora");
  EXPECT_DOUBLE_EQ(adapter.config().scale(), 6 / std::sqrt(3));
  adapter.merge_into(base);

  std::map<std::string, at::Tensor> expected;
  for (NamedTensor& named : read_safetensors(kTestdata + "lora/expected.safetensors")) {
    expected[named.name] = named.tensor;
  }
  const Json facts = Json::parse(read_file(kTestdata + "qwen2/expected.json"));
  PackedRows rows;
  rows.tokens = facts["tokens"].get<std::vector<std::int32_t>>();
  rows.segments.push_back({.start = 0, .length = static_cast<std::int32_t>(rows.rows())});
  for (std::int32_t i = 0; i < rows.rows(); ++i) {
    rows.positions.push_back(i);
    if (i < facts["prompt"]) continue;
    rows.target_row.push_back(i - 1);
    rows.target_token.push_back(rows.tokens[i]);
  }
  const Model view = base.training_view();
  const at::Tensor hidden = hidden_states(view, rows, Kernels::Fused);
  EXPECT_LT(furthest_apart(at::linear(hidden.detach(), base.head), expected.at("logits")), 1e-5);
  (-score_targets(view, hidden, rows, 1, Kernels::Fused).logprob.mean()).backward();
  std::vector<at::Tensor> of_model;
  for (const NamedTensor& parameter : view.parameters()) {
    of_model.push_back(parameter.tensor.grad());
  }
  const std::vector<NamedTensor> parameters = adapter.parameters();
  const std::vector<at::Tensor> gradients = adapter.gradients(of_model);
  EXPECT_EQ(parameters.size() + 1, expected.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const at::Tensor wanted = expected.at("gradient." + parameters[i].name);
    EXPECT_LT(furthest_apart(gradients[i], wanted), 1e-5 * (1 + wanted.abs().max().item<float>()))
        << parameters[i].name;
  }
}

TEST(Lora, StartsAsItsBaseAndMergesWithoutDrift) {
  const ModelConfig config = example_configs()[0].config;
  const Model model = lively_model(config, 1, at::kFloat), before = model.clone();
  const LoraAdapter adapter(model, {.r = 4, .alpha = 8}, 3);
  EXPECT_EQ(adapter.parameters().size(), 2u * 7 * config.layers);
  long long trained = 0;
  for (const NamedTensor& one : adapter.parameters()) trained += one.tensor.numel();
  EXPECT_EQ(lora_size(config, adapter.config()).trained, trained);
  EXPECT_EQ(lora_size(config, adapter.config()).targets,
            config.layers * (2 * model.layers[0].q.numel() + 2 * model.layers[0].k.numel() +
                             3 * model.layers[0].up.numel()));
  adapter.merge_into(model);
  EXPECT_TRUE(model.layers[1].down.equal(before.layers[1].down));
  for (const NamedTensor& one : adapter.parameters()) {
    if (one.name.ends_with("lora_B.weight")) at::Tensor(one.tensor).fill_(0.5);
  }
  for (int i = 0; i < 3; ++i) adapter.merge_into(model);  // always from the base
  const NamedTensor a = adapter.parameters()[0], b = adapter.parameters()[1];
  EXPECT_EQ(a.name, "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight");
  EXPECT_LE(a.tensor.abs().max().item<double>(), 1 / std::sqrt(config.dim));
  EXPECT_GT(a.tensor.abs().max().item<double>(), 0.5 / std::sqrt(config.dim));
  const at::Tensor wanted = before.layers[0].q + 2 * b.tensor.matmul(a.tensor);
  EXPECT_LT(furthest_apart(model.layers[0].q, wanted), 1e-6);
  EXPECT_TRUE(model.embedding.equal(before.embedding));
}

TEST(Lora, FilesReadBack) {
  const TemporaryFolder folder;
  const Model model = lively_model(example_configs()[0].config, 1, at::kFloat);
  const LoraConfig config{
      .r = 2, .alpha = 3, .rslora = true, .targets = {"k_proj", "up_proj"}, .base = "base/folder"};
  const LoraAdapter adapter(model, config, 5);
  adapter.save(folder.file("adapter"));
  EXPECT_TRUE(LoraAdapter::is_adapter(folder.file("adapter")));
  EXPECT_FALSE(LoraAdapter::is_adapter(folder.path()));
  const LoraConfig back = LoraAdapter::read_config(folder.file("adapter"));
  EXPECT_EQ(back.to_json(), config.to_json());
  LoraAdapter other(model, back, 6);
  EXPECT_FALSE(other.parameters()[0].tensor.equal(adapter.parameters()[0].tensor));
  other.load(folder.file("adapter"));
  EXPECT_TRUE(other.parameters()[0].tensor.equal(adapter.parameters()[0].tensor));
}

TEST(Lora, RefusesFilesThatDoNotFit) {
  const TemporaryFolder folder;
  const Model model = lively_model(example_configs()[0].config, 1, at::kFloat);
  const LoraConfig config{.r = 2, .targets = {"q_proj"}};
  LoraAdapter adapter(model, config, 5);
  const auto refusal_with = [&](std::vector<NamedTensor> tensors) {
    write_safetensors(folder.file("adapter_model.safetensors"), tensors);
    return refusal_of([&] { adapter.load(folder.path()); }, ErrorKind::Model);
  };
  adapter.save(folder.path());
  std::vector<NamedTensor> tensors = adapter.parameters();
  EXPECT_EQ(refusal_with(tensors), "");
  tensors.push_back({"base_model.extra", tensors[0].tensor});
  EXPECT_NE(refusal_with(tensors).find("base_model.extra"), std::string::npos);
  tensors.pop_back();
  tensors[1].tensor = tensors[1].tensor.t();
  EXPECT_NE(refusal_with(tensors).find(tensors[1].name), std::string::npos);
  tensors.pop_back();
  EXPECT_NE(refusal_with(tensors).find("lora_B"), std::string::npos);
  LoraAdapter(model, {.r = 2, .alpha = 5, .targets = {"q_proj"}}, 1).save(folder.path());
  EXPECT_NE(refusal_of([&] { adapter.load(folder.path()); }, ErrorKind::Model).find("scales"),
            std::string::npos);
}

TEST(Lora, RefusesOptionsThatChangeTheMathematics) {
  const Json good = Json::parse(read_file(kTestdata + "lora/adapter_config.json"));
  const auto refusal = [&](const char* key, Json value) {
    Json json = good;
    json[key] = std::move(value);
    return refusal_of([&] { LoraConfig::from_json(json.dump(), "x"); }, ErrorKind::Model);
  };
  EXPECT_EQ(refusal("lora_dropout", 0.1), "");
  EXPECT_EQ(refusal("target_modules", "all-linear"), "");
  for (const auto& [key, value] :
       std::vector<std::pair<const char*, Json>>{{"peft_type", "IA3"},
                                                 {"use_dora", true},
                                                 {"bias", "all"},
                                                 {"fan_in_fan_out", true},
                                                 {"modules_to_save", {"lm_head"}},
                                                 {"rank_pattern", {{"q_proj", 4}}},
                                                 {"layers_to_transform", {0}},
                                                 {"init_lora_weights", "pissa"},
                                                 {"something_new", 3},
                                                 {"target_modules", {"q_proj", "lm_head"}},
                                                 {"target_modules", ".*"},
                                                 {"target_modules", Json::array()},
                                                 {"r", 0}}) {
    const std::string named = key == std::string("target_modules") ? "target" : key;
    const std::string message = refusal(key, value);
    EXPECT_NE(message.find(named), std::string::npos) << key << ": " << message;
  }
  EXPECT_NE(refusal_of([] { LoraConfig{.targets = {"embed"}}.validate(); }, ErrorKind::Config)
                .find("embed"),
            std::string::npos);
}

}  // namespace
}  // namespace allot::lm
