#include "allot/tasks/row_index.h"

#include <cmath>
#include <limits>

#include "allot/core/error.h"
#include "allot/core/prompt_id.h"

namespace allot {

std::uint64_t answer_hash(const Prompt& prompt) { return hash_bytes(prompt.answer, prompt.id); }

std::optional<float> RowIndex::prior_pass_rate(std::size_t row) const {
  if (row >= rates_.size() || std::isnan(rates_[row])) return std::nullopt;
  return rates_[row];
}

Prompt RowIndex::read(std::size_t row) const {
  const Row& known = rows_[row];
  const ParsedRow parsed = parse_row(file_.read(known.offset, known.bytes));
  const std::string place = concat(file_.path(), ":", known.line);
  if (!parsed.problem.empty()) file_.refuse_change(place);
  RowPrompt read = to_prompt(parsed.row, columns_);
  if (!read.problem.empty() || read.prompt.id != known.id ||
      allot::answer_hash(read.prompt) != known.answer)
    file_.refuse_change(place);
  return std::move(read.prompt);
}

void RowIndex::add(const Prompt& prompt, const RowPlace& place) {
  rows_.push_back({prompt.id, place.offset, allot::answer_hash(prompt),
                   static_cast<std::uint32_t>(place.bytes),
                   static_cast<std::uint32_t>(place.line)});
  if (!prompt.prior_pass_rate) return;
  rates_.resize(rows_.size() - 1, std::numeric_limits<float>::quiet_NaN());
  rates_.push_back(*prompt.prior_pass_rate);
}

void RowIndex::shrink() {
  rows_.shrink_to_fit();
  rates_.shrink_to_fit();
}

}  // namespace allot
