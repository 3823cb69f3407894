#include "allot/lm/config.h"

#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "allot/core/error.h"
#include "allot/lm/testing/examples.h"

namespace allot::lm {
namespace {

using Json = nlohmann::json;

// The message of the Error that `call` throws; "" if it throws none.
template <class Call>
std::string message_of(Call&& call, ErrorKind kind) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  return "";
}

std::string refusal_of(const Json& json) {
  return message_of([&] { ModelConfig::from_json(json.dump(), "folder/config.json"); },
                    ErrorKind::Model);
}

TEST(ModelConfig, JsonRoundTrip) {
  for (const NamedConfig& named : example_configs()) {
    ModelConfig config = named.config;
    config.rope_theta = 12345.678901234567;
    config.norm_eps = 1e-5;
    const std::string text = config.to_json();
    const ModelConfig back = ModelConfig::from_json(text, "test");
    EXPECT_EQ(back.to_json(), text) << named.name;
    EXPECT_EQ(back.rope_theta, config.rope_theta);
    EXPECT_EQ(back.parameter_count(), config.parameter_count());
  }
}

TEST(ModelConfig, ArchitectureFollowsTheFlags) {
  ModelConfig config;
  EXPECT_EQ(Json::parse(config.to_json())["model_type"], "qwen2");
  config.qkv_bias = false;
  EXPECT_EQ(Json::parse(config.to_json())["model_type"], "llama");
  config.qk_norm = true;
  EXPECT_EQ(Json::parse(config.to_json())["model_type"], "qwen3");
}

// Counted by hand for the built-in size: 3 layers of (96*96 + 96) + 2*(48*96 + 48) + 96*96
// + 3*256*96 + 2*96, the last norm, and the tied embedding 64*96.
TEST(ModelConfig, ParameterCount) {
  EXPECT_EQ(ModelConfig().parameter_count(),
            3 * (9216 + 96 + 2 * (4608 + 48) + 9216 + 73728 + 192) + 96 + 6144);
  for (const NamedConfig& named : example_configs()) {
    long long count = 0;
    const Model model = lively_model(named.config, 1, at::kFloat);
    for (const NamedTensor& parameter : model.parameters()) count += parameter.tensor.numel();
    EXPECT_EQ(named.config.parameter_count(), count) << named.name;
  }
}

// As written by transformers 4 and 5 for a small Qwen2.
TEST(ModelConfig, ReadsHuggingFaceFiles) {
  const ModelConfig four = ModelConfig::from_json(R"({
    "architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151643,
    "eos_token_id": 151645, "hidden_act": "silu", "hidden_size": 896, "initializer_range": 0.02,
    "intermediate_size": 4864, "max_position_embeddings": 32768, "max_window_layers": 21,
    "model_type": "qwen2", "num_attention_heads": 14, "num_hidden_layers": 24,
    "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
    "sliding_window": 32768, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
    "transformers_version": "4.43.1", "use_cache": true, "use_sliding_window": false,
    "vocab_size": 151936})",
                                                  "four");
  EXPECT_EQ(four.head_dim, 64);
  EXPECT_EQ(four.rope_theta, 1e6);
  EXPECT_TRUE(four.qkv_bias);
  EXPECT_EQ(four.parameter_count(), 494032768);  // as published: 0.49 B

  const ModelConfig five = ModelConfig::from_json(R"({
    "architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "dtype": "float32",
    "head_dim": 128, "hidden_act": "silu", "hidden_size": 1024, "intermediate_size": 3072,
    "layer_types": ["full_attention", "full_attention"], "max_position_embeddings": 40960,
    "model_type": "qwen3", "num_attention_heads": 16, "num_hidden_layers": 2,
    "num_key_value_heads": 8, "pad_token_id": null, "rms_norm_eps": 1e-06,
    "rope_parameters": {"rope_theta": 1000000, "rope_type": "default"},
    "sliding_window": null, "tie_word_embeddings": true, "vocab_size": 151936})",
                                                  "five");
  EXPECT_TRUE(five.qk_norm);
  EXPECT_EQ(five.head_dim, 128);
  EXPECT_EQ(five.rope_theta, 1e6);
}

