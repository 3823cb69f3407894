#include "allot/app/fit_prompts.h"

#include <string_view>
#include <vector>

#include "allot/core/error.h"
#include "allot/core/utf8.h"

namespace allot {
namespace {

constexpr const char* kHint =
    "drop long prompts (data.overlong), lower rollout.max_new_tokens or raise model.context";

// The longest end of `text` that fits. Fewer characters may be more tokens, but hardly ever, and
// what is returned does fit.
std::string_view fitting_end(std::string_view text, const Tokenizer& tokenizer, std::size_t limit) {
  std::vector<std::size_t> starts;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (begins_character(text[i])) starts.push_back(i);
  std::size_t low = 0, high = starts.size();  // starts[high] fits; the end of the text always does
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (tokenizer.encode(text.substr(starts[middle])).size() <= limit)
      high = middle;
    else
      low = middle + 1;
  }
  return high < starts.size() ? text.substr(starts[high]) : std::string_view();
}

struct TooLong {
  std::size_t count = 0, tokens = 0;  // of the longest
  std::string text;                   // of the longest

  void add(const Prompt& prompt, std::size_t size) {
    ++count;
    if (size > tokens) tokens = size, text = prompt.text;
  }
  std::string message(std::size_t all, std::size_t limit) const {
    return concat(count, " of ", all, " prompts are too long, the longest with ", tokens,
                  " tokens (", shortened(text), "); at most ", limit, " fit");
  }
};

}  // namespace

std::string fit_prompts(PromptList& prompts, const Tokenizer& tokenizer, std::size_t limit,
                        Overlong rule) {
  TooLong found;
  const std::size_t all = prompts.size();
  const auto cut = [&tokenizer, limit](Prompt& prompt) {
    prompt.text = std::string(fitting_end(prompt.text, tokenizer, limit));
  };
  const auto first = [&](Prompt& prompt) {
    const std::size_t tokens = tokenizer.encode(prompt.text).size();
    if (tokens <= limit) return true;
    found.add(prompt, tokens);
    if (rule != Overlong::TruncateLeft) return rule != Overlong::Drop;
    cut(prompt);
    return !prompt.text.empty();
  };
  const bool cuts = rule == Overlong::TruncateLeft;
  prompts.change(first, [cuts, cut, &tokenizer, limit](Prompt& prompt) {
    if (cuts && tokenizer.encode(prompt.text).size() > limit) cut(prompt);
    return true;
  });
  if (found.count == 0) return "";
  const std::string message = found.message(all, limit);
  if (rule == Overlong::Error || prompts.empty())
    throw Error(ErrorKind::Data, "data", message, kHint);
  return concat(message, rule == Overlong::Drop ? "; they were dropped"
                                                : "; they were cut at their beginning");
}

}  // namespace allot
