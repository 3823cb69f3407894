#include "allot/tasks/puzzle.h"

#include <unordered_set>
#include <utility>

#include "allot/core/error.h"
#include "allot/core/prompt_id.h"

namespace allot {
namespace {

// Keys the hash that splits identities, so that it is unrelated to prompt ids. Fixed for ever: a
// model's held-out set must stay held out.
constexpr std::uint64_t kSplitKey = 0x5eed5;

Prompt to_prompt(Puzzle puzzle) {
  Prompt prompt;
  prompt.id = prompt_id(puzzle.text, puzzle.answer);
  prompt.key = puzzle.text;
  prompt.text = std::move(puzzle.text);
  prompt.answer = std::move(puzzle.answer);
  prompt.demonstration = std::move(puzzle.demonstration);
  return prompt;
}

// One side of the split, level by level.
std::vector<Prompt> draw_side(const PuzzleTask& task, bool test, int total) {
  const std::vector<int> quotas = task.levels.quotas(total);
  std::vector<Prompt> prompts;
  std::unordered_set<std::string> seen;
  int owed = 0;  // what easier levels could not fill
  for (std::size_t i = 0; i < quotas.size(); ++i) {
    const int level = task.levels.min + static_cast<int>(i);
    if (quotas[i] == 0) continue;  // also where a level's weight is 0: nothing is passed on to it
    owed += quotas[i];
    // Enough draws to meet nearly all puzzles of a small level on the rarer side of the split.
    const std::uint64_t attempts = 1000 + 64 * static_cast<std::uint64_t>(owed);
    for (std::uint64_t index = 0; owed > 0 && index < attempts; ++index) {
      RandomStream random(
          {task.sizes.seed, RandomUse::Task, static_cast<std::uint64_t>(level), index});
      Puzzle puzzle = task.make(level, random);
      if (belongs_to_test(puzzle.identity) != test || !seen.insert(puzzle.identity).second)
        continue;
      prompts.push_back(to_prompt(std::move(puzzle)));
      --owed;
    }
  }
  if (owed > 0)
    throw Error(ErrorKind::Config, concat("data.", task.name),
                concat(total, " ", test ? "test" : "training", " prompts were asked for; levels ",
                       task.levels.min, " to ", task.levels.max, " gave only ", prompts.size(),
                       " different ones"),
                "raise the hardest level or ask for fewer prompts");
  return prompts;
}

}  // namespace

Score score_digits(std::string_view answer, std::string_view response) {
  const std::string_view given = trimmed(response);
  if (given.empty()) return no_answer("the response is empty");
  if (given.find_first_not_of("0123456789") != std::string_view::npos)
    return no_answer("it is not made of digits only");
  if (given == answer) return right(std::string(given));
  return wrong(std::string(given), concat("'", answer, "' is the answer"));
}

bool belongs_to_test(std::string_view identity) { return hash_bytes(identity, kSplitKey) % 3 == 0; }

PuzzleSets draw_puzzles(const PuzzleTask& task) {
  return {draw_side(task, false, task.sizes.train), draw_side(task, true, task.sizes.test)};
}

}  // namespace allot