// Of Llama 3.1 and of Qwen 2.5 with 128 k positions, in the spelling of transformers 4 and of 5.
TEST(ModelConfig, ReadsStretchedPositionsInBothSpellings) {
  Json llama = Json::parse(ModelConfig{.qkv_bias = false}.to_json());
  const Json scaling = {{"factor", 8.0},
                        {"low_freq_factor", 1.0},
                        {"high_freq_factor", 4.0},
                        {"original_max_position_embeddings", 8192},
                        {"rope_type", "llama3"}};
  llama["rope_theta"] = 500000.0;
  llama["rope_scaling"] = scaling;
  const ModelConfig four = ModelConfig::from_json(llama.dump(), "four");
  EXPECT_EQ(four.rope_theta, 5e5);
  EXPECT_EQ(four.rope_scaling,
            (RopeScaling{.type = RopeType::Llama3, .factor = 8, .original_context = 8192}));
  llama.erase("rope_theta");
  llama.erase("rope_scaling");
  llama["rope_parameters"] = scaling;
  llama["rope_parameters"]["rope_theta"] = 500000.0;
  EXPECT_EQ(ModelConfig::from_json(llama.dump(), "five").to_json(), four.to_json());

  Json qwen = Json::parse(ModelConfig().to_json());
  qwen["rope_scaling"] = {
      {"factor", 4.0}, {"original_max_position_embeddings", 32768}, {"type", "yarn"}};
  const ModelConfig yarn = ModelConfig::from_json(qwen.dump(), "yarn");
  EXPECT_EQ(yarn.rope_scaling,
            (RopeScaling{.type = RopeType::Yarn, .factor = 4, .original_context = 32768}));
  EXPECT_EQ(ModelConfig::from_json(yarn.to_json(), "again").rope_scaling, yarn.rope_scaling);
}

TEST(ModelConfig, KeepsTokensWithAMeaning) {
  Json json = Json::parse(ModelConfig().to_json());
  json["bos_token_id"] = 5;
  json["eos_token_id"] = {7, 9};
  json["pad_token_id"] = nullptr;
  const ModelConfig config = ModelConfig::from_json(json.dump(), "x");
  EXPECT_EQ(config.end_tokens, (std::vector<std::int32_t>{7, 9}));
  EXPECT_EQ(config.bos_token, 5);
  EXPECT_EQ(config.pad_token, -1);
  EXPECT_EQ(ModelConfig::from_json(config.to_json(), "y").end_tokens, config.end_tokens);
  EXPECT_EQ(end_tokens_of_generation_config(R"({"eos_token_id": 3, "top_p": 0.8})", "g"),
            std::vector<std::int32_t>{3});
  EXPECT_TRUE(end_tokens_of_generation_config("{}", "g").empty());
  EXPECT_THROW(end_tokens_of_generation_config("[]", "g"), Error);
}

TEST(ModelConfig, SlidingWindowsThatNoLayerHasAreTaken) {
  Json json = Json::parse(ModelConfig().to_json());
  json["use_sliding_window"] = true;
  json["sliding_window"] = 4096;
  json["max_window_layers"] = 3;
  EXPECT_EQ(refusal_of(json), "");
  json["max_window_layers"] = 2;
  EXPECT_NE(refusal_of(json).find("use_sliding_window"), std::string::npos);
}

