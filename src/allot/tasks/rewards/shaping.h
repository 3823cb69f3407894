// Rewards that look at a response's form and length and not at its correctness. They are added to
// one that does (docs/rewards.md).
#pragma once

#include <cstdint>
#include <string_view>

namespace allot {

// `format`: 1 for one block "<think>..</think>" at the start (white space may stand before it) and
// text behind it; else 0.
double think_format(std::string_view response);

// `length_cosine`: a right response is worth 1 when short and 0.5 at the limit, a wrong one -1 when
// short and -0.5 at the limit; in between half a period of the cosine. Source: arXiv 2502.03373,
// section 4, with the values of the reward that open implementations ship. tokens > limit counts as
// the limit; limit > 0.
double length_cosine(bool correct, std::uint64_t tokens, std::uint64_t limit);

// `repetition`: -1 times the share of word n-grams that repeat earlier ones: 0 without a
// repetition, or with fewer than n words. Words are parted by white space. Source: arXiv
// 2502.03373, section 5. n > 0.
double repetition_penalty(std::string_view response, std::size_t n);

}  // namespace allot
