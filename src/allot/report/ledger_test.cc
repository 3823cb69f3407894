// The ledger against a straightforward second reading of the same visits, and its texts by hand.
#include "allot/report/ledger.h"

#include <algorithm>
#include <map>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <rapidcheck/gtest.h>

#include "allot/core/error.h"
#include "allot/core/testing/temporary_folder.h"
#include "allot/store/testing/synthetic_run.h"

namespace allot {
namespace {

PromptVisit visit(std::uint64_t step, std::uint32_t prompt, std::uint32_t verdicts,
                  std::uint32_t right) {
  PromptVisit v;
  v.step = step;
  v.prompt = prompt;
  v.generated = v.verdicts = verdicts;
  v.correct = v.right = right;
  v.tokens = 10 * verdicts;
  v.cause = right == 0          ? ZeroCause::AllWrong
            : right == verdicts ? ZeroCause::AllRight
                                : ZeroCause::None;
  return v;
}

// Learned, dead, mixed, one whose answers could never be scored, and one never planned.
PromptHistory small_history() {
  PromptHistory history;
  for (const char* key : {"learned", "dead", "mixed", "silent", "never"})
    history.prompts.push_back({history.prompts.size() + 1, key, concat("What is ", key, "?")});
  history.visits = {visit(0, 0, 4, 0), visit(0, 1, 4, 0), visit(1, 2, 4, 3), visit(1, 0, 4, 2),
                    visit(2, 0, 4, 4), visit(2, 1, 4, 0), visit(3, 3, 0, 0)};
  history.visits.back().cause = ZeroCause::VerifierError;
  return history;
}

TEST(Ledger, ByHand) {
  const RunLedger ledger = ledger_of(small_history());
  ASSERT_EQ(ledger.rows.size(), 5u);
  EXPECT_EQ(ledger.rows[0].key, "dead");
  EXPECT_EQ(ledger.rows[0].streak.wrong, 8u);
  EXPECT_EQ(ledger.rows[1].key, "mixed");
  EXPECT_EQ(ledger.rows[2].key, "learned");
  EXPECT_EQ(ledger.rows[2].state, PromptState::Solved);
  EXPECT_EQ(ledger.rows[2].right, 6u);
  EXPECT_EQ(ledger.rows[2].rollouts, 12u);
  EXPECT_EQ(ledger.rows[2].tokens, 120u);
  EXPECT_EQ(ledger.rows[3].state, PromptState::Unseen);
  EXPECT_EQ(ledger.counts.unseen, 2u);
  EXPECT_EQ(ledger.steps, 4u);
  EXPECT_EQ(ledger.causes[static_cast<std::size_t>(ZeroCause::AllWrong)], 3u);

  const auto over = ledger_over_steps(small_history());
  ASSERT_EQ(over.size(), 4u);
  EXPECT_EQ(over[0].counts.dead, 2u);
  EXPECT_EQ(over[1].counts.mixed, 2u);
  EXPECT_EQ(over[2].counts.solved, 1u);
  EXPECT_EQ(over[3].counts.unseen, 2u);
}

TEST(Ledger, FiltersByStateAndKey) {
  const RunLedger ledger = ledger_of(small_history());
  EXPECT_EQ(filtered(ledger, {}).size(), 5u);
  EXPECT_EQ(filtered(ledger, {.dead = true}).size(), 1u);
  EXPECT_EQ(filtered(ledger, {.dead = true, .solved = true}).size(), 2u);
  EXPECT_EQ(filtered(ledger, {.key = "mixed"}).size(), 1u);
  EXPECT_THROW(filtered(ledger, {.key = "nobody"}), Error);
  EXPECT_EQ(ledger_of(small_history(), 9).counts.dead, 0u);
}

TEST(Ledger, TextNamesCausesBoundsAndHistory) {
  const RunLedger ledger = ledger_of(small_history());
  const std::string text = ledger_text(ledger, {}, 100);
  for (const char* words :
       {"5 prompts after 4 steps: 1 dead, 1 mixed, 1 solved, 2 unseen", "all_wrong 42.9 %",
        "verifier_error 14.3 %", "below 31.2 %", "above 47.3 %", "0/4 2/4 4/4", "never"})
    EXPECT_NE(text.find(words), std::string::npos) << words << "\n" << text;
  EXPECT_NE(ledger_text(ledger, {}, 2).find("and 3 more"), std::string::npos);
  const std::string one = ledger_text(ledger, {.key = "learned"}, 100);
  EXPECT_NE(one.find("What is learned?"), std::string::npos);
  EXPECT_NE(one.find("50.0 %"), std::string::npos);
  EXPECT_EQ(one.find("dead\n"), std::string::npos);
}

TEST(Ledger, HostileKeysStayInTheirCell) {
  PromptHistory history = small_history();
  history.prompts[0].key = "\x1b[2J,\"x\"\n\xff" + std::string(200, 'k');
  const RunLedger ledger = ledger_of(history);
  const std::string text = ledger_text(ledger, {}, 100);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find(std::string(60, 'k')), std::string::npos);
  const auto json = nlohmann::json::parse(ledger_json(ledger, {}));
  EXPECT_EQ(json["prompts"].size(), 5u);
  EXPECT_EQ(json["counts"]["dead"], 1);
  const std::string csv = ledger_csv(ledger, {.solved = true});
  EXPECT_NE(csv.find(",\"\"x\"\"\n"), std::string::npos);
}

TEST(Ledger, CsvHasOneLinePerPrompt) {
  const std::string csv = ledger_csv(ledger_of(small_history()), {});
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 6);
  EXPECT_NE(csv.find("learned,solved,12,6,4,1,3,12,0,120,2,all_right,0/4 2/4 4/4\n"),
            std::string::npos)
      << csv;
}

