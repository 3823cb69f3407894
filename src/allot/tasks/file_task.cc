#include "allot/tasks/file_task.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "allot/core/error.h"
#include "allot/core/utf8.h"
#include "allot/tasks/alphabet.h"
#include "allot/tasks/chosen_verifier.h"
#include "allot/tasks/leakage.h"
#include "allot/tasks/math_verifier.h"
#include "allot/tasks/scored_verifier.h"

namespace allot {
namespace {

// The rows of one file, ready for use, with what there is to say about them.
LoadedRows rows_of(const std::string& path, const ColumnOptions& columns,
                   const DataSetOptions& options, FileNotes& notes) {
  LoadedRows rows = load_data_set(path, columns, options.stream);
  check_golds(rows.facts, rows.prompts, options);
  for (std::string& warning : rows.facts.warnings()) notes.warnings.push_back(std::move(warning));
  notes.notices.push_back(concat(
      path, ": ", rows.prompts.size(), " prompts from ", name(rows.facts.format), ", read as ",
      rows.facts.columns.style, " (", rows.facts.columns.text(), "), answers compared ",
      judged_by_math(rows.facts, options) ? "by the math verifier" : "as text",
      rows.prompts.is_streamed() ? "; they stay in the file" : ""));
  return rows;
}

// Questions of `test` that stand in `train` too.
void warn_of_leaks(const PromptList& train, const PromptList& test,
                   std::vector<std::string>& warnings) {
  const std::size_t leaks = leak_count(train, test);
  if (leaks > 0)
    warnings.push_back(
        concat(leaks, " of ", test.size(), " held-out prompts are training prompts, too"));
}

// The same verifier looking for answers everywhere; none where answers are compared as text.
std::unique_ptr<Verifier> flexible_verifier(DataSetOptions options, bool by_math) {
  if (!by_math) return nullptr;
  options.verifier.profile = verify::Profile::Flexible;
  return file_verifier(options, by_math);
}

// Adds the words of the preset, and takes note of characters and lengths.
void ask(PromptList& prompts, PromptPreset preset, Task& task, AlphabetCollector& alphabet) {
  const auto words = [preset](Prompt& prompt) {
    instruct(prompt, preset);
    return true;
  };
  const auto first = [&](Prompt& prompt) {
    instruct(prompt, preset);
    alphabet.add(prompt);
    task.longest_prompt = std::max(task.longest_prompt, character_count(prompt.text));
    task.longest_response = std::max({task.longest_response, character_count(prompt.answer),
                                      character_count(prompt.demonstration)});
    return true;
  };
  prompts.change(first, words);
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
  LoadedRows rows = rows_of(options.train, options.columns, options.jsonl, task.notes);
  const bool by_math = judged_by_math(rows.facts, options.jsonl);
  PromptList train, test;
  if (options.eval.empty()) {
    std::tie(test, train) = split_rows(std::move(rows.prompts), options.jsonl.test_share);
  } else {
    train = std::move(rows.prompts);
    test = rows_of(options.eval, options.columns, options.jsonl, task.notes).prompts;
  }
  warn_of_leaks(train, test, task.notes.warnings);
  AlphabetCollector alphabet;
  ask(train, options.jsonl.preset, task, alphabet);
  ask(test, options.jsonl.preset, task, alphabet);
  task.alphabet = alphabet.alphabet();
  task.train = std::make_unique<PromptSet>(std::move(train), seed);
  task.test = std::make_unique<PromptSet>(std::move(test), seed);
  task.verifier = file_verifier(options.jsonl, by_math);
  task.flexible = flexible_verifier(options.jsonl, by_math);
  return task;
}

HeldOutSet read_held_out(const NamedFile& file, const TaskOptions& options, std::uint64_t seed) {
  DataSetOptions rules = options.jsonl;
  if (rules.reward == Reward::Auto) rules.reward = Reward::Math;
  HeldOutSet set;
  set.name = file.name;
  LoadedRows rows = rows_of(file.path, {}, rules, set.notes);
  const bool by_math = judged_by_math(rows.facts, rules);
  const auto words = [preset = rules.preset](Prompt& prompt) {
    instruct(prompt, preset);
    return true;
  };
  rows.prompts.change(words, words);
  set.prompts = std::make_unique<PromptSet>(std::move(rows.prompts), seed);
  set.verifier = file_verifier(rules, by_math);
  set.flexible = flexible_verifier(rules, by_math);
  return set;
}

}  // namespace allot
