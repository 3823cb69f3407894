// Which columns of a data set are the prompt and the answer, and how a row becomes a Prompt.
// Source: conventions, section 4.
//
// | style | prompt | answer |
// |---|---|---|
// | verl | prompt (messages) | reward_model.ground_truth |
// | TRL | prompt (text or messages) | answer, else solution |
// | questions | question, or problem | final_answer, else answer, else solution |
//
// An answer that is worked out is reduced to what it comes to: the text behind the last ####,
// without thousands separators, or the last group of boxes; the whole then serves as the
// demonstration.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "allot/core/options.h"
#include "allot/loop/prompt_source.h"
#include "allot/tasks/data_row.h"

namespace allot {

// Names of columns, with dots for what lies within one (extra_info.index). "" = found by name.
struct ColumnOptions {
  std::string prompt, answer, id, demonstration, verifier, weight, prior_pass_rate;

  template <class V>
  void fields(V& v) {
    v("prompt", prompt, "column of the prompt; empty = prompt, problem or question");
    v("answer", answer,
      "column of the reference answer; empty = reward_model.ground_truth, final_answer, answer or "
      "solution");
    v("id", id, "column of the key; empty = id, where there is one");
    v("demonstration", demonstration,
      "column of a correct response; empty = demonstration, where there is one");
    v("verifier", verifier,
      "column that names the verifier's preset; empty = verifier, else data_source");
    v("weight", weight,
      "column with the weight of a prompt's rollouts in the loss; empty = weight, where there is "
      "one");
    v("prior_pass_rate", prior_pass_rate,
      "column with the pass rate that a prompt is believed to have before its first rollout; empty "
      "= prior_pass_rate, where there is one");
  }
};

struct DataColumns {
  std::string style;  // "verl", "TRL", "questions and answers", "as data.columns says"
  // "" = there is none
  std::string prompt, answer, id, demonstration, verifier, weight, prior_pass_rate;

  // Meaning and column of each that there is.
  std::vector<std::pair<const char*, std::string>> mapped() const;
  // "prompt <- question, answer <- solution"
  std::string text() const;
  // Names of the row's columns that are not read, sorted.
  std::vector<std::string> ignored(const Cell& row) const;
};

// By the names in the first row. A prompt or answer that is missing is found out by to_prompt().
DataColumns find_columns(const Cell& row, const ColumnOptions& wanted);

// Columns that rows may lack (all but prompt and answer) and a later row is the first to have.
void find_further_columns(const Cell& row, DataColumns& columns);

// Name of a column that `wanted` names and the row lacks; "" where there is none.
std::string missing_column(const Cell& row, const ColumnOptions& wanted);

// The prompt of a row, or what is wrong with it.
struct RowPrompt {
  Prompt prompt;
  bool worked = false;  // the answer was read from a worked solution
  std::string problem;
};
RowPrompt to_prompt(const Cell& row, const DataColumns& columns);

// What a worked answer comes to; all of a plain one, trimmed.
std::string final_answer(std::string_view text);

// One text of a conversation: a single user message as it is, so that the key of a question does
// not depend on the style it came in.
std::string message_text(const std::vector<Message>& messages);

// The verifier's preset for a value of a `verifier` or `data_source` column: the preset of that
// name, that of a known data set, or "".
std::string verifier_preset(std::string_view value);

}  // namespace allot
