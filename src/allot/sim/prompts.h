// The training prompts of a simulated world as a PromptSource: seeded permutations, one per epoch.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "allot/loop/prompt_source.h"
#include "allot/sim/world.h"

namespace allot::sim {

// Ids are positions in the world. An id that an epoch's end would show twice in a step is passed
// over until the next step. Uniform draws are keyed by the step and consume nothing.
class SimPrompts final : public PromptSource {
 public:
  explicit SimPrompts(const World& world);  // the order depends on the world's seed alone

  std::span<const PromptRef> candidates(std::size_t wanted, Draw draw) override;
  void begin_step(std::uint64_t step) override;
  const Prompt& get(PromptId id) const override;
  std::size_t size() const override { return prompts_.size(); }
  std::string save() const override;
  void load(std::string_view state) override;
  std::uint64_t hash() const override;

  template <class V>
  void state(V& v) {
    v(seed_);
    v(epoch_);
    v(order_);
    v(deferred_);
    v(step_);
    v(shown_);
    v(shown_count_);
  }

 private:
  void stream(std::size_t wanted);
  void uniform(std::size_t wanted);
  std::uint32_t next_of_epoch();
  void show(std::uint32_t prompt);

  std::vector<Prompt> prompts_;
  std::vector<PromptRef> answer_;
  std::uint64_t seed_ = 0;
  std::uint32_t epoch_ = 0;
  std::vector<std::uint32_t> order_;     // what is left of the epoch, next one last
  std::vector<std::uint32_t> deferred_;  // passed over, to be shown in a later step
  std::uint64_t step_ = 0;
  std::vector<std::uint8_t> shown_;  // by prompt: in this step
  std::uint64_t shown_count_ = 0;
};

}  // namespace allot::sim
