// What tokenizer_config.json says beside the tokenizer proper. Source: transformers,
// tokenization_utils_base.py. Fields that have no effect on ids are passed over.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allot/text/added_tokens.h"

namespace allot {

struct TokenizerConfig {
  std::string tokenizer_class;                 // "" if it is not said
  std::optional<std::string> end, pad, begin;  // contents of eos_token, pad_token, bos_token
  std::vector<AddedToken> added;               // added_tokens_decoder
  std::optional<std::string> chat_template;    // of several, the one named "default"
};

// `json` is the content of `file`. Error(Model) naming the file and the field.
TokenizerConfig read_tokenizer_config(std::string_view json, const std::string& file);

}  // namespace allot
