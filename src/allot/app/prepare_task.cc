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

// How long the responses of a set are, as far as its rows show it.
struct ShownResponses {
  std::size_t longest = 0;  // tokens of a demonstration, else of an answer
  bool has_demonstration = false;
};

ShownResponses shown_responses(const PromptList& prompts, const Tokenizer& tokenizer) {
  ShownResponses found;
  prompts.each([&](const Prompt& prompt) {
    const bool is_shown = !prompt.demonstration.empty();
    found.has_demonstration |= is_shown;
    found.longest = std::max(
        found.longest, token_count(is_shown ? prompt.demonstration : prompt.answer, tokenizer));
  });
  return found;
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
    PromptList prompts = drawn.list();
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
    const ShownResponses train = shown_responses(task.train->list(), tokenizer);
    task.longest_response =
        std::max(train.longest, shown_responses(task.test->list(), tokenizer).longest);
    // Where no solution shows how long a response is, its length is that of a bare answer.
    const bool is_short = !config.model.path.empty() && config.sampling.max_new_tokens == 0;
    if (is_short && !train.has_demonstration)
      task.notes.warnings.push_back(
          concat("responses may have ", longest_response(task),
                 " tokens, as many as the longest answer needs; rollout.max_new_tokens leaves "
                 "room for more"));
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
