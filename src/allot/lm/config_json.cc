// config.json of the three Hugging Face architectures.
//
// Reading is strict: an option that changes the mathematics and that this model does not have is
// refused by name, and so is an option nobody here knows.
#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "allot/core/error.h"
#include "allot/lm/config.h"
#include "allot/lm/json_reader.h"

namespace allot::lm {
namespace {

using Json = nlohmann::json;
using Reader = JsonReader<Json>;

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
constexpr const char* kHarmlessKeys[] = {"_name_or_path",        "_attn_implementation_autoset",
                                         "attention_dropout",    "dtype",
                                         "initializer_range",    "layer_types",
                                         "max_window_layers",    "pretraining_tp",
                                         "sliding_window",       "torch_dtype",
                                         "transformers_version", "use_cache"};

struct NamedRope {
  const char* name;
  RopeType type;
};
constexpr std::array<NamedRope, 4> kRopes = {{{"default", RopeType::Default},
                                              {"linear", RopeType::Linear},
                                              {"llama3", RopeType::Llama3},
                                              {"yarn", RopeType::Yarn}}};

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

// Older files say "type", newer ones "rope_type", some both.
RopeType rope_type_of(Reader& rope) {
  const Json older = rope.take("type"), newer = rope.take("rope_type");
  const Json& name = newer.is_null() ? older : newer;
  if (!older.is_null() && older != name) {
    rope.refuse(concat("rope scaling has \"type\": ", older.dump(),
                       " and \"rope_type\": ", newer.dump(), "; one of them is needed"));
  }
  for (const NamedRope& known : kRopes) {
    if (name == known.name) return known.type;
  }
  rope.refuse(concat("rope scaling ", name.dump(),
                     " is not supported; default, linear, llama3 or yarn is needed"));
}

RopeScaling rope_scaling_of(Reader& rope) {
  RopeScaling s;
  s.type = rope_type_of(rope);
  if (s.type != RopeType::Default) s.factor = rope.number("factor");
  if (s.type == RopeType::Llama3) {
    s.low_freq_factor = rope.number("low_freq_factor");
    s.high_freq_factor = rope.number("high_freq_factor");
    s.original_context = rope.integer("original_max_position_embeddings");
  }
  if (s.type == RopeType::Yarn) {
    s.original_context = rope.integer_or("original_max_position_embeddings", 0);
    s.beta_fast = rope.number_or("beta_fast", s.beta_fast);
    s.beta_slow = rope.number_or("beta_slow", s.beta_slow);
    s.attention_factor = rope.number_or("attention_factor", 0);
    s.mscale = rope.number_or("mscale", 0);
    s.mscale_all_dim = rope.number_or("mscale_all_dim", 0);
    s.truncate = rope.flag_or("truncate", true);
  }
  // Later files of some writers name it with every type; it counts for none of the others.
  rope.ignore("original_max_position_embeddings");
  return s;
}

// transformers 4 writes rope_theta and rope_scaling, transformers 5 both inside rope_parameters.
void read_rope(Reader& reader, ModelConfig& config) {
  const bool newer = reader.has("rope_parameters");
  if (newer && reader.has("rope_scaling")) {
    reader.refuse("has both \"rope_scaling\" and \"rope_parameters\"; one of them is needed");
  }
  const double theta = reader.number_or("rope_theta", 10000);
  const Json older = reader.take("rope_scaling"), inside = reader.take("rope_parameters");
  const Json& given = newer ? inside : older;
  config.rope_theta = theta;
  if (given.is_null()) return;
  if (!given.is_object()) {
    reader.refuse(concat(newer ? "\"rope_parameters\" is " : "\"rope_scaling\" is ", given.dump(),
                         "; an object is needed"));
  }
  Reader rope(given, reader.where());
  config.rope_theta = rope.number_or("rope_theta", theta);
  rope.expect("partial_rotary_factor", {1, 1.0});
  config.rope_scaling = rope_scaling_of(rope);
  rope.refuse_the_rest();
}

nlohmann::ordered_json rope_json(const RopeScaling& s) {
  nlohmann::ordered_json json;
  json["rope_type"] = std::find_if(kRopes.begin(), kRopes.end(), [&](const NamedRope& r) {
                        return r.type == s.type;
                      })->name;
  json["factor"] = s.factor;
  if (s.type == RopeType::Llama3) {
    json["low_freq_factor"] = s.low_freq_factor;
    json["high_freq_factor"] = s.high_freq_factor;
  }
  if (s.type == RopeType::Yarn) {
    json["beta_fast"] = s.beta_fast;
    json["beta_slow"] = s.beta_slow;
    if (s.attention_factor > 0) json["attention_factor"] = s.attention_factor;
    if (s.mscale > 0) json["mscale"] = s.mscale;
    if (s.mscale_all_dim > 0) json["mscale_all_dim"] = s.mscale_all_dim;
    if (!s.truncate) json["truncate"] = false;
  }
  if (s.original_context > 0) json["original_max_position_embeddings"] = s.original_context;
  return json;
}

// One id, a list of them, or none.
std::vector<std::int32_t> token_ids(Reader& reader, const char* key) {
  if (!reader.has(key)) {
    reader.ignore(key);
    return {};
  }
  const Json value = reader.take(key);
  const Json list = value.is_array() ? value : Json::array({value});
  std::vector<std::int32_t> ids;
  for (const Json& id : list) {
    if (!id.is_number_integer() || id < -1 || id > 0x7fffffff) {
      reader.refuse(concat("\"", key, "\" is ", value.dump(), "; token ids are needed"));
    }
    if (id >= 0) ids.push_back(id.get<std::int32_t>());
  }
  return ids;
}

// In transformers the first layers attend to everything and those from max_window_layers on slide.
void refuse_sliding_windows(Reader& reader, int layers) {
  const bool used = reader.flag_or("use_sliding_window", false);
  const int first = reader.integer_or("max_window_layers", 0);
  if (used && first < layers) {
    reader.refuse(concat("\"use_sliding_window\": true with \"max_window_layers\": ", first,
                         " is not supported; full attention in all ", layers, " layers is needed"));
  }
  reader.expect("layer_types", {Json(layers, "full_attention")});
}

void read_shape(Reader& reader, ModelConfig& config) {
  config.vocab = reader.integer("vocab_size");
  config.dim = reader.integer("hidden_size");
  config.layers = reader.integer("num_hidden_layers");
  config.heads = reader.integer("num_attention_heads");
  config.kv_heads = reader.integer_or("num_key_value_heads", config.heads);
  const int even_share = config.heads > 0 ? config.dim / config.heads : 0;
  config.head_dim = reader.integer_or("head_dim", even_share);
  config.ffn = reader.integer("intermediate_size");
  config.context = reader.integer_or("max_position_embeddings", 2048);
}

}  // namespace

std::string ModelConfig::to_json(NumberType type) const {
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
  if (rope_scaling.type != RopeType::Default) json["rope_scaling"] = rope_json(rope_scaling);
  json["rms_norm_eps"] = norm_eps;
  json["tie_word_embeddings"] = tied_embedding;
  json["hidden_act"] = "silu";
  if (!qkv_bias) json["attention_bias"] = false;
  if (bos_token >= 0) json["bos_token_id"] = bos_token;
  if (end_tokens.size() == 1) json["eos_token_id"] = end_tokens[0];
  if (end_tokens.size() > 1) json["eos_token_id"] = end_tokens;
  if (pad_token >= 0) json["pad_token_id"] = pad_token;
  json["torch_dtype"] = torch_name(type);
  return json.dump(2) + "\n";
}

ModelConfig ModelConfig::from_json(const std::string& text, const std::string& where) {
  Reader reader = Reader::parsed(text, where, "a Hugging Face config.json");
  ModelConfig config;
  const Architecture& architecture = architecture_of(reader);
  config.qkv_bias = architecture.qkv_bias;
  config.qk_norm = architecture.qk_norm;
  read_shape(reader, config);
  read_rope(reader, config);
  config.norm_eps = reader.number_or("rms_norm_eps", 1e-6);
  config.tied_embedding = reader.flag_or("tie_word_embeddings", false);
  config.end_tokens = token_ids(reader, "eos_token_id");
  const auto first_of = [](const std::vector<std::int32_t>& ids) {
    return ids.empty() ? -1 : ids[0];
  };
  config.bos_token = first_of(token_ids(reader, "bos_token_id"));
  config.pad_token = first_of(token_ids(reader, "pad_token_id"));
  reader.expect("hidden_act", {"silu"});
  reader.expect("attention_bias", {false});
  reader.expect("mlp_bias", {false});
  try {
    config.validate();
  } catch (const Error& error) {
    reader.refuse(error.what());
  }
  refuse_sliding_windows(reader, config.layers);
  for (const char* key : kHarmlessKeys) reader.ignore(key);
  reader.refuse_the_rest();
  return config;
}

std::vector<std::int32_t> end_tokens_of_generation_config(const std::string& text,
                                                          const std::string& where) {
  Reader reader = Reader::parsed(text, where, "a Hugging Face generation_config.json");
  return token_ids(reader, "eos_token_id");
}

}  // namespace allot::lm
