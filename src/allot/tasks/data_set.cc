#include "allot/tasks/data_set.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "allot/core/error.h"
#include "allot/core/prompt_id.h"
#include "allot/tasks/chosen_verifier.h"
#include "allot/tasks/math_verifier.h"
#include "allot/tasks/scored_verifier.h"

namespace allot {
namespace {

constexpr const char* kExample = R"(a row reads {"prompt": "2+2=", "answer": "4"})";

bool same_row(const Prompt& a, const Prompt& b) {
  const auto same_message = [](const Message& x, const Message& y) {
    return x.role == y.role && x.content == y.content;
  };
  return a.text == b.text && a.answer == b.answer && a.demonstration == b.demonstration &&
         a.accepted == b.accepted && a.verifier == b.verifier && a.weight == b.weight &&
         a.prior_pass_rate == b.prior_pass_rate &&
         std::equal(a.messages.begin(), a.messages.end(), b.messages.begin(), b.messages.end(),
                    same_message);
}

class Collector {
 public:
  Collector(const std::string& name, const ColumnOptions& wanted) : wanted_(wanted) {
    rows_.name = name;
  }

  void add(const Cell& row, std::size_t line) {
    if (rows_.rows++ == 0) begin(row, line);
    find_further_columns(row, rows_.columns);
    for (std::string& column : rows_.columns.ignored(row)) ignored_.insert(std::move(column));
    RowPrompt read = to_prompt(row, rows_.columns);
    if (!read.problem.empty()) fail(line, read.problem, kExample);
    Prompt& prompt = read.prompt;
    if (trimmed(prompt.answer).empty()) return rows_.empty.add(concat("line ", line));
    rows_.worked = rows_.worked || read.worked;
    const auto [place, fresh] = places_.emplace(prompt.id, rows_.prompts.size());
    if (!fresh) {
      const std::size_t earlier = lines_[place->second];
      if (!same_row(rows_.prompts[place->second], prompt))
        fail(line, concat("this row and line ", earlier, " have the same id '", prompt.key,
                          "' but differ; one row per id is needed"));
      return rows_.repeated.add(concat("line ", line, " repeats line ", earlier));
    }
    const std::uint64_t text = hash_bytes(prompt.text);
    const auto [other, new_text] = texts_.emplace(text, rows_.prompts.size());
    if (!new_text && rows_.prompts[other->second].text == prompt.text &&
        rows_.prompts[other->second].answer != prompt.answer)
      rows_.conflicting.add(concat("lines ", lines_[other->second], " and ", line));
    lines_.push_back(line);
    rows_.prompts.push_back(std::move(prompt));
  }

  DataRows take(DataFormat format) {
    if (rows_.prompts.empty())
      throw Error(ErrorKind::Data, rows_.name,
                  "there is no row with an answer; at least one is needed", kExample);
    rows_.format = format;
    rows_.ignored.assign(ignored_.begin(), ignored_.end());
    return std::move(rows_);
  }

 private:
  void begin(const Cell& row, std::size_t line) {
    const std::string missing = missing_column(row, wanted_);
    if (!missing.empty())
      fail(line, concat("the column '", missing, "', which data.columns names, is missing"));
    rows_.columns = find_columns(row, wanted_);
  }
  [[noreturn]] void fail(std::size_t line, std::string_view what,
                         std::string_view hint = "") const {
    throw Error(ErrorKind::Data, concat(rows_.name, ":", line), what, hint);
  }

