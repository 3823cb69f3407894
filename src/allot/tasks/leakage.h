// Questions of a held-out set that stand in the training set, too. Source: conventions, section 4.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "allot/loop/prompt_source.h"
#include "allot/tasks/prompt_list.h"

namespace allot {

// What two spellings of one question have in common: without white space, dollar signs, braces and
// the punctuation that no digit follows, ASCII letters in lower case. Operators and decimal points
// stay, for they make another question.
std::string normalized_question(std::string_view text);

// Places in `held_out` of the questions that occur in `train`.
std::vector<std::size_t> leaked(std::span<const Prompt> train, std::span<const Prompt> held_out);

// How many they are. By 64-bit hashes of the questions, 8 bytes for each of `train`, for data sets
// of any size.
std::size_t leak_count(const PromptList& train, const PromptList& held_out);

}  // namespace allot
