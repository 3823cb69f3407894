#include "allot/methods/parts/response_buffer.h"

#include <deque>
#include <map>
#include <set>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "allot/core/state.h"

namespace allot {
namespace {

// Against a deque per prompt; what the host holds is what is in the buffer, at every point.
RC_GTEST_PROP(ResponseBuffer, IsAQueuePerPromptOfWhatTheHostHolds, ()) {
  const auto cap = *rc::gen::inRange<std::size_t>(1, 6);
  ResponseBuffer buffer;
  std::map<PromptId, std::deque<RolloutId>> model;
  std::set<RolloutId> held;
  RolloutId next = 1;
  for (int i = 0; i < 30; ++i) {
    const auto prompt = *rc::gen::inRange<PromptId>(1, 4);
    if (*rc::gen::inRange(0, 5) == 0 && !held.empty()) {
      const std::vector<RolloutId> lost = {*held.begin()};
      buffer.forget(lost);
      held.erase(lost[0]);
      for (auto& [p, queue] : model) std::erase(queue, lost[0]);
      continue;
    }
    std::vector<EarlierResponse> fresh;
    for (auto n = *rc::gen::inRange(0, 8); n > 0; --n) {
      fresh.push_back({next, 3, 1});
      model[prompt].push_back(next++);
    }
    while (model[prompt].size() > cap) model[prompt].pop_front();
    TrainBatch batch;
    buffer.push(prompt, fresh, cap, batch);
    for (const RolloutId id : batch.hold) RC_ASSERT(held.insert(id).second);
    for (const RolloutId id : batch.release) RC_ASSERT(held.erase(id) == 1);
  }
  ResponseBuffer loaded;
  load_state("buffer", 1, save_state("buffer", 1, buffer), loaded);
  std::size_t size = 0;
  for (const auto& [prompt, queue] : model) {
    const auto got = loaded.of(prompt);
    RC_ASSERT(got.size() == queue.size());
    for (std::size_t i = 0; i < queue.size(); ++i) {
      RC_ASSERT(got[i].id == queue[i]);
      RC_ASSERT(held.count(queue[i]));
    }
    size += queue.size();
  }
  RC_ASSERT(loaded.size() == size);
  RC_ASSERT(held.size() == size);
}

}  // namespace
}  // namespace allot
