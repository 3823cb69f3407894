#include "allot/app/check_data.h"

#include "allot/core/error.h"

namespace allot {

std::uint32_t longest_response(const Task& task) {
  return static_cast<std::uint32_t>(task.longest_response) + 1;
}

std::uint32_t response_limit(const RunConfig& config, const Task& task) {
  return config.sampling.sampling(longest_response(task)).max_new;
}

void check_step_size(const RunConfig& config, const Task& task) {
  const auto wanted = static_cast<std::size_t>(config.train.prompts_per_step);
  if (task.train->size() >= wanted) return;
  throw Error(ErrorKind::Data, "train.prompts_per_step",
              concat(wanted, " was given, and there are ", task.train->size(),
                     " training prompts; a step shows no prompt twice"),
              "lower it, or give more prompts");
}

}  // namespace allot
