// The allocation methods by name: what they are, which options they have, how to make one.
//
//   AllocOptions alloc;  AdvantageOptions adv;
//   OptionList::of(alloc, "alloc").set("alloc.method", "aero", "--set");
//   Controller controller(make_method(alloc, adv), {.method = alloc.method, ...});
//
// A new method is one file that defines a MethodInfo, and its line in registry.cc.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "allot/core/method.h"
#include "allot/core/options.h"
#include "allot/methods/alloc_options.h"
#include "allot/methods/method_section.h"
#include "allot/methods/parts/advantages.h"

namespace allot {

struct MethodInfo {
  std::string name;       // as in alloc.method
  std::string summary;    // one line
  std::string paper;      // title and arXiv number
  MethodSection options;  // its own, with their defaults
  std::unique_ptr<Method> (*make)(const AllocOptions&, const AdvantageOptions&);
  bool shares_refill = false;  // alloc.refill.* applies to it
};

template <class M>  // M(const AllocOptions&, const AdvantageOptions&)
std::unique_ptr<Method> construct(const AllocOptions& alloc, const AdvantageOptions& adv) {
  return std::make_unique<M>(alloc, adv);
}

// In the order of registry.cc.
const std::vector<MethodInfo>& methods();
std::vector<std::string> method_names();

// Also of a combination ("mopps+aero", methods/pairs.h). Throws Error(Config) that names the
// nearest method, or says why a pair is none.
const MethodInfo& method_info(std::string_view name);

// Validates both and makes the method that `alloc` names.
std::unique_ptr<Method> make_method(const AllocOptions& alloc, const AdvantageOptions& adv);

// With default options; for listings.
Needs default_needs(std::string_view name);

// alloc.<name>.* (of both methods of a combination), and alloc.refill.* where that applies. Refers
// to `alloc`.
OptionList method_options(AllocOptions& alloc, std::string_view name);

// Needs that differ from those of plain GRPO, in words: "refill, hold, 11 rounds"; "" if none.
std::string needs_text(const Needs& needs);

}  // namespace allot
