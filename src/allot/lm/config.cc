// Shape checks, and config.json of the three Hugging Face architectures.
//
// Reading is strict: an option that changes the mathematics and that this model does not have is
// refused by name, and so is an option nobody here knows.
#include "allot/lm/config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "allot/core/error.h"

namespace allot::lm {
namespace {

using Json = nlohmann::json;

struct Architecture {
  const char* name;
  const char* model_type;
  bool qkv_bias, qk_norm;
};
constexpr std::array<Architecture, 3> kArchitectures = {{
    {"Qwen2ForCausalLM", "qwen2", true, false},
    {"Qwen3ForCausalLM", "qwen3", false, true},
    {"LlamaForCausalLM", "llama", false, false},
}};

// Options that say nothing about inference with these weights.
constexpr const char* kHarmless[] = {
    "_name_or_path",        "attention_dropout", "bos_token_id",   "dtype",
    "eos_token_id",         "initializer_range", "layer_types",    "max_window_layers",
    "pad_token_id",         "pretraining_tp",    "sliding_window", "torch_dtype",
    "transformers_version", "use_cache"};

void require(bool holds, const char* field, long long value, const char* needed) {
  if (!holds) {
    throw Error(ErrorKind::Config, concat("model.", field), concat(value, " was given; ", needed));
  }
}

// Takes one option after the other out of a parsed config.json; what is left is unknown.
class Reader {
 public:
  Reader(Json json, const std::string& where) : json_(std::move(json)), where_(where) {}

  [[noreturn]] void refuse(const std::string& what, const std::string& hint = {}) const {
    throw Error(ErrorKind::Model, where_, what, hint);
  }

  bool has(const char* key) const { return json_.contains(key) && !json_.at(key).is_null(); }

  Json take(const char* key) {
    if (!json_.contains(key)) return nullptr;
    Json value = json_.at(key);
    json_.erase(key);
    return value;
  }

  int integer(const char* key) {
    const Json value = take(key);
    if (!value.is_number_integer() || value < 0 || value > std::numeric_limits<int>::max()) {
      refuse(concat("\"", key, "\" is ", value.dump(), "; an integer of at least 0 is needed"));
    }
    return value.get<int>();
  }
  int integer_or(const char* key, int fallback) {
    return has(key) ? integer(key) : drop(key, fallback);
  }

  double number_or(const char* key, double fallback) {
    if (!has(key)) return drop(key, fallback);
    const Json value = take(key);
    if (!value.is_number())
      refuse(concat("\"", key, "\" is ", value.dump(), "; a number is needed"));
    return value.get<double>();
  }

  bool flag_or(const char* key, bool fallback) {
    if (!has(key)) return drop(key, fallback);
    const Json value = take(key);
    if (!value.is_boolean()) {
      refuse(concat("\"", key, "\" is ", value.dump(), "; true or false is needed"));
    }
    return value.get<bool>();
  }

  // The option may be absent or have one of these values.
  void expect(const char* key, const std::vector<Json>& allowed) {
    if (!has(key)) {
      drop(key, 0);
      return;
    }
    const Json value = take(key);
    if (std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
      refuse(concat("\"", key, "\": ", value.dump(), " is not supported; ", allowed[0].dump(),
                    " is needed"));
    }
  }

  void refuse_the_rest() {
    for (const char* key : kHarmless) json_.erase(key);
    if (!json_.empty()) refuse(concat("unknown option \"", json_.begin().key(), "\""));
  }

 private:
  template <class T>
  T drop(const char* key, T fallback) {
    json_.erase(key);
    return fallback;
  }

