// What a built-in puzzle task consists of, and how its training and test sets are drawn.
//
// To add a task: one file pair with options, a generator and a verifier (see digit_sort.cc), and
// one line in registry.cc. Recipe: docs/tasks.md.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "allot/core/random.h"
#include "allot/loop/prompt_source.h"
#include "allot/tasks/levels.h"
#include "allot/tasks/scored_verifier.h"

namespace allot {

struct Puzzle {
  std::string text;           // the prompt, in kAlphabet, at most 48 characters
  std::string answer;         // what the verifier compares with
  std::string demonstration;  // a correct response, at most 48 characters, without the end token
  std::string identity;       // equal for puzzles that are the same question (2+3 and 3+2)
};

struct PuzzleTask {
  std::string name;
  Levels levels;
  SetSizes sizes;
  // Pure function of (level, stream).
  std::function<Puzzle(int level, RandomStream& random)> make;
  ScoreResponse score;
  std::size_t longest_prompt = 0, longest_response = 0;  // characters, over all levels
};

struct PuzzleSets {
  std::vector<Prompt> train, test;
};

// Draws both sets; a pure function of the task's options. Puzzles are distinct by identity. The two
// sets are disjoint by construction, also across seeds and sizes: a hash of the identity alone
// decides the side. An exhausted level (there are only 100 strings of two digits) passes what it
// could not fill on to the next harder one.
// Throws Error(Config) if even the hardest level has too few puzzles.
PuzzleSets draw_puzzles(const PuzzleTask& task);

// Verdict on an answer made of digits: equal text is right (leading zeros count), anything but
// digits is no answer. White space at both ends is ignored.
Score score_digits(std::string_view answer, std::string_view response);

// Side of a puzzle: one third of all identities belongs to the test set.
bool belongs_to_test(std::string_view identity);

}  // namespace allot
