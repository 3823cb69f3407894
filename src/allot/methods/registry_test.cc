#include "allot/methods/registry.h"

#include <set>

#include <gtest/gtest.h>

#include "allot/core/error.h"

namespace allot {
namespace {

std::string message_of(auto call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Config);
    return error.what();
  }
  return "nothing was thrown";
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Registry, NamesAreDistinctAndDescribed) {
  std::set<std::string> names;
  for (const MethodInfo& info : methods()) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_FALSE(info.summary.empty());
    EXPECT_TRUE(has(info.paper, "arXiv") || has(info.paper, "ours")) << info.paper;
    AllocOptions alloc;
    alloc.method = info.name;
    EXPECT_NE(make_method(alloc, {}), nullptr);
  }
  EXPECT_EQ(methods()[0].name, "grpo");
}

TEST(Registry, UnknownMethodNamesTheNearest) {
  AllocOptions alloc;
  alloc.method = "areo";
  const std::string message = message_of([&] { make_method(alloc, {}); });
  EXPECT_TRUE(has(message, "'areo'") && has(message, "did you mean 'aero'")) << message;
}

TEST(Registry, OptionsAreSetByKeyAndCopied) {
  AllocOptions alloc;
  OptionList::of(alloc, "alloc").set("alloc.aero.degenerate", "off", "test");
  AllocOptions copy = alloc;
  OptionList::of(copy, "alloc").set("alloc.aero.degenerate", "none_std", "test");
  const auto value = [](AllocOptions& options) {
    return OptionList::of(options, "alloc").find("alloc.aero.degenerate")->plain_text();
  };
  EXPECT_EQ(value(alloc), "off");
  EXPECT_EQ(value(copy), "none_std");
}

TEST(Registry, OptionsOfOneMethod) {
  AllocOptions alloc;
  const OptionList aero = method_options(alloc, "aero");
  EXPECT_TRUE(aero.find("alloc.aero.explore"));
  EXPECT_FALSE(aero.find("alloc.refill.max_rounds"));
  const OptionList dapo = method_options(alloc, "dapo");
  EXPECT_TRUE(dapo.find("alloc.dapo.candidates_per_group"));
  EXPECT_TRUE(dapo.find("alloc.refill.max_rounds"));
  EXPECT_FALSE(dapo.find("alloc.aero.explore"));
}

TEST(Registry, NeedsInWords) {
  EXPECT_EQ(needs_text(default_needs("grpo")), "");
  EXPECT_EQ(needs_text(default_needs("dapo")), "2 candidates per group, refill, hold");
  EXPECT_EQ(needs_text(default_needs("aero")), "up to 11 rounds");
}

TEST(AllocOptions, RulesAcrossFields) {
  AllocOptions alloc;
  alloc.n_min = 5;
  alloc.n_max = 4;
  EXPECT_TRUE(has(message_of([&] { alloc.validate(); }), "[alloc.n_min] 5 was given"));
  alloc = {};
  alloc.refill.accept_range = {.5};
  EXPECT_TRUE(has(message_of([&] { alloc.validate(); }), "alloc.refill.accept_range"));
  alloc.refill.accept_range = {.9, .1};
  EXPECT_TRUE(has(message_of([&] { alloc.validate(); }), "ascending"));
  alloc.refill.accept_range = {.1, .9};
  EXPECT_NO_THROW(alloc.validate());
  alloc.group_size = 1;
  EXPECT_TRUE(has(message_of([&] { alloc.validate(); }), "alloc.group_size"));
  // Rules of a method that is not chosen do not matter.
  alloc = {};
  OptionList::of(alloc, "alloc").set("alloc.aero.explore", "100", "test");
  EXPECT_NO_THROW(alloc.validate());
  alloc.method = "aero";
  EXPECT_THROW(alloc.validate(), Error);
}

TEST(AllocOptions, BudgetOfAStep) {
  AllocOptions alloc;
  Budget budget = step_budget(alloc, 32);
  EXPECT_EQ(budget.groups, 32u);
  EXPECT_EQ(budget.rollouts, 256u);
  EXPECT_EQ(budget.tokens, 0u);
  EXPECT_FALSE(budget.hard_rollouts || budget.hard_tokens || budget.run_rollouts);
  EXPECT_FALSE(budget.run_steps);
  alloc.budget = {100, 5, 200, 300, 400, 0};
  alloc.n_min = 2;
  alloc.n_max = 9;
  budget = step_budget(alloc, 32, 64, 1000);
  EXPECT_EQ(budget.rollouts, 100u);
  EXPECT_EQ(budget.tokens, 5u);
  EXPECT_EQ(budget.hard_rollouts, 200u);
  EXPECT_EQ(budget.hard_tokens, 300u);
  EXPECT_EQ(budget.run_rollouts, 400u);
  EXPECT_EQ(budget.run_steps, 1000u);
  EXPECT_EQ(budget.n_min, 2u);
  EXPECT_EQ(budget.n_max, 9u);
  EXPECT_EQ(budget.max_tokens, 64u);
}

}  // namespace
}  // namespace allot
