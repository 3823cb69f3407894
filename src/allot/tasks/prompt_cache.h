// The streamed prompts of a set that are in memory: those of the open step, and the last ones that
// were asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <unordered_map>

#include "allot/loop/prompt_source.h"

namespace allot {

// Keeps to what PromptSource::get() promises about how long a prompt stays: in a step, whatever was
// asked for; before the first one, the last ones. Any thread.
class PromptCache {
 public:
  // The prompt of `place`, by `read` unless it is here. An exception of `read` passes through.
  const Prompt& get(std::uint32_t place, const std::function<Prompt()>& read);
  void begin_step();  // drops all
  std::size_t size() const;

 private:
  struct Entry {
    Prompt prompt;
    std::uint64_t loads = 0;  // loads_ when it was asked for last
  };
  void drop_old();

  mutable std::mutex mutex_;
  std::unordered_map<std::uint32_t, Entry> entries_;  // whose prompts never move
  std::uint64_t loads_ = 0;
  bool in_step_ = false;                        // from the first one on
  std::size_t full_ = 2 * PromptSource::kStay;  // entries at which old ones are dropped
};

}  // namespace allot