  Json json_;
  const std::string& where_;
};

const Architecture& architecture_of(Reader& reader) {
  const Json listed = reader.take("architectures");
  const Json type = reader.take("model_type");
  for (const Architecture& a : kArchitectures) {
    const bool named = listed.is_array() ? listed == Json::array({a.name})
                                         : listed.is_null() && type == a.model_type;
    if (named) return a;
  }
  reader.refuse(concat("architecture ", listed.is_null() ? type.dump() : listed.dump(),
                       "; Qwen2ForCausalLM, Qwen3ForCausalLM or LlamaForCausalLM is needed"));
}

// transformers 4 writes rope_theta and rope_scaling, transformers 5 rope_parameters.
double rope_theta_of(Reader& reader, const std::string& where) {
  reader.expect("rope_scaling", {nullptr});
  if (!reader.has("rope_parameters")) {
    reader.take("rope_parameters");
    return reader.number_or("rope_theta", 10000);
  }
  const Json parameters = reader.take("rope_parameters");
  if (!parameters.is_object()) {
    reader.refuse(concat("\"rope_parameters\" is ", parameters.dump(), "; an object is needed"));
  }
  Reader nested(parameters, where);
  nested.expect("rope_type", {"default"});
  const double theta = nested.number_or("rope_theta", 10000);
  nested.refuse_the_rest();
  reader.take("rope_theta");
  return theta;
}

}  // namespace

void ModelConfig::validate() const {
  constexpr int most = 1 << 20;
  require(vocab >= 1 && vocab <= 16 * most, "vocab", vocab, "1 to 16777216 is needed");
  require(dim >= 1 && dim <= most, "dim", dim, "1 to 1048576 is needed");
  require(layers >= 1 && layers <= 4096, "layers", layers, "1 to 4096 is needed");
  require(heads >= 1 && heads <= 4096, "heads", heads, "1 to 4096 is needed");
  require(kv_heads >= 1 && kv_heads <= heads && heads % kv_heads == 0, "kv_heads", kv_heads,
          "a divisor of heads is needed");
  require(head_dim >= 2 && head_dim <= 4096 && head_dim % 2 == 0, "head_dim", head_dim,
          "an even number from 2 to 4096 is needed");
  require(ffn >= 1 && ffn <= most, "ffn", ffn, "1 to 1048576 is needed");
  require(context >= 1 && context <= 16 * most, "context", context, "1 to 16777216 is needed");
  if (!(rope_theta > 0) || !std::isfinite(rope_theta)) {
    throw Error(ErrorKind::Config, "model.rope_theta",
                concat(rope_theta, " was given; a positive number is needed"));
  }
  if (!(norm_eps > 0) || !(norm_eps < 1)) {
    throw Error(ErrorKind::Config, "model.norm_eps",
                concat(norm_eps, " was given; a number between 0 and 1 is needed"));
  }
  if (qkv_bias && qk_norm) {
    throw Error(ErrorKind::Config, "model.qk_norm",
                "qk_norm and qkv_bias are both on; no known architecture has both",
                "Qwen2 has qkv_bias, Qwen3 has qk_norm, Llama has neither");
  }
}

long long ModelConfig::parameter_count() const {
  const long long d = dim, q = 1LL * heads * head_dim, kv = 1LL * kv_heads * head_dim;
  long long layer = 2 * d + (2 * q + 2 * kv) * d + 3 * d * ffn;
  if (qkv_bias) layer += q + 2 * kv;
  if (qk_norm) layer += 2 * head_dim;
  return layers * layer + d + vocab * d * (tied_embedding ? 1 : 2);
}

std::string ModelConfig::to_json() const {
  validate();
  const auto architecture = std::find_if(
      kArchitectures.begin(), kArchitectures.end(),
      [&](const Architecture& a) { return a.qkv_bias == qkv_bias && a.qk_norm == qk_norm; });
  nlohmann::ordered_json json;
  json["architectures"] = {architecture->name};
  json["model_type"] = architecture->model_type;
  json["vocab_size"] = vocab;
  json["hidden_size"] = dim;
  json["num_hidden_layers"] = layers;
  json["num_attention_heads"] = heads;
  json["num_key_value_heads"] = kv_heads;
  json["head_dim"] = head_dim;
  json["intermediate_size"] = ffn;
  json["max_position_embeddings"] = context;
  json["rope_theta"] = rope_theta;
  json["rms_norm_eps"] = norm_eps;
  json["tie_word_embeddings"] = tied_embedding;
  json["hidden_act"] = "silu";
  if (!qkv_bias) json["attention_bias"] = false;
  json["torch_dtype"] = "float32";
  return json.dump(2) + "\n";
}

ModelConfig ModelConfig::from_json(const std::string& text, const std::string& where) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) {
    throw Error(ErrorKind::Model, where, "is no JSON object; a Hugging Face config.json is needed");
  }
  Reader reader(json, where);
  ModelConfig config;
  const Architecture& architecture = architecture_of(reader);
  config.qkv_bias = architecture.qkv_bias;
  config.qk_norm = architecture.qk_norm;
  config.vocab = reader.integer("vocab_size");
  config.dim = reader.integer("hidden_size");
  config.layers = reader.integer("num_hidden_layers");
  config.heads = reader.integer("num_attention_heads");
  config.kv_heads = reader.integer_or("num_key_value_heads", config.heads);
  const int even_share = config.heads > 0 ? config.dim / config.heads : 0;
  config.head_dim = reader.integer_or("head_dim", even_share);
  config.ffn = reader.integer("intermediate_size");
  config.context = reader.integer_or("max_position_embeddings", 2048);
  config.rope_theta = rope_theta_of(reader, where);
  config.norm_eps = reader.number_or("rms_norm_eps", 1e-6);
  config.tied_embedding = reader.flag_or("tie_word_embeddings", false);
  reader.expect("hidden_act", {"silu"});
  reader.expect("attention_bias", {false});
  reader.expect("mlp_bias", {false});
  reader.expect("use_sliding_window", {false});
  try {
    config.validate();
  } catch (const Error& error) {
    reader.refuse(error.what());
  }
  reader.expect("layer_types", {Json(config.layers, "full_attention")});
  reader.refuse_the_rest();
  return config;
}

}  // namespace allot::lm