// The rule once more, from the end backwards, as core/prompt_state.h says it in words.
PromptState state_by_words(const std::vector<PromptVisit>& visits, std::uint64_t least) {
  std::uint64_t right = 0, wrong = 0;
  bool any = false;
  for (auto v = visits.rbegin(); v != visits.rend(); ++v) {
    if (v->verdicts == 0) continue;
    any = true;
    if ((v->right > 0 && (wrong > 0 || v->right < v->verdicts)) || (v->right == 0 && right > 0))
      break;
    right += v->right;
    wrong += v->verdicts - v->right;
  }
  if (!any) return PromptState::Unseen;
  if (wrong >= std::max<std::uint64_t>(least, 1)) return PromptState::Dead;
  if (right >= std::max<std::uint64_t>(least, 1)) return PromptState::Solved;
  return PromptState::Mixed;
}

RC_GTEST_PROP(LedgerProperty, StatesAndCountsOverTime, ()) {
  PromptHistory history;
  const auto prompts = *rc::gen::inRange<std::uint32_t>(1, 6);
  for (std::uint32_t i = 0; i < prompts; ++i) history.prompts.push_back({i, concat("p", i), ""});
  const auto count = *rc::gen::inRange(0, 40);
  for (int i = 0; i < count; ++i) {
    const auto verdicts = *rc::gen::inRange<std::uint32_t>(0, 5);
    history.visits.push_back(visit(static_cast<std::uint64_t>(i / 3),
                                   *rc::gen::inRange<std::uint32_t>(0, prompts), verdicts,
                                   verdicts * *rc::gen::element(0u, 1u, 2u) / 2));
  }
  const auto least = *rc::gen::inRange<std::uint64_t>(0, 9);
  const RunLedger ledger = ledger_of(history, least);
  RC_ASSERT(ledger.rows.size() == prompts);
  for (const LedgerRow& row : ledger.rows) {
    std::vector<PromptVisit> own;
    for (const PromptVisit& v : history.visits)
      if (v.prompt == row.id) own.push_back(v);
    RC_ASSERT(row.state == state_by_words(own, least));
  }
  const auto over = ledger_over_steps(history, least);
  for (const LedgerAfterStep& step : over) {
    PromptHistory cut = history;
    std::erase_if(cut.visits, [&](const PromptVisit& v) { return v.step > step.step; });
    const LedgerCounts c = ledger_of(cut, least).counts;
    RC_ASSERT(c.dead == step.counts.dead && c.mixed == step.counts.mixed);
    RC_ASSERT(c.solved == step.counts.solved && c.unseen == step.counts.unseen);
  }
}

}  // namespace
}  // namespace allot
