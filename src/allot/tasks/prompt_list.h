// Prompts in a fixed order: all of them in memory, or those of a file that are read again when they
// are wanted. What is done to them on the way to a model (instructions, a chat template, cutting)
// is the same for both, prompt by prompt.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "allot/loop/prompt_source.h"
#include "allot/tasks/row_index.h"

namespace allot {

class PromptList {
 public:
  // Changes a prompt, all but its id and answer; false: it is left out.
  using Change = std::function<bool(Prompt&)>;

  PromptList() = default;
  explicit PromptList(std::vector<Prompt> prompts) : prompts_(std::move(prompts)) {}
  explicit PromptList(std::shared_ptr<const RowIndex> rows);

  bool is_streamed() const { return rows_ != nullptr; }
  std::size_t size() const { return is_streamed() ? places_.size() : prompts_.size(); }
  bool empty() const { return size() == 0; }

  PromptId id(std::size_t place) const;
  std::uint64_t answer_hash(std::size_t place) const;
  std::optional<float> prior_pass_rate(std::size_t place) const;

  // A copy. Streamed: throws Error(Data) if the file has changed. May be called from any thread if
  // all changes may.
  Prompt read(std::size_t place) const;
  // All of them. Throws Error(Internal) where they are streamed.
  const std::vector<Prompt>& held() const;
  std::vector<Prompt> take() &&;  // likewise

  void each(const std::function<void(const Prompt&)>& visit) const;  // in order

  // `first` is applied to every prompt now, in order. Where prompts are streamed, `again` is
  // applied whenever one that was kept is read: it does to it what `first` did, and must not depend
  // on anything else.
  void change(const Change& first, Change again);

  // The prompts that are chosen, and the others.
  std::pair<PromptList, PromptList> split(const std::function<bool(PromptId)>& chosen) &&;

 private:
  std::vector<Prompt> prompts_;

  std::shared_ptr<const RowIndex> rows_;  // nullptr: in memory
  std::vector<std::uint32_t> places_;     // in rows_, of those that are left
  std::vector<Change> changes_;           // since they were read, in order
};

}  // namespace allot
