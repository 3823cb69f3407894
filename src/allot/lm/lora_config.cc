// adapter_config.json of PEFT, as far as adapters of this kind go.
#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "allot/core/error.h"
#include "allot/lm/json_reader.h"
#include "allot/lm/lora.h"

namespace allot::lm {
namespace {

using Json = nlohmann::json;
using Reader = JsonReader<Json>;

constexpr std::array<const char*, 7> kTargets = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                                 "gate_proj", "up_proj", "down_proj"};

// Options that say nothing about the weights.
constexpr const char* kHarmlessLoraKeys[] = {
    "auto_mapping", "inference_mode",      "lora_dropout",      "megatron_core", "peft_version",
    "revision",     "ensure_weight_tying", "qalora_group_size", "runtime_config"};

// Null, false, 0 and empty: an option that is off.
bool is_off(const Json& value) {
  return value.is_null() || value == false || value == 0 || value == "" ||
         ((value.is_array() || value.is_object()) && value.empty());
}

std::vector<std::string> targets_of(Reader& reader) {
  const Json given = reader.take("target_modules");
  std::vector<std::string> targets;
  if (given == "all-linear") {
    targets.assign(kTargets.begin(), kTargets.end());
    return targets;
  }
  if (!given.is_array()) {
    reader.refuse(concat("\"target_modules\" is ", given.dump(), "; a list of names is needed"));
  }
  for (const Json& name : given) {
    if (std::find(kTargets.begin(), kTargets.end(), name) == kTargets.end()) {
      reader.refuse(concat("\"target_modules\" has ", name.dump(),
                           "; q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj or down_proj is "
                           "needed"));
    }
    targets.push_back(name.get<std::string>());
  }
  return targets;
}

}  // namespace

double LoraConfig::scale() const { return alpha / (rslora ? std::sqrt(double(r)) : r); }

void LoraConfig::validate() const {
  const auto require = [](bool holds, const char* field, const std::string& what) {
    if (!holds) throw Error(ErrorKind::Config, concat("lora.", field), what);
  };
  require(r >= 1 && r <= 65536, "r", concat(r, " was given; 1 to 65536 is needed"));
  require(alpha > 0 && std::isfinite(alpha), "alpha",
          concat(alpha, " was given; a positive number is needed"));
  require(!targets.empty(), "targets", "none was given; at least one is needed");
  for (const std::string& name : targets) {
    require(std::find(kTargets.begin(), kTargets.end(), name) != kTargets.end(), "targets",
            concat("\"", name,
                   "\" was given; q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj or down_proj "
                   "is needed"));
  }
}

std::string LoraConfig::to_json() const {
  nlohmann::ordered_json json;
  json["peft_type"] = "LORA";
  json["task_type"] = "CAUSAL_LM";
  json["base_model_name_or_path"] =
      base.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(base);
  json["r"] = r;
  json["lora_alpha"] = alpha;
  json["use_rslora"] = rslora;
  json["target_modules"] = targets;
  json["lora_dropout"] = 0.0;
  json["bias"] = "none";
  json["fan_in_fan_out"] = false;
  json["inference_mode"] = true;
  return json.dump(2) + "\n";
}

LoraConfig LoraConfig::from_json(const std::string& text, const std::string& where) {
  Reader reader = Reader::parsed(text, where, "PEFT's adapter_config.json");
  LoraConfig config;
  reader.expect("peft_type", {"LORA"});
  reader.expect("task_type", {"CAUSAL_LM"});
  reader.expect("bias", {"none"});
  reader.expect("init_lora_weights", {true, false, "gaussian"});
  config.r = reader.integer("r");
  config.alpha = reader.number_or("lora_alpha", 8);
  config.rslora = reader.flag_or("use_rslora", false);
  config.targets = targets_of(reader);
  const Json base = reader.take("base_model_name_or_path");
  if (base.is_string()) config.base = base.get<std::string>();
  for (const char* key : kHarmlessLoraKeys) reader.ignore(key);
  for (const std::string& key : reader.keys()) {
    if (is_off(reader.at(key))) reader.ignore(key.c_str());
  }
  reader.refuse_the_rest();
  try {
    config.validate();
  } catch (const Error& error) {
    reader.refuse(error.what());
  }
  return config;
}

LoraSize lora_size(const ModelConfig& m, const LoraConfig& lora) {
  const long long dim = m.dim, ffn = m.ffn, q = 1LL * m.heads * m.head_dim;
  const long long kv = 1LL * m.kv_heads * m.head_dim;
  LoraSize size;
  for (const std::string& name : lora.targets) {
    const bool key_or_value = name == "k_proj" || name == "v_proj";
    const bool query_or_output = name == "q_proj" || name == "o_proj";
    const long long other = key_or_value ? kv : query_or_output ? q : ffn;
    size.trained += m.layers * lora.r * (dim + other);
    size.targets += m.layers * dim * other;
  }
  return size;
}

}  // namespace allot::lm
