// A finite list of prompts as a PromptSource. Source: contract, section 3, "Candidates".
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "allot/core/random.h"
#include "allot/loop/prompt_source.h"
#include "allot/tasks/prompt_cache.h"
#include "allot/tasks/prompt_list.h"

namespace allot {

// Stream draws: every id once per epoch, in an order that depends on (seed, epoch) and the set of
// ids only (not on the order of a file). Where an epoch ends inside a step, an id that this step
// has shown already is set aside and shown first in the next step, with its own epoch number.
// Uniform draws: distinct ids of a keyed order of (seed, step); nothing is consumed.
// Pool: all ids, ascending.
//
// get() and hash() may be called from any thread; everything else is for one thread at a time.
class PromptSet final : public PromptSource {
 public:
  // Throws Error(Data): no prompts, an id of more than 63 bits, two prompts with one id.
  PromptSet(std::vector<Prompt> prompts, std::uint64_t seed)
      : PromptSet(PromptList(std::move(prompts)), seed) {}
  PromptSet(PromptList prompts, std::uint64_t seed);
  ~PromptSet() override;

  std::span<const PromptRef> candidates(std::size_t wanted, Draw draw) override;

  // Shows one vector per prompt, in the order of ids(), with all candidates from now on: for
  // methods with Needs::embedding. Not part of save() and hash(). Throws Error(Data) unless there
  // are as many as prompts, of one size above 0 and finite.
  void embed(const std::vector<std::vector<float>>& vectors);

  void begin_step(std::uint64_t step) override;
  const Prompt& get(PromptId id) const override;
  std::size_t size() const override { return list_.size(); }
  const PromptList& list() const { return list_; }  // in the order they were given
  // The same, of a set in memory; throws Error(Internal) for one that is read from a file.
  const std::vector<Prompt>& prompts() const { return list_.held(); }
  // All ids in the order the prompts were given, e.g. for evaluation.
  const std::vector<PromptId>& ids() const { return ids_; }

  // Legal at any time, also inside a step. load() throws Error(Model) if the blob is damaged or
  // belongs to another data set or seed; the source is then as before.
  std::string save() const override;
  void load(std::string_view state) override;
  std::uint64_t hash() const override { return hash_; }

 private:
  struct Cursor;

  void stream(std::size_t count);
  std::uint32_t next_of_epoch();  // position in sorted_, advances the stream cursor
  std::uint32_t next_of_step();   // position in sorted_, advances the keyed order
  PromptRef ref(std::uint32_t position, std::uint32_t epoch) const;
  void show(std::uint32_t position, std::uint32_t epoch);
  void restart_uniform();

  // Place of an id as given; nothing for an unknown one.
  std::optional<std::uint32_t> place_of(PromptId id) const;
  void refuse_repeated_ids() const;

  PromptList list_;                    // as given
  std::unique_ptr<PromptCache> here_;  // of list_, where it is streamed
  std::vector<PromptId> ids_;          // as given
  std::vector<PromptId> sorted_;       // ascending; orders are over this list
  std::vector<std::uint32_t> places_;  // as given, of sorted_
  std::uint64_t seed_ = 0, hash_ = 0;

  std::unique_ptr<Cursor> cursor_;          // all that save() writes
  std::unordered_set<PromptId> shown_;      // in this step
  std::vector<std::uint32_t> epoch_order_;  // of cursor_->epoch
  std::vector<std::uint32_t> step_order_;   // keyed order of this step, shuffled as far as drawn
  std::optional<RandomStream> step_random_;
  std::vector<PromptRef> answer_;  // what candidates() returned last
  std::vector<float> embeddings_;  // [prompts as given][dimensions_], empty without any
  std::size_t dimensions_ = 0;
  std::vector<std::optional<float>> rates_;  // prior_pass_rate of sorted_; empty without any
};

}  // namespace allot
