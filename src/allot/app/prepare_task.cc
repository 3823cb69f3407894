#include "allot/app/prepare_task.h"

#include <algorithm>
#include <utility>

#include "allot/app/check_data.h"
#include "allot/app/fit_prompts.h"
#include "allot/app/folder_tokenizer.h"
#include "allot/app/render_prompts.h"
#include "allot/core/error.h"

namespace allot {
namespace {

constexpr const char* kFileTask = "jsonl";

// A text that the tokenizer cannot write counts by its bytes: it is an answer that no response will
// have, and no reason to end a run.
std::size_t token_count(const std::string& text, const Tokenizer& tokenizer) {
  try {
    return tokenizer.encode(text).size();
  } catch (const Error&) {
    return text.size();
  }
}

std::size_t longest_answer(const std::vector<Prompt>& prompts, const Tokenizer& tokenizer) {
  std::size_t longest = 0;
  for (const Prompt& prompt : prompts) {
    const std::string& shown = prompt.demonstration.empty() ? prompt.answer : prompt.demonstration;
    longest = std::max(longest, token_count(shown, tokenizer));
  }
  return longest;
}

// Where no solution shows how long a response is, its length is that of a bare answer.
std::string warn_of_short_responses(const RunConfig& config, const Task& task) {
  const std::vector<Prompt>& train = task.train->prompts();
  const bool is_shown = std::any_of(train.begin(), train.end(), [](const Prompt& prompt) {
    return !prompt.demonstration.empty();
  });
  if (config.model.path.empty() || config.sampling.max_new_tokens > 0 || is_shown) return "";
  return concat("responses may have ", longest_response(task),
                " tokens, as many as the longest answer needs; rollout.max_new_tokens leaves room "
                "for more");
}

// How the prompts of a run are written out and fitted.
class Preparation {
 public:
  Preparation(const RunConfig& config, const Tokenizer& tokenizer, int context,
              std::uint32_t response)
      : config_(config),
        tokenizer_(tokenizer),
        folder_(config.model.path.empty() ? "" : tokenizer_folder(config.model.path)) {
    const auto whole = static_cast<std::size_t>(context);
    limit_ = whole - std::min<std::size_t>(whole, response);
    if (options().max_prompt_tokens > 0)
      limit_ = std::min(limit_, static_cast<std::size_t>(options().max_prompt_tokens));
  }

  std::unique_ptr<PromptSet> of(const PromptSet& drawn, const std::string& name, Overlong rule,
                                FileNotes& notes) const {
    std::vector<Prompt> prompts = drawn.prompts();
    render_prompts(prompts, options(), folder_);
    const std::string done = fit_prompts(prompts, tokenizer_, limit_, rule);
    if (!done.empty()) notes.warnings.push_back(concat(name, ": ", done));
    return std::make_unique<PromptSet>(std::move(prompts), config_.train.seed);
  }

 private:
  const PromptOptions& options() const { return config_.data.prompts; }

  const RunConfig& config_;
  const Tokenizer& tokenizer_;
  std::string folder_;
  std::size_t limit_ = 0;
};

}  // namespace

Task prepare_task(Task drawn, const RunConfig& config, const Tokenizer& tokenizer, int context) {
  Task task = std::move(drawn);
  const bool from_file = config.data.task == kFileTask;
  if (from_file) {
    task.longest_response = std::max(longest_answer(task.train->prompts(), tokenizer),
                                     longest_answer(task.test->prompts(), tokenizer));
    std::string warning = warn_of_short_responses(config, task);
    if (!warning.empty()) task.notes.warnings.push_back(std::move(warning));
  }
  const Preparation preparation(config, tokenizer, context, response_limit(config, task));
  const Overlong rule = from_file ? config.data.prompts.overlong : Overlong::Error;
  task.train = preparation.of(*task.train, "training prompts", rule, task.notes);
  task.test = preparation.of(*task.test, "held-out prompts", rule, task.notes);
  return task;
}

std::vector<HeldOutSet> held_out_sets(const RunConfig& config, const Task& task,
                                      const Tokenizer& tokenizer, int context) {
  std::vector<HeldOutSet> sets;
  const Preparation preparation(config, tokenizer, context, response_limit(config, task));
  for (const NamedFile& file : config.eval.files()) {
    sets.push_back(read_held_out(file, config.data, config.train.seed));
    HeldOutSet& set = sets.back();
    set.prompts = preparation.of(*set.prompts, set.name, config.data.prompts.overlong, set.notes);
  }
  return sets;
}

}  // namespace allot
