// Where in a response the answer stands. Source: verifier specification, section 3.
//
// The first rung with a candidate decides: last box group; last <answer> tag; text behind the last
// ####; last cue ("the answer is"); the whole response if it is short; and, in the flexible
// profile, the last formula, then the last number.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "allot/tasks/math/options.h"
#include "allot/tasks/math/work.h"

namespace allot::verify {

enum class Rung : std::uint8_t { None, Box, Tag, Hash, Cue, Whole, Formula, Number };

struct Candidate {
  Rung rung = Rung::None;
  std::vector<std::string_view> parts;    // one string, or the contents of one group of boxes
  std::vector<std::string_view> earlier;  // contents of earlier boxes, last first, at most 16
  bool empty_box = false;                 // an empty box was passed over
};

// `response` has been through repaired(). Views of `response`.
Candidate find_candidate(std::string_view response, const MathOptions& options, Work& work);

// Rungs 6 and 7, for the flexible profile: the last formula, then the last number.
Candidate find_flexible(std::string_view response);

// The part that is not reasoning: behind the last closing think tag. `cut`: reasoning was opened
// and not closed, so there is no answer.
std::string_view without_reasoning(std::string_view response, const MathOptions& options,
                                   bool& cut);

// Of a gold: the boxes of its last group, the text behind its last ####, or all of it.
std::vector<std::string_view> gold_parts(std::string_view gold, Work& work);

// A candidate up to the end of its sentence or to a trailing explanation, without emphasis,
// quotes and math delimiters around it.
std::string_view trimmed_candidate(std::string_view candidate);

}  // namespace allot::verify
