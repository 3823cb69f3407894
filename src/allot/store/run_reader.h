// Reads a run folder back, also while it is being written or after a crash. Changes nothing.
//
// Throws Error(Model) naming the path: no run there, unknown schema version, damaged database.
// Not thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allot/store/function_rewards.h"
#include "allot/store/run_folder.h"
#include "allot/store/run_recorder.h"
#include "allot/store/totals.h"

namespace allot {

struct StepRow {
  std::uint64_t step = 0;
  bool updated = false;
  RunTotals totals;  // cumulative, after this step
};

struct MetricPoint {
  std::uint64_t step = 0;
  double value = 0;  // may be NaN or infinite, as logged
};

struct EvaluationRow {
  std::uint64_t step = 0;  // steps completed before it
  std::string set;
  std::size_t prompts = 0;
  std::uint32_t group_size = 0;
  double pass_at_1 = 0;
  std::map<int, double> pass_at_k;
  double mean_reward = 0, mean_tokens = 0, truncated_share = 0, no_answer_share = 0;
  bool complete = true;
  RunTotals totals;  // spent on training so far
};

// A rollout that was stored with its text.
struct SampleRow {
  std::uint64_t step = 0;
  std::string prompt_key, prompt, answer;  // reference answer
  std::string response, read_answer, reason;
  double reward = 0;
  bool scored = true, correct = false;
  std::uint32_t tokens = 0;
  std::optional<double> advantage;  // nullopt: not trained on in its own step
  FunctionRewards rewards;          // of several reward functions; of one: empty
};

// A row of the view `completions`: docs/formats.md.
struct CompletionRow {
  std::uint64_t step = 0, round = 0, tokens = 0, trained = 0;
  std::string prompt_key, prompt, reference, completion, verdict, status, answer, reason;
  std::optional<double> reward, advantage;  // nullopt: not scored; not trained on in its own step
  bool correct = false, kept = false;
  std::string prompt_ids, completion_ids;  // JSON lists, "" where they were not stored
  std::string rewards;                     // JSON object, "" unless of several functions
};

struct EventRow {
  std::uint64_t step = 0;
  std::string severity, code, text;
};

class RunReader {
 public:
  explicit RunReader(const RunFolderPath& path);
  ~RunReader();
  RunReader(RunReader&&) noexcept;

  const RunFolderPath& path() const;
  RunFacts facts() const;
  std::string fact(std::string_view key) const;  // "" if there is none
  RunStatus status() const;

  std::vector<StepRow> steps() const;
  std::vector<EvaluationRow> evaluations(std::string_view set = "test") const;
  std::vector<std::string> evaluation_sets() const;                // names, ascending
  std::vector<MetricPoint> series(std::string_view metric) const;  // steps where it was logged
  std::vector<std::string> metric_names() const;
  RunTotals totals() const;  // of the last step; zeros for an empty run

  // Planned prompts by why they carried no signal ("none": they did), over all steps.
  std::map<std::string, std::uint64_t> zero_causes() const;
  // rollouts generated for a prompt in a step -> how often.
  std::map<std::uint32_t, std::uint64_t> rollouts_per_prompt() const;
  // Up to `count` rollouts with text, spread over the run, trained ones and untrained ones.
  std::vector<SampleRow> samples(std::size_t count) const;
  // All of them, by step, prompt and round.
  void each_completion(const std::function<void(const CompletionRow&)>& visit) const;
  std::vector<EventRow> events() const;

  std::string config() const;           // "" if missing
  std::string expanded_config() const;  // "" if missing

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace allot
