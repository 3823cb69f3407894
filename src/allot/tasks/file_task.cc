#include "allot/tasks/file_task.h"

#include <algorithm>
#include <utility>

#include "allot/core/error.h"
#include "allot/tasks/alphabet.h"
#include "allot/tasks/chosen_verifier.h"
#include "allot/tasks/leakage.h"
#include "allot/tasks/math/known_pairs.h"
#include "allot/tasks/math_verifier.h"
#include "allot/tasks/scored_verifier.h"

namespace allot {
namespace {

// The rows of one file, ready for use, with what there is to say about them.
DataRows rows_of(const std::string& path, const ColumnOptions& columns,
                 const DataSetOptions& options, FileNotes& notes) {
  DataRows rows = read_data_set(path, columns);
  check_golds(rows, options);
  for (std::string& warning : rows.warnings()) notes.warnings.push_back(std::move(warning));
  notes.notices.push_back(concat(path, ": ", rows.prompts.size(), " prompts from ",
                                 name(rows.format), ", read as ", rows.columns.style, " (",
                                 rows.columns.text(), ")"));
  return rows;
}

// Questions of `test` that stand in `train` too.
void warn_of_leaks(const std::vector<Prompt>& train, const std::vector<Prompt>& test,
                   std::vector<std::string>& warnings) {
  const std::size_t leaks = leaked(train, test).size();
  if (leaks > 0)
    warnings.push_back(
        concat(leaks, " of ", test.size(), " held-out prompts are training prompts, too"));
}

// Once per process it is made sure that the verifier works.
std::unique_ptr<Verifier> tested_math_verifier(const verify::MathOptions& options) {
  static const bool tested = (verify::check_known_pairs(), true);
  (void)tested;
  return std::make_unique<MathVerifier>(options);
}

// The same verifier looking for answers everywhere; none where answers are compared as text.
std::unique_ptr<Verifier> flexible_verifier(DataSetOptions options, bool by_math) {
  if (!by_math) return nullptr;
  options.verifier.profile = verify::Profile::Flexible;
  return file_verifier(options, by_math);
}

}  // namespace

std::unique_ptr<Verifier> file_verifier(const DataSetOptions& options, bool by_math) {
  std::unique_ptr<Verifier> others;
  if (by_math)
    others = tested_math_verifier(options.verifier);
  else
    others = std::make_unique<ScoredVerifier>(exact_score);
  return std::make_unique<ChosenVerifier>(std::move(others), options.verifier);
}

Task make_file_task(const TaskOptions& options, std::uint64_t seed) {
  Task task;
  DataRows rows = rows_of(options.train, options.columns, options.jsonl, task.notes);
  const bool by_math = judged_by_math(rows, options.jsonl);
  DataSplit split;
  if (options.eval.empty())
    split = split_rows(std::move(rows.prompts), options.jsonl.test_share);
  else
    split = {std::move(rows.prompts),
             rows_of(options.eval, options.columns, options.jsonl, task.notes).prompts};
  warn_of_leaks(split.train, split.test, task.notes.warnings);
  instruct(split.train, options.jsonl.preset);
  instruct(split.test, options.jsonl.preset);
  std::vector<Prompt> all = split.train;
  all.insert(all.end(), split.test.begin(), split.test.end());
  task.alphabet = alphabet_of(all);
  for (const Prompt& prompt : all) {
    task.longest_prompt = std::max(task.longest_prompt, character_count(prompt.text));
    task.longest_response = std::max({task.longest_response, character_count(prompt.answer),
                                      character_count(prompt.demonstration)});
  }
  task.train = std::make_unique<PromptSet>(std::move(split.train), seed);
  task.test = std::make_unique<PromptSet>(std::move(split.test), seed);
  task.verifier = file_verifier(options.jsonl, by_math);
  task.flexible = flexible_verifier(options.jsonl, by_math);
  return task;
}

HeldOutSet read_held_out(const NamedFile& file, const TaskOptions& options, std::uint64_t seed) {
  DataSetOptions rules = options.jsonl;
  if (rules.reward == Reward::Auto) rules.reward = Reward::Math;
  HeldOutSet set;
  set.name = file.name;
  DataRows rows = rows_of(file.path, {}, rules, set.notes);
  const bool by_math = judged_by_math(rows, rules);
  instruct(rows.prompts, rules.preset);
  set.prompts = std::make_unique<PromptSet>(std::move(rows.prompts), seed);
  set.verifier = file_verifier(rules, by_math);
  set.flexible = flexible_verifier(rules, by_math);
  return set;
}

}  // namespace allot
