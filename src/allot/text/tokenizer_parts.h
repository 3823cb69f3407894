// What a byte-level BPE tokenizer consists of, whichever files it came from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "allot/text/added_tokens.h"
#include "allot/text/bpe_model.h"
#include "allot/text/pre_tokenizer.h"

namespace allot {

struct TokenizerParts {
  BpeVocabulary vocabulary;
  std::vector<AddedToken> added;
  bool nfc = false;  // text is brought into normalization form C first
  PreTokenizer cuts;
  std::vector<std::int32_t> before, after;  // what a post_processor puts around a whole text
};

}  // namespace allot