  const ColumnOptions& wanted_;
  DataRows rows_;
  std::vector<std::size_t> lines_;                        // of rows_.prompts
  std::unordered_map<PromptId, std::size_t> places_;      // in rows_.prompts
  std::unordered_map<std::uint64_t, std::size_t> texts_;  // hash -> first in rows_.prompts
  std::set<std::string> ignored_;
};

}  // namespace

std::vector<std::string> DataRows::warnings() const {
  std::vector<std::string> all;
  const auto warn = [&](const RowCases& tally, std::string_view what) {
    if (tally.count > 0)
      all.push_back(concat(name, ": ", tally.count, " ", what, " (first: ", tally.first, ")"));
  };
  warn(repeated, "row(s) repeat an earlier row and count once");
  warn(empty, "row(s) with an empty answer were dropped");
  warn(conflicting, "row(s) ask an earlier question with a different answer");
  warn(bad_gold, "row(s) have an answer that the verifier cannot use");
  if (!ignored.empty()) {
    std::string names;
    for (const std::string& column : ignored) names += (names.empty() ? "" : ", ") + column;
    all.push_back(concat(name, ": columns that are ignored: ", names));
  }
  return all;
}

DataRows parse_data_set(std::istream& in, const std::string& name, const ColumnOptions& columns) {
  Collector collector(name, columns);
  const DataFormat format =
      read_rows(in, name, [&](const Cell& row, std::size_t line) { collector.add(row, line); });
  return collector.take(format);
}

DataRows read_data_set(const std::string& path, const ColumnOptions& columns) {
  std::ifstream in(path, std::ios::binary);
  if (!in)
    throw Error(ErrorKind::Data, path, "the file cannot be opened; a readable file is needed");
  return parse_data_set(in, path, columns);
}

std::string_view instruction(PromptPreset preset) {
  switch (preset) {
    case PromptPreset::None:
      return "";
    case PromptPreset::Gsm8k:
      return "Let's think step by step and output the final answer after \"####\".";
    case PromptPreset::Math:
      return "Please reason step by step, and put your final answer within \\boxed{}.";
  }
  return "";
}

void instruct(std::vector<Prompt>& prompts, PromptPreset preset) {
  const std::string_view words = instruction(preset);
  if (words.empty()) return;
  for (Prompt& prompt : prompts) {
    const auto user = std::find_if(prompt.messages.rbegin(), prompt.messages.rend(),
                                   [](const Message& message) { return message.role == "user"; });
    if (user != prompt.messages.rend()) user->content += concat("\n", words);
    prompt.text =
        prompt.messages.empty() ? concat(prompt.text, "\n", words) : message_text(prompt.messages);
  }
}

bool judged_by_math(const DataRows& rows, const DataSetOptions& options) {
  if (options.reward != Reward::Auto) return options.reward == Reward::Math;
  return rows.worked || options.preset != PromptPreset::None;
}

void check_golds(DataRows& rows, const DataSetOptions& options) {
  const bool by_default = judged_by_math(rows, options);
  std::erase_if(rows.prompts, [&](Prompt& prompt) {
    if (prompt.verifier.empty() && !by_default) return false;
    const verify::Gold gold =
        prepare_gold(prompt, preset_options(prompt.verifier, options.verifier));
    if (gold.status() == verify::VerdictStatus::Correct) return false;
    const std::string problem = concat("prompt '", prompt.key, "': ", gold.problem());
    if (options.bad_gold == BadGold::Error)
      throw Error(ErrorKind::Data, rows.name,
                  concat("the verifier cannot use an answer (", problem, ")"),
                  "data.jsonl.bad_gold=drop leaves such rows out");
    rows.bad_gold.add(problem);
    if (options.bad_gold == BadGold::Drop) return true;
    prompt.verifier = "exact";
    return false;
  });
  if (rows.prompts.empty())
    throw Error(ErrorKind::Data, rows.name,
                concat("the verifier can use none of the answers (", rows.bad_gold.first, ")"));
}

DataSplit split_rows(std::vector<Prompt> prompts, double test_share) {
  if (prompts.size() < 2)
    throw Error(ErrorKind::Data, "data.train",
                "a file of one row cannot be split into training and held-out prompts",
                "give a file of held-out prompts as data.eval");
  const auto limit = static_cast<long>(prompts.size()) - 1;
  const long held_out =
      std::clamp(std::lround(test_share * static_cast<double>(prompts.size())), 1L, limit);
  std::vector<std::pair<std::uint64_t, PromptId>> order;
  for (const Prompt& prompt : prompts)
    order.emplace_back(hash_bytes(std::to_string(prompt.id)), prompt.id);
  std::sort(order.begin(), order.end());
  std::set<PromptId> chosen;
  for (long i = 0; i < held_out; ++i) chosen.insert(order[static_cast<std::size_t>(i)].second);
  DataSplit split;
  for (Prompt& prompt : prompts)
    (chosen.contains(prompt.id) ? split.test : split.train).push_back(std::move(prompt));
  return split;
}

}  // namespace allot
