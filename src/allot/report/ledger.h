// The prompt ledger: what a run knows of every prompt, from dead to solved.
//
//   RunLedger ledger = ledger_of(read_prompt_history("runs/digits"));
//   std::string text = ledger_text(ledger, {.dead = true});
//
// States are those of core/prompt_state.h, on the first-round verdicts of run.sqlite; with the
// default of `least_verdicts` their counts are the metrics ledger/* of the last step.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "allot/core/prompt_state.h"
#include "allot/core/types.h"
#include "allot/report/text_table.h"
#include "allot/store/prompt_history.h"

namespace allot {

// One visit's verdicts of the first round.
struct LedgerVisit {
  std::uint64_t step = 0;
  std::uint32_t verdicts = 0, right = 0;
};

struct LedgerRow {
  PromptId id = 0;
  std::string key, text;
  PromptState state = PromptState::Unseen;
  VerdictStreak streak;                   // equal verdicts at its latest visits
  std::uint64_t verdicts = 0, right = 0;  // of all first rounds
  std::vector<LedgerVisit> visits;        // planned steps, in order; some without a verdict
  std::uint64_t rollouts = 0, trained = 0, tokens = 0;
  ZeroCause last_cause = ZeroCause::None;

  // Share of right answers at the latest visit that had a verdict; nullopt for an unseen prompt.
  std::optional<double> latest_rate() const;
};

struct LedgerCounts {
  std::uint64_t dead = 0, mixed = 0, solved = 0;
  std::uint64_t unseen = 0;  // never planned, or planned without a verdict
};

inline constexpr std::size_t kZeroCauses =
    static_cast<std::size_t>(ZeroCause::GenerationFailed) + 1;

struct RunLedger {
  std::uint64_t least_verdicts = kLeastVerdicts;
  std::uint64_t steps = 0;      // number of the last step + 1; 0 without one
  std::vector<LedgerRow> rows;  // dead first, then mixed by latest rate, solved, unseen last
  LedgerCounts counts;
  std::array<std::uint64_t, kZeroCauses> causes{};  // planned prompts of all steps, by ZeroCause
};

RunLedger ledger_of(const PromptHistory& history, std::uint64_t least_verdicts = kLeastVerdicts);
// Throws Error(Model) for a folder without a run.
RunLedger ledger_of_run(const RunFolderPath& run, std::uint64_t least_verdicts = kLeastVerdicts);

// Counts after every step that planned something, in order.
struct LedgerAfterStep {
  std::uint64_t step = 0;
  LedgerCounts counts;
};
std::vector<LedgerAfterStep> ledger_over_steps(const PromptHistory& history,
                                               std::uint64_t least_verdicts = kLeastVerdicts);

// Which rows are shown; none of the states chosen means all of them. `key` is one prompt's.
struct LedgerFilter {
  bool dead = false, solved = false, mixed = false, unseen = false;
  std::string key;

  bool wants(PromptState state) const;
};

// The rows that pass, with their history. Throws Error(Data) for a key that no row has.
std::vector<const LedgerRow*> filtered(const RunLedger& ledger, const LedgerFilter& filter);

// What was counted, the zero-signal causes, and up to `limit` rows; with a key its whole history.
std::string ledger_text(const RunLedger& ledger, const LedgerFilter& filter, std::size_t limit);

// Every row that passes, one line each, all columns. Format: docs/formats.md.
std::string ledger_csv(const RunLedger& ledger, const LedgerFilter& filter);
std::string ledger_json(const RunLedger& ledger, const LedgerFilter& filter);

}  // namespace allot
