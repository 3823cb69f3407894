#include "allot/app/objective_lines.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <nlohmann/json.hpp>

#include "allot/core/error.h"
#include "allot/methods/parts/reward_advantages.h"
#include "allot/objective/fields.h"

namespace allot {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

[[noreturn]] void fail(const std::string& where, const std::string& what,
                       std::string_view hint = {}) {
  throw Error(ErrorKind::Data, where, what, hint);
}

// A number; null and "nan" are none. JSON has no infinities, so "-inf" is a text.
double number_of(const json& value, const std::string& where, const std::string& field) {
  if (value.is_null()) return kNan;
  if (value.is_boolean()) return value.get<bool>() ? 1 : 0;
  if (value.is_number()) return value.get<double>();
  if (value == "-inf") return -std::numeric_limits<double>::infinity();
  fail(where,
       concat("'", field, "' holds ", value.dump().substr(0, 40), "; a number or null is needed"));
}

// A list of numbers; a single number is a list of one.
objective::Numbers numbers_of(const json& value, const std::string& where,
                              const std::string& field) {
  objective::Numbers out;
  if (!value.is_array()) return {number_of(value, where, field)};
  for (const json& one : value) out.push_back(number_of(one, where, field));
  return out;
}

const json& list_of(const json& value, const std::string& where, const std::string& field) {
  if (!value.is_array())
    fail(where, concat("'", field, "' is no list; one with a row each is needed"));
  return value;
}

objective::Matrix matrix_of(const json& value, const std::string& where, const std::string& field) {
  objective::Matrix out;
  for (const json& row : list_of(value, where, field)) out.push_back(numbers_of(row, where, field));
  return out;
}

using Pairs = std::vector<std::pair<std::string, std::string>>;

std::string setting_text(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

void read_options(const json& value, const std::string& where, Pairs& settings) {
  if (!value.is_object()) fail(where, "'options' is no object of keys and values");
  for (const auto& [key, setting] : value.items())
    settings.emplace_back(key, setting_text(setting));
}

bool read_field(const std::string& key, const json& value, const std::string& where,
                objective::Fields& fields) {
  for (const auto& [name, member] : objective::matrix_fields())
    if (key == name) {
      fields.*member = matrix_of(value, where, key);
      return true;
    }
  for (const auto& [name, member] : objective::cube_fields())
    if (key == name) {
      for (const json& row : list_of(value, where, key))
        (fields.*member).push_back(matrix_of(row, where, key));
      return true;
    }
  if (key == "anchor_override") {
    for (const json& row : list_of(value, where, key))
      fields.anchor_override.push_back(row.is_string() ? row.get<std::string>() : row.dump());
    return true;
  }
  if (key == "seed" || key == "step") {
    if (!value.is_number_unsigned()) fail(where, concat("'", key, "' is no whole number"));
    (key == "seed" ? fields.seed : fields.step) = value.get<std::uint64_t>();
    return true;
  }
  return false;
}

[[noreturn]] void refuse_key(const std::string& key, const std::string& where) {
  std::vector<std::string> names = {"preset", "options", "anchor_override", "seed", "step"};
  for (const auto& [name, member] : objective::matrix_fields()) names.emplace_back(name);
  for (const auto& [name, member] : objective::cube_fields()) names.emplace_back(name);
  const std::string near = nearest(key, names);
  fail(where, concat("unknown field '", key, "'"),
       near.empty() ? "docs/objectives.md lists them" : concat("did you mean '", near, "'?"));
}

ordered_json result_json(const objective::Evaluation& result) {
  ordered_json out;
  out["advantages"] = result.advantages;
  out["loss"] = result.loss.loss;
  out["coefficient_loss"] = result.loss.coefficient_loss;
  out["grad"] = result.loss.gradient;
  const auto& partition = result.loss.log_partition;
  if (std::any_of(partition.begin(), partition.end(), [](double g) { return g != 0; }))
    out["grad_log_partition"] = partition;
  out["metrics"] = ordered_json::object();
  for (const Metric& metric : result.metrics) out["metrics"][metric.name] = metric.value;
  return out;
}

std::string evaluated_line(std::string_view text, const std::string& where,
                           const std::vector<Setting>& settings) {
  const json object = json::parse(text.begin(), text.end(), nullptr, false);
  if (!object.is_object()) fail(where, "it is not a JSON object");
  objective::Fields fields;
  Pairs pairs;
  for (const Setting& setting : settings) pairs.emplace_back(setting.key, setting.text);
  for (const auto& [key, value] : object.items()) {
    if (key == "preset")
      pairs.emplace_back("loss.preset", setting_text(value));
    else if (key == "options")
      read_options(value, where, pairs);
    else if (!read_field(key, value, where, fields))
      refuse_key(key, where);
  }
  if (fields.logprobs.empty()) fail(where, "the field 'logprobs' is missing");
  objective::LossOptions loss;
  AdvantageOptions adv;
  OptionList list = OptionList::of(loss, "loss");
  list.add(adv, "adv");
  objective::apply_settings(list, pairs, where);
  adv.validate();
  try {
    return result_json(objective::evaluate(loss, reward_estimator(adv), fields)).dump();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::Data) throw;
    fail(where, error.what());
  }
}

}  // namespace

std::vector<std::string> objective_lines(std::string_view text, std::string_view where,
                                         const std::vector<Setting>& settings) {
  std::vector<std::string> out;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.find_first_not_of(" \t\r") != std::string_view::npos)
      out.push_back(evaluated_line(line, concat(where, ":", number), settings));
  }
  return out;
}

}  // namespace allot
