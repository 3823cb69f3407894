#include "allot/tasks/registry.h"

#include <algorithm>
#include <utility>

#include "allot/core/error.h"
#include "allot/tasks/alphabet.h"
#include "allot/tasks/file_task.h"
#include "allot/tasks/scored_verifier.h"

namespace allot {
namespace {

constexpr const char* kJsonl = "jsonl";

// One line per built-in task: name, meaning, and how its options become a task.
struct Row {
  const char* name;
  const char* summary;
  PuzzleTask (*make)(const TaskOptions&);
};

const std::vector<Row>& rows() {
  static const std::vector<Row> all = {
      {"digit_sort", "put digits into ascending order",
       [](const TaskOptions& options) { return digit_sort(options.digit_sort); }},
      {"addition", "add two whole numbers",
       [](const TaskOptions& options) { return addition(options.addition); }},
      {"chain_arithmetic", "a chain of additions, subtractions and products modulo a number",
       [](const TaskOptions& options) { return chain_arithmetic(options.chain_arithmetic); }},
      {"countdown", "reach a target with every given number exactly once",
       [](const TaskOptions& options) { return countdown(options.countdown); }},
  };
  return all;
}

const Row* find_row(const std::string& name) {
  const auto found =
      std::find_if(rows().begin(), rows().end(), [&](const Row& row) { return row.name == name; });
  return found == rows().end() ? nullptr : &*found;
}

[[noreturn]] void refuse_name(const std::string& name) {
  std::vector<std::string> names;
  std::string listed;
  for (const TaskInfo& task : tasks()) {
    names.push_back(task.name);
    listed += (listed.empty() ? "" : ", ") + task.name;
  }
  const std::string near = nearest(name, names);
  throw Error(ErrorKind::Config, "data.task",
              concat("there is no task '", name, "'; one of ", listed, " is needed"),
              near.empty() ? "" : concat("did you mean '", near, "'?"));
}

Task make_puzzle_task(const PuzzleTask& puzzle, std::uint64_t seed) {
  PuzzleSets sets = draw_puzzles(puzzle);
  Task task;
  task.train = std::make_unique<PromptSet>(std::move(sets.train), seed);
  task.test = std::make_unique<PromptSet>(std::move(sets.test), seed);
  task.verifier = std::make_unique<ScoredVerifier>(puzzle.score);
  task.alphabet = std::string(kAlphabet);
  task.longest_prompt = puzzle.longest_prompt;
  task.longest_response = puzzle.longest_response;
  return task;
}

}  // namespace

void TaskOptions::validate() const {
  if (task == kJsonl) {
    if (train.empty())
      throw Error(ErrorKind::Config, "data.train",
                  "no file was given; the task jsonl needs the path of a file");
    return;
  }
  const Row* row = find_row(task);
  if (row == nullptr) refuse_name(task);
  if (!train.empty() || !eval.empty())
    throw Error(ErrorKind::Config, train.empty() ? "data.eval" : "data.train",
                concat("a file was given, but the task '", task, "' makes its own prompts"),
                "set data.task=jsonl to use the file");
  row->make(*this);
}

std::vector<TaskInfo> tasks() {
  std::vector<TaskInfo> all;
  for (const Row& row : rows()) {
    const PuzzleTask task = row.make(TaskOptions{});
    const int level = (task.levels.min + task.levels.max) / 2;
    RandomStream random({0, RandomUse::Task, static_cast<std::uint64_t>(level), 0});
    const Puzzle example = task.make(level, random);
    all.push_back({row.name, row.summary, example.text, example.demonstration});
  }
  all.push_back(
      {kJsonl, "prompts and answers from a file of JSON lines, JSON or CSV", "2+2=", "4"});
  return all;
}

Task make_task(const TaskOptions& options, std::uint64_t seed) {
  options.validate();
  if (options.task == kJsonl) return make_file_task(options, seed);
  return make_puzzle_task(find_row(options.task)->make(options), seed);
}

std::unique_ptr<Verifier> make_verifier(const TaskOptions& options) {
  if (options.task == kJsonl)
    return file_verifier(options.jsonl, judged_by_math({}, options.jsonl));
  options.validate();
  return std::make_unique<ScoredVerifier>(find_row(options.task)->make(options).score);
}

}  // namespace allot
