// The tokenizer of a model folder, from whichever files it has:
//
//   tokenizer.json             BPE, or the character tokenizer that allot saves
//   vocab.json + merges.txt    with tokenizer_config.json or config.json saying which family
//   encoder.json + vocab.bpe   GPT-2 as OpenAI published it
//
// tokenizer_config.json names the end and padding tokens and, without tokenizer.json, the added
// tokens. A family that is not known is refused: its pattern cannot be guessed.
#pragma once

#include <memory>
#include <string>

#include "allot/text/tokenizer.h"

namespace allot {

// `path`: such a folder, or a tokenizer.json alone. Error(Model) naming the file and what it lacks.
std::unique_ptr<Tokenizer> load_tokenizer(const std::string& path);

}  // namespace allot
