#include "allot/app/method_listing.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "allot/core/error.h"
#include "allot/core/joined.h"
#include "allot/methods/pairs.h"
#include "allot/methods/registry.h"

namespace allot {
namespace {

using nlohmann::ordered_json;

std::string needs_or_nothing(std::string_view name) {
  const std::string needs = needs_text(default_needs(name));
  return needs.empty() ? "nothing beyond one round of rollouts" : needs;
}

ordered_json needs_json(const Needs& needs) {
  ordered_json flags = ordered_json::array();
  const std::pair<bool, const char*> all[] = {
      {needs.refill, "refill"},       {needs.cancel, "cancel"},
      {needs.hold, "hold"},           {needs.exemplar, "exemplar"},
      {needs.logprob, "logprob"},     {needs.entropy, "entropy"},
      {needs.embedding, "embedding"}, {needs.answer_class, "answer_class"}};
  for (const auto& [wanted, flag] : all)
    if (wanted) flags.push_back(flag);
  return {{"grain", name(needs.grain)},
          {"draw", name(needs.draw)},
          {"max_rounds", needs.max_rounds},
          {"candidate_factor", needs.candidate_factor},
          {"features", flags}};
}

}  // namespace

std::string methods_text() {
  std::size_t width = 0;
  for (const MethodInfo& info : methods()) width = std::max(width, info.name.size());
  std::string text;
  for (const MethodInfo& info : methods())
    text +=
        concat("  ", info.name, std::string(width + 2 - info.name.size(), ' '), info.summary, "\n");
  std::vector<std::string> pairs;
  for (const MethodInfo& info : combinations()) pairs.push_back(info.name);
  return text + "\ncombinations: " + joined(pairs) +
         "\n\nallot methods NAME shows a method's options, needs and paper.\n";
}

std::string method_text(std::string_view name) {
  const MethodInfo& info = method_info(name);
  AllocOptions alloc;
  std::string text = concat(info.name, ": ", info.summary, "\n\npaper: ", info.paper,
                            "\nneeds: ", needs_or_nothing(info.name), "\n\noptions:\n");
  const OptionList options = method_options(alloc, info.name);
  for (const Option& option : options.all())
    text += concat("  ", option.key, " = ", option.default_text, "  (", option.type(), ")\n      ",
                   option.help, "\n");
  if (options.all().empty()) text += "  none of its own\n";
  return text +
         "\nshared options: alloc.group_size, alloc.budget.*, adv.* (allot config prints all)\n";
}

std::string methods_json(std::string_view name) {
  ordered_json list = ordered_json::array();
  const auto names = name.empty() ? method_names() : std::vector{method_info(name).name};
  for (const std::string& wanted : names) {
    const MethodInfo& info = method_info(wanted);
    AllocOptions alloc;
    list.push_back({{"name", info.name},
                    {"summary", info.summary},
                    {"paper", info.paper},
                    {"needs", needs_json(default_needs(info.name))},
                    {"options", ordered_json::parse(method_options(alloc, info.name).json())}});
  }
  return ordered_json{{"methods", list}}.dump();
}

}  // namespace allot
