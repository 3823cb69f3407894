// The characters that built-in tasks are written in, shared by all of them so that a model trained
// on one can be tried on another. A character tokenizer gets this alphabet from its caller.
#pragma once

#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "allot/loop/prompt_source.h"

namespace allot {

// 51 distinct printable ASCII characters. The order is part of every saved model's vocabulary:
// append at the end (61 at most leaves room for special tokens in a vocabulary of 64).
inline constexpr std::string_view kAlphabet = "0123456789abcdefghijklmnopqrstuvwxyz+-*/()=<>:, .;?";

// kAlphabet followed by every other character (Unicode code point) of the prompts, answers and
// demonstrations, ascending. UTF-8; the texts must be valid UTF-8.
std::string alphabet_of(std::span<const Prompt> prompts);

// The same, prompt by prompt.
class AlphabetCollector {
 public:
  void add(const Prompt& prompt);
  std::string alphabet() const;

 private:
  void add(std::string_view text);

  // Byte order of UTF-8 is code point order, so a set of sequences is ascending.
  std::set<std::string, std::less<>> further_;
};

}  // namespace allot
