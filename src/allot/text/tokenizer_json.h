// Reads tokenizer.json, the format of the `tokenizers` package, as far as byte-level BPE tokenizers
// use it (the families of GPT-2, Llama 3, Qwen 2):
//
//   normalizer      null, NFC, Sequence of NFC
//   pre_tokenizer   ByteLevel; Sequence of Split (Isolated, Removed; inverted or not), Digits
//                   (individual) and, last, ByteLevel
//   model           BPE without dropout, prefixes and suffixes; ignore_merges or not
//   post_processor  null, ByteLevel, TemplateProcessing, Sequence of these
//   decoder         ByteLevel, null
//   added_tokens    all properties; ids that the vocabulary has already must agree
//
// `truncation` and `padding` are settings of batches and are passed over. Anything else is refused
// by name, because ids would silently be others.
#pragma once

#include <string>
#include <string_view>

#include "allot/text/tokenizer_parts.h"

namespace allot {

// `json` is the content of `file`. Error(Model) naming the file and what cannot be used.
TokenizerParts read_tokenizer_json(std::string_view json, const std::string& file);

}  // namespace allot
