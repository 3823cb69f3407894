// Text of tokens as they come: characters that are spread over several tokens are held back until
// they are whole. All pieces joined are Tokenizer::decode() of all tokens.
#pragma once

#include <cstdint>
#include <string>

#include "allot/text/tokenizer.h"

namespace allot {

// For one response; `tokenizer` must outlive it.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  // What is readable now and was not before; may be empty.
  std::string push(std::int32_t token);
  // After the last token: U+FFFD if it left a character unfinished.
  std::string finish();

 private:
  const Tokenizer& tokenizer_;
  std::string held_;  // at most three bytes
};

}  // namespace allot
