#include "allot/app/reward_functions.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "allot/core/error.h"
#include "allot/methods/parts/overlong.h"
#include "allot/tasks/math_verifier.h"
#include "allot/tasks/rewards/shaping.h"

namespace allot {
namespace {

constexpr std::size_t kAtOnce = 16;  // rollouts of one call; a call that hangs costs these only

// What a built-in function may need to know.
struct FunctionContext {
  const RewardOptions& options;
  const TaskOptions& tasks;
  const std::shared_ptr<Verifier>& task_verifier;
  std::uint32_t longest_response;
};

std::shared_ptr<Verifier> math(const FunctionContext& setting, verify::Preset preset) {
  verify::MathOptions options = setting.tasks.jsonl.verifier;
  options.preset = preset;
  return tested_math_verifier(std::move(options));
}

// Of the text alone.
template <class Value>
std::shared_ptr<Verifier> of_text(Value value) {
  return verifier_of([value](std::span<const Rollout> rollouts, const PromptSource&) {
    std::vector<float> values;
    for (const Rollout& rollout : rollouts)
      values.push_back(static_cast<float>(value(rollout.text)));
    return values;
  });
}

std::shared_ptr<Verifier> soft_overlong(const FunctionContext& setting) {
  const std::uint64_t limit = setting.longest_response;
  const int given = setting.options.overlong_buffer;
  const std::uint64_t buffer =
      given > 0 ? static_cast<std::uint64_t>(given) : std::max<std::uint64_t>(1, limit / 5);
  if (buffer > limit)
    throw Error(
        ErrorKind::Config, "reward.overlong_buffer",
        concat(buffer, " was given; at most the longest response (", limit, " tokens) is needed"));
  return verifier_of([limit, buffer](std::span<const Rollout> rollouts, const PromptSource&) {
    std::vector<float> values;
    for (const Rollout& rollout : rollouts)
      values.push_back(static_cast<float>(overlong_penalty(rollout.length(), limit, buffer)));
    return values;
  });
}

// Asks the task's verifier what is correct; what it cannot score has no value here either.
std::shared_ptr<Verifier> cosine(const FunctionContext& setting) {
  return verifier_of([judge = setting.task_verifier, limit = setting.longest_response](
                         std::span<const Rollout> rollouts, const PromptSource& prompts) {
    const std::vector<Score> scores = judge->score(rollouts, prompts);
    std::vector<float> values;
    for (std::size_t i = 0; i < scores.size(); ++i)
      values.push_back(
          scores[i].scoring != Scoring::Scored
              ? std::numeric_limits<float>::quiet_NaN()
              : static_cast<float>(length_cosine(scores[i].correct, rollouts[i].length(), limit)));
    return values;
  });
}

struct ShippedFunction {
  const char* name;
  bool judges;  // correctness
  std::shared_ptr<Verifier> (*make)(const FunctionContext&);
};

constexpr ShippedFunction kRows[] = {
    {"task", true, [](const FunctionContext& s) { return s.task_verifier; }},
    {"math", true, [](const FunctionContext& s) { return math(s, verify::Preset::Math); }},
    {"gsm8k", true, [](const FunctionContext& s) { return math(s, verify::Preset::Gsm8k); }},
    {"choice", true, [](const FunctionContext& s) { return math(s, verify::Preset::Choice); }},
    {"countdown", true,
     [](const FunctionContext& s) -> std::shared_ptr<Verifier> {
       return std::make_shared<ScoredVerifier>(countdown(s.tasks.countdown).score);
     }},
    {"exact", true,
     [](const FunctionContext&) -> std::shared_ptr<Verifier> {
       return std::make_shared<ScoredVerifier>(exact_score);
     }},
    {"format", false, [](const FunctionContext&) { return of_text(think_format); }},
    {"soft_overlong", false, soft_overlong},
    {"length_cosine", false, cosine},
    {"repetition", false,
     [](const FunctionContext& s) {
       return of_text([n = static_cast<std::size_t>(s.options.repetition_words)](
                          const std::string& text) { return repetition_penalty(text, n); });
     }},
};

// "EASY:HARD" or "EASY:HARD:LEAST".
RewardGate gate_of(const std::string& text, double least) {
  const auto refuse = [&] {
    throw Error(ErrorKind::Config, "reward.gate",
                concat("'", text, "' was given; EASY:HARD or EASY:HARD:LEAST is needed"),
                "for example format:math:1");
  };
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos || colon == 0) refuse();
  const std::size_t second = text.find(':', colon + 1);
  RewardGate gate{text.substr(0, colon), text.substr(colon + 1, second - colon - 1), least};
  if (gate.by.empty()) refuse();
  if (second != std::string::npos) {
    const std::string number = text.substr(second + 1);
    std::size_t read = 0;
    try {
      gate.least = std::stod(number, &read);
    } catch (const std::exception&) {
      refuse();
    }
    if (read != number.size()) refuse();
  }
  return gate;
}

void require_function(const std::vector<std::string>& functions, const std::string& name,
                      const std::string& gate) {
  if (std::find(functions.begin(), functions.end(), name) == functions.end())
    throw Error(ErrorKind::Config, "reward.gate",
                concat("'", gate, "' was given; '", name, "' is not among reward.functions"));
}

}  // namespace

