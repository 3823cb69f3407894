#include "allot/sim/prompts.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "allot/core/error.h"
#include "allot/core/prompt_id.h"
#include "allot/core/random.h"
#include "allot/core/state.h"

namespace allot::sim {
namespace {

std::vector<std::uint32_t> shuffled(std::size_t size, const RandomKey& key) {
  std::vector<std::uint32_t> order(size);
  std::iota(order.begin(), order.end(), 0u);
  RandomStream random(key);
  random.shuffle(std::span(order));
  return order;
}

}  // namespace

SimPrompts::SimPrompts(const World& world) : prompts_(world.train_size()), seed_(world.seed()) {
  for (std::size_t i = 0; i < prompts_.size(); ++i) {
    prompts_[i].id = i;
    prompts_[i].key = concat("p", i);
  }
  order_ = shuffled(size(), {seed_, RandomUse::Data, epoch_, 0, 0});
  shown_.resize(size());
}

void SimPrompts::begin_step(std::uint64_t step) {
  step_ = step;
  std::fill(shown_.begin(), shown_.end(), std::uint8_t{0});
  shown_count_ = 0;
}

std::span<const PromptRef> SimPrompts::candidates(std::size_t wanted, Draw draw) {
  answer_.clear();
  if (draw == Draw::Pool)
    for (std::uint32_t i = 0; i < size(); ++i) answer_.push_back({i, epoch_});
  const std::size_t count = std::min<std::size_t>(wanted, size() - shown_count_);
  if (draw == Draw::Stream) stream(count);
  if (draw == Draw::Uniform) uniform(count);
  return answer_;
}

// Ends because every id that is not shown yet is deferred or lies ahead within one epoch.
void SimPrompts::stream(std::size_t wanted) {
  std::vector<std::uint32_t> later;
  for (const std::uint32_t prompt : std::exchange(deferred_, {}))
    if (answer_.size() < wanted && !shown_[prompt])
      show(prompt);
    else
      later.push_back(prompt);
  while (answer_.size() < wanted) {
    const std::uint32_t prompt = next_of_epoch();
    if (shown_[prompt])
      later.push_back(prompt);
    else
      show(prompt);
  }
  deferred_ = std::move(later);
}

void SimPrompts::uniform(std::size_t wanted) {
  for (const std::uint32_t prompt : shuffled(size(), {seed_, RandomUse::Data, step_, 0, 1})) {
    if (answer_.size() == wanted) break;
    if (!shown_[prompt]) show(prompt);
  }
}

std::uint32_t SimPrompts::next_of_epoch() {
  if (order_.empty()) order_ = shuffled(size(), {seed_, RandomUse::Data, ++epoch_, 0, 0});
  const std::uint32_t prompt = order_.back();
  order_.pop_back();
  return prompt;
}

void SimPrompts::show(std::uint32_t prompt) {
  answer_.push_back({prompt, epoch_});
  shown_[prompt] = 1;
  ++shown_count_;
}

const Prompt& SimPrompts::get(PromptId id) const {
  if (id >= size())
    throw Error(ErrorKind::Data, "simulator", concat("there is no prompt with the id ", id));
  return prompts_[id];
}

std::string SimPrompts::save() const { return save_state("sim prompts", 1, *this); }

void SimPrompts::load(std::string_view state) {
  SimPrompts loaded = *this;
  load_state("sim prompts", 1, state, loaded);
  if (loaded.seed_ != seed_ || loaded.shown_.size() != shown_.size())
    throw Error(
        ErrorKind::Model, "simulator",
        concat("the saved cursor belongs to world seed ", loaded.seed_, " with ",
               loaded.shown_.size(), " prompts; ", seed_, " with ", shown_.size(), " is needed"));
  *this = std::move(loaded);
}

std::uint64_t SimPrompts::hash() const { return hash_bytes(concat("sim ", size()), seed_); }

}  // namespace allot::sim
