#include "allot/methods/scale_table.h"

#include <array>

#include "allot/core/error.h"
#include "allot/methods/enumeration.h"

namespace allot {
namespace {

constexpr std::array<double, 8> kRates = {.03, .0625, .125, .25, .5, .75, .9, .97};

// What a course counts: once, or 1 / (pass rate of its pool), for an estimator that multiplies its
// advantages by that.
enum class Factor { One, InversePoolRate };

struct Case {
  const char* label;
  const char* method;
  std::vector<std::pair<const char*, const char*>> settings;  // on top of group_size 8
  Factor factor = Factor::One;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"leave-one-out (RLOO)", "grpo", {{"adv.estimator", "leave_one_out"}}},
      {"mean baseline, no std, n = 8", "grpo", {{"adv.scale", "none"}}},
      {"GRPO n = 8, std ddof 1", "grpo", {{"adv.eps", "0"}}},
      {"GRPO n = 8, std pop", "grpo", {{"adv.eps", "0"}, {"adv.ddof", "0"}}},
      {"AR3PO k = 4, S = 2, std pop, no reuse", "ar3po", {}},
      {"AERO, math settings", "aero", {{"alloc.group_size", "16"}}},
      {"AERO, degenerate groups off",
       "aero",
       {{"alloc.group_size", "16"}, {"alloc.aero.degenerate", "off"}}},
      {"PODS 64 -> 16, no std", "pods", {{"alloc.group_size", "16"}, {"adv.scale", "none"}}},
      {"PODS 64 -> 16, std ddof 1", "pods", {{"alloc.group_size", "16"}, {"adv.ddof", "1"}}},
      {"PODS 64 -> 16, std pop", "pods", {{"alloc.group_size", "16"}}},
      {"PODS 64 -> 16, strata weights",
       "pods",
       {{"alloc.group_size", "16"}, {"alloc.pods.statistics", "strata"}}},
      {"Reinforce-Ada balanced, pool mean",
       "reinforce_ada",
       {{"alloc.reinforce_ada.estimator", "pool_mean"}}},
      {"Reinforce-Ada, strata weights", "reinforce_ada", {}},
      {"Reinforce-Ada, log-objective correction",
       "reinforce_ada",
       {{"alloc.reinforce_ada.estimator", "log_fix"}}},
      {"Reinforce-Ada, pool mean, then 1/p (wrong)",
       "reinforce_ada",
       {{"alloc.reinforce_ada.estimator", "pool_mean"}},
       Factor::InversePoolRate},
      {"Reinforce-Ada Est, first visit, n = 8", "reinforce_ada_est", {}},
  };
  return all;
}

ScaleRow row_of(const Case& c, std::span<const double> rates) {
  AllocOptions alloc;
  AdvantageOptions adv;
  OptionList options = OptionList::of(alloc, "alloc");
  options.add(adv, "adv");
  options.set("alloc.method", c.method, "scale table");
  ScaleRow row{c.label, c.method, {}, {}};
  for (const auto& [key, value] : c.settings) {
    options.set(key, value, "scale table");
    row.settings += concat(row.settings.empty() ? "" : " ", key, "=", value);
  }
  const std::vector<Course> courses = courses_of(alloc, adv);
  for (const double p : rates)
    row.values.push_back(expectation(courses, p, [&](const Course& course) {
      const bool by_rate = c.factor == Factor::InversePoolRate && course.right > 0;
      return course.scale(p) / (by_rate ? course.pass_rate() : 1);
    }));
  return row;
}

}  // namespace

std::span<const double> scale_rates() { return kRates; }

std::vector<ScaleRow> scale_table(std::span<const double> rates) {
  std::vector<ScaleRow> rows;
  for (const Case& c : cases()) rows.push_back(row_of(c, rates));
  return rows;
}

}  // namespace allot
