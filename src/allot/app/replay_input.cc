#include "allot/app/replay_input.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <set>

#include <nlohmann/json.hpp>

#include "allot/core/error.h"
#include "allot/core/prompt_id.h"

namespace allot {
namespace {

using nlohmann::json;

constexpr const char* kExampleFile =
    R"(a line reads {"prompt": 17, "step": 0, "outcomes": [{"correct": true, "tokens": 37}]})";
constexpr int kDeepest = 8;  // levels of nesting; the format has three

class LineReader {
 public:
  LineReader(std::string_view where, std::size_t number) : where_(concat(where, ":", number)) {}

  // The prompt of one line, and its step.
  std::pair<std::uint64_t, ReplayPrompt> read(std::string_view text) const {
    const json object = parsed(text);
    check_keys(object, std::array{"prompt", "step", "outcomes"}, "a line");
    ReplayPrompt prompt = identity(required(object, "prompt"));
    const json& outcomes = required(object, "outcomes");
    if (!outcomes.is_array()) fail("'outcomes' is not a list");
    for (const json& outcome : outcomes)
      prompt.outcomes.push_back(outcome_of(outcome, prompt.outcomes.size()));
    const std::uint64_t step = object.contains("step") ? whole(object["step"], "'step'", 1e15) : 0;
    return {step, std::move(prompt)};
  }

  [[noreturn]] void fail(std::string_view what) const {
    throw Error(ErrorKind::Data, where_, what, kExampleFile);
  }

 private:
  // A repeated key would silently win over the first one, so the parser watches for it.
  json parsed(std::string_view text) const {
    if (text.find('\0') != std::string_view::npos) fail("it is not JSON: a byte is zero");
    std::vector<std::set<std::string>> keys;
    const auto watch = [&](int depth, json::parse_event_t event, json& value) {
      if (depth > kDeepest) fail("it is nested too deeply");
      if (event == json::parse_event_t::object_start) keys.emplace_back();
      if (event == json::parse_event_t::object_end) keys.pop_back();
      if (event == json::parse_event_t::key && !keys.back().insert(value).second)
        fail(concat("the key '", value.get<std::string>(), "' stands twice"));
      return true;
    };
    try {
      const json object = json::parse(text, watch);
      if (!object.is_object()) fail("it is not an object");
      return object;
    } catch (const json::parse_error& error) {
      fail(concat("it is not JSON from column ", error.byte, " on"));
    } catch (const json::exception&) {
      fail("it has a number that is too large");
    }
  }

  template <class Keys>
  void check_keys(const json& object, const Keys& known, std::string_view what) const {
    for (const auto& [key, value] : object.items()) {
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      const std::string near = nearest(key, known);
      fail(concat("unknown key '", key, "' in ", what,
                  near.empty() ? "" : concat("; did you mean '", near, "'?")));
    }
  }

  const json& required(const json& object, const char* key) const {
    if (!object.contains(key)) fail(concat("'", key, "' is missing"));
    return object[key];
  }

  std::uint64_t whole(const json& value, std::string_view what, double largest) const {
    const bool fits =
        value.is_number_unsigned() && static_cast<double>(value.get<std::uint64_t>()) <= largest;
    if (!fits) fail(concat(what, " is ", value.dump(), "; a whole number from 0 on is needed"));
    return value.get<std::uint64_t>();
  }

  ReplayPrompt identity(const json& value) const {
    if (value.is_string() && !value.get_ref<const std::string&>().empty())
      return {prompt_id(value.get_ref<const std::string&>()), value.dump(), {}};
    const bool number = value.is_number_unsigned() && value.get<std::uint64_t>() >> 63 == 0;
    if (!number)
      fail(concat("'prompt' is ", value.dump(),
                  "; a whole number from 0 to 2^63 - 1 or a text is needed"));
    return {value.get<PromptId>(), value.dump(), {}};
  }

  Outcome outcome_of(const json& value, std::size_t index) const {
    const std::string what = concat("outcome ", index);
    if (!value.is_object()) fail(what + " is not an object");
    check_keys(
        value,
        std::array{"correct", "reward", "tokens", "answer", "truncated", "logprob", "entropy"},
        what);
    Outcome outcome;
    outcome.tokens = 1;
    if (value.contains("tokens"))
      outcome.tokens =
          static_cast<std::uint32_t>(whole(value["tokens"], concat("'tokens' of ", what), 1e9));
    if (flag(value, "truncated", what).value_or(false)) outcome.status = Status::Truncated;
    outcome.mean_logprob = number(value, "logprob", what);
    outcome.mean_entropy = number(value, "entropy", what);
    read_score(value, what, outcome);
    if (value.contains("answer")) read_answer(value["answer"], what, outcome);
    return outcome;
  }

  float number(const json& object, const char* key, const std::string& what) const {
    if (!object.contains(key)) return 0;
    const float value = object[key].is_number() ? object[key].get<float>() : NAN;
    if (!std::isfinite(value))
      fail(concat("'", key, "' of ", what, " is ", object[key].dump(), "; a number is needed"));
    return value;
  }

  void read_score(const json& value, const std::string& what, Outcome& outcome) const {
    const std::optional<bool> correct = flag(value, "correct", what);
    const bool rewarded = value.contains("reward");
    if (!correct && !rewarded) fail(concat(what, " has neither 'correct' nor 'reward'"));
    if (rewarded && value["reward"].is_null()) {
      outcome.scoring = Scoring::NotScorable;
    } else if (rewarded) {
      outcome.reward = value["reward"].is_number() ? value["reward"].get<float>() : NAN;
      if (!std::isfinite(outcome.reward))
        fail(concat("'reward' of ", what, " is ", value["reward"].dump(),
                    "; a number or null is needed"));
    } else {
      outcome.reward = *correct ? 1 : 0;
    }
    outcome.correct = correct.value_or(outcome.reward > 0.5f);
  }

  void read_answer(const json& answer, const std::string& what, Outcome& outcome) const {
    if (answer.is_structured()) fail(concat("'answer' of ", what, " is not a single value"));
    outcome.parsed = !answer.is_null();
    if (outcome.parsed)
      outcome.answer_class = static_cast<std::int64_t>(hash_bytes(answer.dump()) >> 1);
  }

  std::optional<bool> flag(const json& object, const char* key, const std::string& what) const {
    if (!object.contains(key)) return std::nullopt;
    if (!object[key].is_boolean())
      fail(
          concat("'", key, "' of ", what, " is ", object[key].dump(), "; true or false is needed"));
    return object[key].get<bool>();
  }

  std::string where_;
};

}  // namespace

ReplayInput read_replay(std::string_view text, std::string_view where) {
  ReplayInput input;
  std::map<std::uint64_t, std::set<PromptId>> seen;  // by step
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    const LineReader reader(where, number);
    auto [step, prompt] = reader.read(line);
    if (!seen[step].insert(prompt.id).second)
      reader.fail(concat("prompt ", prompt.label, " stands twice in step ", step));
    for (const Outcome& outcome : prompt.outcomes)
      input.max_tokens = std::max(input.max_tokens, outcome.tokens);
    input.steps[step].push_back(std::move(prompt));
  }
  if (input.steps.empty())
    throw Error(ErrorKind::Data, where, "there are no prompts; one or more lines are needed",
                kExampleFile);
  return input;
}

}  // namespace allot