TEST(ModelConfig, RefusesWhatItDoesNotKnow) {
  const Json good = Json::parse(ModelConfig().to_json());
  EXPECT_EQ(refusal_of(good), "");
  const auto refuses = [&](const char* key, Json value) {
    Json json = good;
    json[key] = std::move(value);
    const std::string message = refusal_of(json);
    EXPECT_NE(message.find("folder/config.json"), std::string::npos) << key << ": " << message;
    return message;
  };
  EXPECT_NE(refuses("partial_rotary_factor", 0.5).find("partial_rotary_factor"), std::string::npos);
  EXPECT_NE(refuses("architectures", {"GPT2LMHeadModel"}).find("GPT2"), std::string::npos);
  refuses("architectures", 7);
  EXPECT_NE(refuses("rope_scaling", {{"type", "dynamic"}, {"factor", 4}}).find("dynamic"),
            std::string::npos);
  EXPECT_NE(refuses("rope_parameters", {{"rope_type", "longrope"}}).find("longrope"),
            std::string::npos);
  refuses("rope_scaling", {{"type", "linear"}, {"rope_type", "yarn"}, {"factor", 4}});
  refuses("rope_scaling", {{"type", "yarn"}});
  refuses("rope_scaling", {{"type", "yarn"}, {"factor", 0.5}});
  refuses("rope_scaling", {{"type", "yarn"}, {"factor", 4}, {"beta_fast", 0}});
  EXPECT_NE(refuses("rope_scaling", {{"type", "linear"}, {"factor", 2}, {"long_factor", 1}})
                .find("long_factor"),
            std::string::npos);
  refuses("rope_scaling", {{"rope_type", "llama3"}, {"factor", 8}});
  refuses("rope_parameters", {{"rope_type", "default"}, {"partial_rotary_factor", 0.5}});
  refuses("rope_parameters", {{"full_attention", {{"rope_type", "default"}}}});
  refuses("rope_parameters", 3);
  refuses("quantization_config", {{"bits", 4}});
  refuses("num_experts", 8);
  refuses("eos_token_id", "</s>");
  refuses("eos_token_id", {1, 1.5});
  refuses("hidden_act", "gelu");
  refuses("attention_bias", true);
  refuses("mlp_bias", true);
  EXPECT_NE(refuses("use_sliding_window", true).find("use_sliding_window"), std::string::npos);
  refuses("layer_types", {"full_attention", "sliding_attention", "full_attention"});
  refuses("hidden_size", -1);
  refuses("hidden_size", "96");
  refuses("hidden_size", 1e300);
  refuses("num_hidden_layers", 2000000000);
  refuses("num_key_value_heads", 3);
  refuses("num_attention_heads", 0);
  refuses("head_dim", 23);
  refuses("rms_norm_eps", 0);
  refuses("rope_theta", -1);
  refuses("tie_word_embeddings", "yes");
  for (const char* text : {"", "[]", "{", "null", "\xff\xfe"}) {
    EXPECT_THROW(ModelConfig::from_json(text, "x"), Error) << text;
  }
}

TEST(ModelConfig, ValidateNamesTheField) {
  const auto refusal = [](auto&& spoil) {
    ModelConfig config;
    spoil(config);
    return message_of([&] { config.validate(); }, ErrorKind::Config);
  };
  EXPECT_EQ(refusal([](ModelConfig&) {}), "");
  EXPECT_NE(refusal([](ModelConfig& c) { c.dim = 0; }).find("dim"), std::string::npos);
  EXPECT_NE(refusal([](ModelConfig& c) { c.kv_heads = 3; }).find("kv_heads"), std::string::npos);
  EXPECT_NE(refusal([](ModelConfig& c) { c.head_dim = 7; }).find("head_dim"), std::string::npos);
  EXPECT_NE(refusal([](ModelConfig& c) { c.layers = -2; }).find("layers"), std::string::npos);
  EXPECT_NE(refusal([](ModelConfig& c) { c.qk_norm = true; }).find("qk_norm"), std::string::npos);
  EXPECT_NE(refusal([](ModelConfig& c) {
              c.rope_scaling.type = RopeType::Yarn;
              c.rope_theta = 1;
            }).find("rope_theta"),
            std::string::npos);
}

}  // namespace
}  // namespace allot::lm
