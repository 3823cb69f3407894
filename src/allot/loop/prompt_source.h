// Where prompts come from: one of the five interfaces of the training step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "allot/core/types.h"

namespace allot {

struct Message {
  std::string role, content;  // "system", "user", "assistant", ..
};

struct Prompt {
  PromptId id = 0;
  std::string key;     // the user's name of the row, for logs
  std::string text;    // what the model sees; of messages, before a chat template is applied,
                       // their text
  std::string answer;  // reference answer for the verifier
  std::string demonstration;  // a correct response for the warm start; may be empty

  std::vector<Message> messages;      // a conversation; empty: `text` alone
  std::vector<std::string> accepted;  // further reference answers, of which any may match
  std::string verifier;               // preset of the math verifier; empty: as the task is judged
  float weight = 1;  // of its rollouts in the loss, beside those of the method; >= 0
  std::optional<float> prior_pass_rate;  // as in PromptRef
};

// Ids are distinct within one step, its refills included; a smaller pool gives fewer candidates.
// Order depends on (seed, epoch) only. Not thread-safe, except get().
class PromptSource {
 public:
  virtual ~PromptSource() = default;

  // Up to `wanted` candidates. Stream: the epoch cursor advances by what is returned. Uniform: a
  // keyed draw that consumes nothing. Pool: all ids, `wanted` ignored. Valid until the next call.
  virtual std::span<const PromptRef> candidates(std::size_t wanted, Draw draw) = 0;

  // Tells the source that a new step begins, so that ids may be shown again. `step` keys Uniform.
  virtual void begin_step(std::uint64_t step) = 0;

  // Throws Error(Data) for an unknown id, or if the prompt can no longer be read. The prompt stays
  // where it is until the next begin_step() after it was last asked for, and outside of steps until
  // kStay further prompts were asked for: a source may read prompts from a file as they are wanted.
  virtual const Prompt& get(PromptId id) const = 0;
  static constexpr std::size_t kStay = 4096;
  virtual std::size_t size() const = 0;

  virtual std::string save() const = 0;  // the cursor
  virtual void load(std::string_view state) = 0;
  virtual std::uint64_t hash() const = 0;  // of keys and answers, independent of their order
};

}  // namespace allot
