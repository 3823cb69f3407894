#include "allot/text/pre_tokenizer.h"

#include <algorithm>

#include "allot/core/utf8.h"

namespace allot {

Cutter::Cutter(const PreTokenizer& steps) {
  searches_.reserve(steps.size());  // the steps point into it
  for (const auto& step : steps) {
    const Split* split = std::get_if<Split>(&step);
    if (split == nullptr) {
      steps_.emplace_back();
      continue;
    }
    searches_.emplace_back(split->pattern);
    steps_.push_back({&searches_.back(), split->drops});
  }
}

std::size_t Cutter::character_length(std::string_view text, std::size_t at) {
  return std::max<std::size_t>(1, utf8_length(text.substr(at)));
}

}  // namespace allot
