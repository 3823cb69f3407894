#include "allot/app/check_data.h"

#include "allot/core/error.h"

namespace allot {
namespace {

// At most 40 bytes, and no half character.
std::string shortened(const std::string& text) {
  std::size_t length = 40;
  if (text.size() <= length) return text;
  while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) --length;
  return text.substr(0, length) + "...";
}

void check_lengths(const PromptSet& prompts, const Tokenizer& tokenizer, std::size_t context,
                   std::size_t response) {
  std::size_t count = 0, worst_tokens = 0;
  std::string worst;
  for (const PromptId id : prompts.ids()) {
    const Prompt& prompt = prompts.get(id);
    const std::size_t tokens = tokenizer.encode(prompt.text).size();
    if (tokens + response <= context) continue;
    ++count;
    if (tokens > worst_tokens) worst_tokens = tokens, worst = prompt.text;
  }
  if (count == 0) return;
  throw Error(
      ErrorKind::Data, "data",
      concat(count, " of ", prompts.size(), " prompts are too long, the longest with ",
             worst_tokens, " tokens (", shortened(worst), "); with a response of ", response,
             " tokens at most ", context > response ? context - response : 0, " fit"),
      "drop long prompts, lower rollout.max_new_tokens or raise model.context");
}

}  // namespace

std::uint32_t longest_response(const Task& task) {
  return static_cast<std::uint32_t>(task.longest_response) + 1;
}

void check_prompts(const RunConfig& config, const Task& task, const Tokenizer& tokenizer,
                   int context) {
  const std::size_t response = config.sampling.sampling(longest_response(task)).max_new;
  for (const PromptSet* prompts : {task.train.get(), task.test.get()})
    check_lengths(*prompts, tokenizer, static_cast<std::size_t>(context), response);
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
