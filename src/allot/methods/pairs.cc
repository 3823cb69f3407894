#include "allot/methods/pairs.h"

#include "allot/core/error.h"
#include "allot/core/joined.h"
#include "allot/methods/combination.h"

namespace allot {
namespace {

// What the method asks of one prompt in its first round under no cap; 0 if nothing.
std::uint32_t first_round(Method& method, std::uint64_t rollouts) {
  const PromptRef prompt[] = {{1}};
  Budget budget;
  budget.groups = 1;
  budget.rollouts = rollouts;
  const Decision decision = method.plan({.candidates = prompt, .budget = budget});
  return decision.generate.size() == 1 ? decision.generate[0].n : 0;
}

[[noreturn]] void refuse(std::string_view name, std::string_view what, std::string_view hint = {}) {
  throw Error(ErrorKind::Config, "alloc.method", concat("'", name, "': ", what), hint);
}

struct Pair {
  std::string name, chooser, inner;

  AllocOptions inner_options(const AllocOptions& shared) const {
    AllocOptions out = shared;
    out.method = inner;
    out.validate();
    return out;
  }

  // With the inner method's first round as group size.
  AllocOptions chooser_options(const AllocOptions& shared) const {
    const auto probe = method_info(inner).make(inner_options(shared), {});
    const std::uint32_t n = first_round(*probe, static_cast<std::uint64_t>(shared.group_size));
    AllocOptions out = shared;
    out.method = chooser;
    out.group_size = static_cast<int>(n);
    const std::string size = concat(inner, " starts every prompt with ", n, " rollouts");
    try {
      out.validate();
    } catch (const Error& error) {
      refuse(name, concat(size, ", which ", chooser, " cannot choose groups of: ", error.what()));
    }
    const auto choosing = method_info(chooser).make(out, {});
    const std::uint32_t m = first_round(*choosing, n);
    if (m > 0 && m != n)
      refuse(name,
             concat(size, ", but ", chooser, " chooses groups of ", m, "; both must be equal"));
    return out;
  }
};

Pair pair_of(std::string_view name) {
  const std::vector<std::string> parts = parts_of(name);
  if (parts.size() != 2)
    refuse(name, concat(parts.size(), " methods were given; two are needed"), "mopps+aero");
  return {std::string(name), parts[0], parts[1]};
}

std::unique_ptr<Method> make_combination(const AllocOptions& alloc, const AdvantageOptions& adv) {
  const Pair pair = pair_of(alloc.method);
  return combine({pair.chooser, method_info(pair.chooser).make(pair.chooser_options(alloc), adv)},
                 {pair.inner, method_info(pair.inner).make(pair.inner_options(alloc), adv)});
}

// No options of its own: those of both methods apply.
struct PairOptions {
  Pair pair;

  template <class V>
  void fields(V&) {}
  void validate(const AllocOptions& shared) const { pair.chooser_options(shared); }
};

MethodInfo info_of(const Pair& pair) {
  return {pair.name, concat(pair.chooser, " chooses the prompts, ", pair.inner, " does the rest"),
          concat(method_info(pair.chooser).paper, "; ", method_info(pair.inner).paper),
          MethodSection(PairOptions{pair}), make_combination};
}

}  // namespace

bool is_combination(std::string_view name) { return name.find('+') != name.npos; }

std::vector<std::string> parts_of(std::string_view name) {
  std::vector<std::string> parts(1);
  for (const char c : name) {
    if (c == '+')
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

std::vector<std::string> names_with(Role role) {
  std::vector<std::string> names;
  for (const std::string& name : method_names())
    if (default_needs(name).role == role) names.push_back(name);
  return names;
}

const std::vector<MethodInfo>& combinations() {
  static const std::vector<MethodInfo> all = [] {
    std::vector<MethodInfo> pairs;
    for (const std::string& chooser : names_with(Role::Chooser))
      for (const std::string& inner : names_with(Role::InGroup))
        pairs.push_back(info_of({concat(chooser, "+", inner), chooser, inner}));
    return pairs;
  }();
  return all;
}

const MethodInfo& combination_info(std::string_view name) {
  const Pair pair = pair_of(name);
  if (default_needs(method_info(pair.chooser).name).role != Role::Chooser)
    refuse(name, concat(pair.chooser,
                        " cannot stand first: it does more than choose prompts for groups "
                        "of one size; one of ",
                        joined(names_with(Role::Chooser)), " is needed"));
  if (default_needs(method_info(pair.inner).name).role != Role::InGroup)
    refuse(name, concat(pair.inner,
                        " cannot stand second: it does not only act inside the groups it is "
                        "given; one of ",
                        joined(names_with(Role::InGroup)), " is needed"));
  for (const MethodInfo& info : combinations())
    if (info.name == name) return info;
  refuse(name, "this pair is not registered");
}

}  // namespace allot
