// run.sqlite: everything a run decided and measured, one transaction per step.
//
// One writer (the owner of the run's lock), any number of readers; WAL mode. Its size is bounded by
// the number of rollouts: the text of at most `log.completions` rollouts per step is stored.
// Errors: Error(Model). Not thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "allot/loop/evaluate.h"
#include "allot/loop/recorder.h"
#include "allot/store/encode.h"
#include "allot/store/prompt_table.h"
#include "allot/store/sqlite.h"
#include "allot/store/sqlite_rows.h"
#include "allot/store/totals.h"
#include "allot/store/trainer_state.h"

namespace allot {

class RunDatabase {
 public:
  // Opens or makes the database, or brings one of an earlier version up to date; `completions`:
  // rollouts per step stored with their text. Throws Error(Model), also for a damaged file.
  RunDatabase(const std::filesystem::path& path, std::size_t completions);
  RunDatabase(const RunDatabase&) = delete;  // statements refer to the connection
  RunDatabase& operator=(const RunDatabase&) = delete;

  // Forgets steps >= first_step and evaluations after it. Returns how many of the steps before
  // `first_step` are missing (0 unless the file was lost or replaced).
  std::uint64_t cut_back(std::uint64_t first_step);

  // Names all prompts of the data set, so that those never planned are known too. Their text is
  // stored when they are planned first, with the ids that `encode` gives (none: NULL).
  void add_prompts(const PromptSource& prompts, std::span<const PromptId> ids, Encode encode);
  std::optional<std::size_t> tokens(const Prompt& prompt) { return prompts_.tokens(prompt); }

  void write_step(const StepRecord& record);
  void write_event(const Event& event);
  void write_evaluation(std::uint64_t step, std::string_view set, const EvalResult& result,
                        const std::map<int, double>& pass_at_k);
  void forget_evaluations(std::uint64_t step);  // made after exactly so many steps
  bool has_evaluation(std::uint64_t step, std::string_view set);

  std::uint64_t groups() const;  // rows of all steps
  std::string trainer_state(std::uint64_t step, const TrainerFacts& facts) const;

  void set_fact(std::string_view key, std::string_view value);
  void flush();  // moves the log into the database file and syncs it

  const RunTotals& totals() const { return totals_; }

 private:
  struct GroupTally;
  struct StepTally;
  struct OwnItems;
  RunTotals totals_after(const StepRecord& record, const StepTally& tally);
  void write_prompts_and_groups(const StepRecord& record, const StepTally& tally);
  void write_rollouts(const StepRecord& record, const OwnItems& own);
  void write_decisions(const StepRecord& record);
  StepTally tally_of(const StepRecord& record, const OwnItems& own);
  void load_totals();

  std::size_t completions_;
  SqliteConnection connection_;
  PromptTable prompts_;
  SqliteStatement add_step_, add_metric_, add_group_;
  SqliteRows add_rollouts_, add_requests_, add_items_, add_fates_;
  SqliteStatement mark_trained_, find_rollout_, add_evaluation_, add_event_, set_fact_;
  RunTotals totals_;
};

}  // namespace allot
