// Token ids of texts: `allot tokenize`.
//
// Input, JSONL: {"text": "2 + 2", "parse_special": true}
//   parse_special  whether special tokens written out in the text become their ids; default true
//   Further keys are ignored. Empty lines are skipped.
// Output, one line per text: {"ids":[17,488,220,17]}
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace allot {

// The output lines. `tokenizer`: a model folder or a tokenizer.json; `where` names the input in
// errors. Throws Error(Data) for a broken line, Error(Model) for a tokenizer that cannot be used.
std::vector<std::string> tokenize_lines(std::string_view text, std::string_view where,
                                        const std::string& tokenizer);

}  // namespace allot