std::vector<std::string> reward_function_names() {
  std::vector<std::string> names;
  for (const ShippedFunction& row : kRows) names.emplace_back(row.name);
  return names;
}

void RewardOptions::validate() const {
  const std::vector<std::string> known = reward_function_names();
  if (functions.empty())
    throw Error(ErrorKind::Config, "reward.functions", "none was given; one or more are needed");
  for (const std::string& name : functions) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      const std::string near = nearest(name, known);
      throw Error(ErrorKind::Config, "reward.functions",
                  concat("'", name, "' was given; a built-in function is needed"),
                  near.empty() ? "a function of one's own needs the Python package"
                               : concat("did you mean '", near, "'?"));
    }
    if (std::count(functions.begin(), functions.end(), name) > 1)
      throw Error(ErrorKind::Config, "reward.functions",
                  concat("'", name, "' was given twice; once is needed"));
  }
  if (!weights.empty() && weights.size() != functions.size())
    throw Error(ErrorKind::Config, "reward.weights",
                concat(weights.size(), " were given for ", functions.size(),
                       " reward.functions; one each, or none, is needed"));
  const std::vector<RewardGate> gates = rules().gates;
  for (std::size_t i = 0; i < gates.size(); ++i)
    for (const std::string& name : {gates[i].gated, gates[i].by})
      require_function(functions, name, gate[i]);
}

RewardRules RewardOptions::rules() const {
  RewardRules rules;
  for (const std::string& text : gate) rules.gates.push_back(gate_of(text, success_threshold));
  rules.success_threshold = success_threshold;
  rules.workers = workers;
  rules.timeout_s = timeout_s;
  return rules;
}

std::unique_ptr<Verifier> make_reward_verifier(const RewardOptions& options,
                                               const TaskOptions& tasks,
                                               std::shared_ptr<Verifier> task_verifier,
                                               std::uint32_t longest_response) {
  options.validate();
  const FunctionContext setting{options, tasks, task_verifier, longest_response};
  std::vector<RewardFunction> functions;
  for (std::size_t i = 0; i < options.functions.size(); ++i) {
    const std::string& name = options.functions[i];
    const ShippedFunction& row =
        *std::find_if(std::begin(kRows), std::end(kRows),
                      [&](const ShippedFunction& one) { return name == one.name; });
    functions.push_back({name, row.make(setting), options.weights.empty() ? 1 : options.weights[i],
                         row.judges, kAtOnce});
  }
  return std::make_unique<RewardVerifier>(std::move(functions), options.rules());
}

}  // namespace allot
