// All tasks by name, their options, and how a task becomes prompts and a verifier.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "allot/core/options.h"
#include "allot/loop/verifier.h"
#include "allot/tasks/addition.h"
#include "allot/tasks/chain_arithmetic.h"
#include "allot/tasks/countdown.h"
#include "allot/tasks/data_set.h"
#include "allot/tasks/digit_sort.h"
#include "allot/tasks/prompt_options.h"
#include "allot/tasks/prompt_set.h"

namespace allot {

// Keys at data.*.
struct TaskOptions {
  std::string task = "digit_sort";
  std::string train, eval;  // paths, for jsonl
  DigitSortOptions digit_sort;
  AdditionOptions addition;
  ChainArithmeticOptions chain_arithmetic;
  CountdownOptions countdown;
  PromptOptions prompts;
  ColumnOptions columns;
  DataSetOptions jsonl;

  template <class V>
  void fields(V& v) {
    v("task", task, "digit_sort, addition, chain_arithmetic, countdown, or jsonl for own prompts");
    v("train", train, "file of training prompts: JSON lines, a JSON list or CSV (task jsonl)");
    v("eval", eval, "file of held-out prompts (task jsonl); empty = a share of data.train");
    prompts.fields(v);
    v("columns", columns);
    v("digit_sort", digit_sort);
    v("addition", addition);
    v("chain_arithmetic", chain_arithmetic);
    v("countdown", countdown);
    v("jsonl", jsonl);
  }
  // Throws Error(Config): an unknown task (names the nearest), jsonl without data.train, paths with
  // a built-in task, levels that make no sense. Reads no file.
  void validate() const;
};

// What there is to say about files that were read.
struct FileNotes {
  std::vector<std::string> notices;  // how they were understood
  std::vector<std::string> warnings;
};

struct Task {
  std::unique_ptr<PromptSet> train, test;
  std::unique_ptr<Verifier> verifier;
  // The math verifier with the profile flexible, for evaluation; none where another one judges.
  std::unique_ptr<Verifier> flexible;
  std::string alphabet;  // every character (code point) of prompts and responses, UTF-8
  // Characters; a response's end token is not counted. For jsonl the longest in the files. Prompts
  // are as they were written: conversations not yet by a chat template.
  std::size_t longest_prompt = 0, longest_response = 0;
  FileNotes notes;
};

struct TaskInfo {
  std::string name, summary;
  std::string prompt, response;  // an example
};

std::vector<TaskInfo> tasks();

// `seed` orders the prompts; which puzzles there are depends on the options alone. Validates first.
// Throws Error(Config) and, for files, Error(Data).
Task make_task(const TaskOptions& options, std::uint64_t seed);

// The task's verifier alone: no prompts are drawn and no file is read.
std::unique_ptr<Verifier> make_verifier(const TaskOptions& options);

}  // namespace allot
