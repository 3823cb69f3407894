#include "allot/methods/registry.h"

#include <algorithm>

#include "allot/core/error.h"
#include "allot/core/joined.h"
#include "allot/methods/pairs.h"

namespace allot {

// One per method, defined in the method's own file.
MethodInfo grpo_method();
MethodInfo dapo_method();
MethodInfo aero_method();
MethodInfo cero_method();
MethodInfo knapsack_method();
MethodInfo coba_method();
MethodInfo vip_method();
MethodInfo dynamic_pruning_method();
MethodInfo ar3po_method();
MethodInfo reinforce_ada_method();
MethodInfo reinforce_ada_est_method();
MethodInfo pods_method();
MethodInfo optpo_method();
MethodInfo mopps_method();
MethodInfo greso_method();
MethodInfo speed_method();
MethodInfo rollout_bandit_method();
MethodInfo evidence_method();

const std::vector<MethodInfo>& methods() {
  static const std::vector<MethodInfo> all = {grpo_method(),
                                              dapo_method(),
                                              aero_method(),
                                              cero_method(),
                                              knapsack_method(),
                                              coba_method(),
                                              vip_method(),
                                              dynamic_pruning_method(),
                                              ar3po_method(),
                                              reinforce_ada_method(),
                                              reinforce_ada_est_method(),
                                              pods_method(),
                                              optpo_method(),
                                              mopps_method(),
                                              greso_method(),
                                              speed_method(),
                                              rollout_bandit_method(),
                                              evidence_method()};
  return all;
}

std::vector<std::string> method_names() {
  std::vector<std::string> names;
  for (const MethodInfo& info : methods()) names.push_back(info.name);
  return names;
}

const MethodInfo& method_info(std::string_view name) {
  if (is_combination(name)) return combination_info(name);
  for (const MethodInfo& info : methods())
    if (info.name == name) return info;
  const std::string near = nearest(name, method_names());
  throw Error(
      ErrorKind::Config, "alloc.method",
      concat("unknown method '", name, "'; one of ", joined(method_names()), " is needed"),
      near.empty() ? "`allot methods` describes them" : concat("did you mean '", near, "'?"));
}

std::unique_ptr<Method> make_method(const AllocOptions& alloc, const AdvantageOptions& adv) {
  alloc.validate();
  adv.validate_for_methods();
  return method_info(alloc.method).make(alloc, adv);
}

Needs default_needs(std::string_view name) {
  AllocOptions alloc;
  alloc.method = std::string(name);
  return make_method(alloc, {})->needs();
}

OptionList method_options(AllocOptions& alloc, std::string_view name) {
  OptionList list;
  bool refill = false;
  for (const std::string& part : parts_of(method_info(name).name)) {
    for (auto& [section_name, section] : alloc.sections)
      if (section_name == part) list.add(section, "alloc." + part);
    refill |= method_info(part).shares_refill;
  }
  if (refill) list.add(alloc.refill, "alloc.refill");
  return list;
}

std::string needs_text(const Needs& needs) {
  std::vector<std::string> words;
  const auto add = [&](bool holds, const char* word) {
    if (holds) words.emplace_back(word);
  };
  add(needs.grain != Grain::Round,
      needs.grain == Grain::Rollout ? "rollouts one by one" : "requests one by one");
  if (needs.draw != Draw::Stream) words.push_back(concat(name(needs.draw), " draws"));
  if (needs.candidate_factor == 0)
    words.emplace_back("prompts by refill alone");
  else if (needs.candidate_factor != 1)
    words.push_back(concat(needs.candidate_factor, " candidates per group"));
  if (needs.max_rounds > 1) words.push_back(concat("up to ", needs.max_rounds, " rounds"));
  add(needs.refill, "refill");
  add(needs.cancel, "cancel");
  add(needs.hold, "hold");
  add(needs.exemplar, "exemplar");
  add(needs.logprob, "log-probabilities");
  add(needs.entropy, "entropy");
  add(needs.embedding, "prompt embeddings");
  add(needs.answer_class, "answer classes");
  return joined(words);
}

}  // namespace allot
