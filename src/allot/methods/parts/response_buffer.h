// Correct responses of earlier steps, a few per prompt, first in first out: ids, versions and
// rewards. Their tokens and log-probabilities stay in the host's store (Needs::hold).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "allot/core/prompt_table.h"
#include "allot/core/types.h"

namespace allot {

struct EarlierResponse {
  RolloutId id = 0;
  Version behaviour = 0;
  float reward = 0;

  template <class V>
  void state(V& v) {
    v(id);
    v(behaviour);
    v(reward);
  }
};

class ResponseBuffer {
 public:
  // Oldest first; empty for a prompt without any.
  std::span<const EarlierResponse> of(PromptId prompt) const;

  // Adds `fresh` (oldest first) behind the others and keeps the newest `cap`. What is new and kept
  // is added to batch.hold, what gave way to batch.release.
  void push(PromptId prompt, std::span<const EarlierResponse> fresh, std::size_t cap,
            TrainBatch& batch);

  // The host gave these up.
  void forget(std::span<const RolloutId> lost);

  std::size_t size() const;  // responses of all prompts

  template <class V>
  void state(V& v) {
    v(of_);
  }

 private:
  // At most 24 + 16 * cap bytes per prompt with a response: 88 with the default cap of 4.
  struct Record {
    std::vector<EarlierResponse> responses;

    template <class V>
    void state(V& v) {
      v(responses);
    }
  };
  static constexpr std::size_t kFirstRoom = 4;  // responses

  PromptTable<Record> of_;
};

}  // namespace allot
