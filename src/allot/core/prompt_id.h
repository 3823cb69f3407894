// Stable 63-bit identity of a prompt: the user's id column, or a hash of text and answer.
#pragma once

#include <string_view>

#include "allot/core/types.h"

namespace allot {

// Of a string id ("aime-24-3"). Never of tokens.
PromptId prompt_id(std::string_view string_id);

// Of a row without an id: canonical message text and reference answer. The two lengths are hashed
// too, so ("ab", "c") and ("a", "bc") differ.
PromptId prompt_id(std::string_view text, std::string_view answer);

// 64-bit hash of bytes (FNV-1a with a final avalanche); the base of the two above, of answer
// classes and of the data set hash.
std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t seed = 0);

}  // namespace allot
