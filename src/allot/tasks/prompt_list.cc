#include "allot/tasks/prompt_list.h"

#include <numeric>

#include "allot/core/error.h"

namespace allot {

PromptList::PromptList(std::shared_ptr<const RowIndex> rows)
    : rows_(std::move(rows)), places_(rows_->size()) {
  std::iota(places_.begin(), places_.end(), 0u);
}

PromptId PromptList::id(std::size_t place) const {
  return is_streamed() ? rows_->id(places_[place]) : prompts_[place].id;
}

std::uint64_t PromptList::answer_hash(std::size_t place) const {
  return is_streamed() ? rows_->answer_hash(places_[place]) : allot::answer_hash(prompts_[place]);
}

std::optional<float> PromptList::prior_pass_rate(std::size_t place) const {
  return is_streamed() ? rows_->prior_pass_rate(places_[place]) : prompts_[place].prior_pass_rate;
}

Prompt PromptList::read(std::size_t place) const {
  if (!is_streamed()) return prompts_[place];
  Prompt prompt = rows_->read(places_[place]);
  for (const Change& change : changes_) change(prompt);
  return prompt;
}

const std::vector<Prompt>& PromptList::held() const {
  if (is_streamed())
    throw Error(ErrorKind::Internal, "prompts",
                "all prompts at once were asked for, and they are read from a file one by one");
  return prompts_;
}

std::vector<Prompt> PromptList::take() && {
  held();
  return std::move(prompts_);
}

void PromptList::each(const std::function<void(const Prompt&)>& visit) const {
  for (const Prompt& prompt : prompts_) visit(prompt);
  for (std::size_t i = 0; i < places_.size(); ++i) visit(read(i));
}

void PromptList::change(const Change& first, Change again) {
  std::erase_if(prompts_, [&](Prompt& prompt) { return !first(prompt); });
  if (!is_streamed()) return;
  std::vector<std::uint32_t> kept;
  kept.reserve(places_.size());
  for (std::size_t i = 0; i < places_.size(); ++i) {
    Prompt prompt = read(i);
    if (first(prompt)) kept.push_back(places_[i]);
  }
  places_ = std::move(kept);
  changes_.push_back(std::move(again));
}

std::pair<PromptList, PromptList> PromptList::split(
    const std::function<bool(PromptId)>& chosen) && {
  std::pair<PromptList, PromptList> parts;
  for (PromptList* part : {&parts.first, &parts.second})
    part->rows_ = rows_, part->changes_ = changes_;
  const auto part_of = [&](PromptId id) -> PromptList& {
    return chosen(id) ? parts.first : parts.second;
  };
  for (Prompt& prompt : prompts_) part_of(prompt.id).prompts_.push_back(std::move(prompt));
  for (const std::uint32_t place : places_) part_of(rows_->id(place)).places_.push_back(place);
  for (PromptList* part : {&parts.first, &parts.second}) part->places_.shrink_to_fit();
  return parts;
}

}  // namespace allot
