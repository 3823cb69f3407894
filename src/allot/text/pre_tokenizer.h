// How text is cut into words before merging, and in which form bytes enter: the pre_tokenizer of
// tokenizer.json. Each step works on the pieces of the one before.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "allot/text/pattern.h"

namespace allot {

// Puts a space before a piece that does not begin with one.
struct PrefixSpace {};

// Cuts before and after every match.
struct Split {
  enum class Drops { Nothing, Matches, Gaps };  // Gaps: what lies between matches

  Pattern pattern;
  Drops drops = Drops::Nothing;
};

using PreTokenizer = std::vector<std::variant<PrefixSpace, Split>>;

// The patterns that the tokenizers of GPT-2 and Qwen 2 cut with.
inline constexpr const char* kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
inline constexpr const char* kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// Working memory of one thread. The pre-tokenizer must outlive it.
class Cutter {
 public:
  explicit Cutter(const PreTokenizer& steps);

  // Calls `word` for each piece of valid UTF-8 `text`, in order; empty ones are left out.
  template <class Word>
  void cut(std::string_view text, const Word& word) {
    run(0, text, word);
  }

 private:
  template <class Word>
  void run(std::size_t step, std::string_view text, const Word& word);
  // Of the character at `at`; 1 at the end of the text.
  static std::size_t character_length(std::string_view text, std::size_t at);

  struct Step {
    PatternSearch* search = nullptr;  // nullptr: PrefixSpace
    Split::Drops drops = Split::Drops::Nothing;
  };
  std::vector<PatternSearch> searches_;
  std::vector<Step> steps_;
};

// A match of no length cuts, too; the next one is looked for one character later.
template <class Word>
void Cutter::run(std::size_t step, std::string_view text, const Word& word) {
  if (text.empty()) return;
  if (step == steps_.size()) return word(text);
  const Step& cut = steps_[step];
  if (cut.search == nullptr) {
    if (text.front() == ' ') return run(step + 1, text, word);
    return run(step + 1, " " + std::string(text), word);
  }
  std::size_t done = 0, from = 0;
  const auto gap = [&](std::size_t end) {
    if (cut.drops != Split::Drops::Gaps) run(step + 1, text.substr(done, end - done), word);
  };
  for (Match match; from <= text.size() && cut.search->find(text, from, match);) {
    gap(match.begin);
    if (cut.drops != Split::Drops::Matches)
      run(step + 1, text.substr(match.begin, match.end - match.begin), word);
    done = match.end;
    from = match.end > match.begin ? match.end : match.end + character_length(text, match.end);
  }
  gap(text.size());
}

}  // namespace allot
