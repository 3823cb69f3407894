#include "allot/tasks/data_set.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "allot/core/error.h"
#include "allot/core/prompt_id.h"
#include "allot/core/utf8.h"
#include "allot/tasks/chosen_verifier.h"
#include "allot/tasks/first_places.h"
#include "allot/tasks/math_verifier.h"
#include "allot/tasks/scored_verifier.h"

namespace allot {
namespace {

constexpr std::uintmax_t kStreamedBytes = std::uintmax_t{1} << 30;  // from which on, by default

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

// Rows that are kept as prompts.
class RowsInMemory {
 public:
  const Prompt& prompt(std::size_t row) const { return prompts_[row]; }
  std::size_t line(std::size_t row) const { return lines_[row]; }
  void add(Prompt prompt, const RowPlace& place, const DataColumns&) {
    prompts_.push_back(std::move(prompt));
    lines_.push_back(place.line);
  }
  std::vector<Prompt> take() { return std::move(prompts_); }

 private:
  std::vector<Prompt> prompts_;
  std::vector<std::size_t> lines_;
};

// Rows that are kept as where they stand.
class RowsInFile {
 public:
  explicit RowsInFile(const std::string& path) : index_(std::make_shared<RowIndex>(path)) {}

  Prompt prompt(std::size_t row) const { return index_->read(row); }
  std::size_t line(std::size_t row) const { return index_->line(row); }
  void add(const Prompt& prompt, const RowPlace& place, const DataColumns& columns) {
    index_->set_columns(columns);  // further ones are none that the rows so far have
    index_->add(prompt, place);
  }
  std::shared_ptr<const RowIndex> take() {
    index_->shrink();
    return std::move(index_);
  }

 private:
  std::shared_ptr<RowIndex> index_;
};

template <class Rows>
class Collector {
 public:
  Collector(const std::string& name, const ColumnOptions& wanted, Rows& kept)
      : wanted_(wanted), kept_(kept) {
    facts_.name = name;
  }

  void add(const Cell& row, const RowPlace& place) {
    const std::size_t line = place.line;
    if (facts_.rows++ == 0) begin(row, line);
    find_further_columns(row, facts_.columns);
    for (std::string& column : facts_.columns.ignored(row)) ignored_.insert(std::move(column));
    RowPrompt read = to_prompt(row, facts_.columns);
    if (!read.problem.empty()) fail(line, read.problem, kExampleRow);
    Prompt& prompt = read.prompt;
    if (trimmed(prompt.answer).empty()) return facts_.empty.add(concat("line ", line));
    facts_.worked = facts_.worked || read.worked;
    if (const auto earlier = ids_.find(prompt.id)) {
      if (!same_row(kept_.prompt(*earlier), prompt))
        fail(line, concat("this row and line ", kept_.line(*earlier), " have the same id '",
                          prompt.key, "' but differ; one row per id is needed"));
      return facts_.repeated.add(concat("line ", line, " repeats line ", kept_.line(*earlier)));
    }
    ids_.add(prompt.id);
    const std::uint64_t text = hash_bytes(prompt.text);
    if (const auto other = texts_.find(text)) compare(*other, prompt, line);
    texts_.add(text);
    kept_.add(std::move(prompt), place, facts_.columns);
  }

  // All but the prompts.
  DataRows take(DataFormat format) {
    if (ids_.size() == 0)
      throw Error(ErrorKind::Data, facts_.name,
                  "there is no row with an answer; at least one is needed", kExampleRow);
    facts_.format = format;
    facts_.ignored.assign(ignored_.begin(), ignored_.end());
    return std::move(facts_);
  }

 private:
  void begin(const Cell& row, std::size_t line) {
    const std::string missing = missing_column(row, wanted_);
    if (!missing.empty())
      fail(line, concat("the column '", missing, "', which data.columns names, is missing"));
    facts_.columns = find_columns(row, wanted_);
  }
  void compare(std::size_t other, const Prompt& prompt, std::size_t line) {
    const Prompt& earlier = kept_.prompt(other);
    if (earlier.text == prompt.text && earlier.answer != prompt.answer)
      facts_.conflicting.add(concat("lines ", kept_.line(other), " and ", line));
  }
  [[noreturn]] void fail(std::size_t line, std::string_view what,
                         std::string_view hint = "") const {
    throw Error(ErrorKind::Data, concat(facts_.name, ":", line), what, hint);
  }

  const ColumnOptions& wanted_;
  Rows& kept_;
  DataRows facts_;
  FirstPlaces ids_, texts_;  // of the rows that are kept, the latter by hash
  std::set<std::string> ignored_;
};

std::ifstream opened(const std::string& path) {
  constexpr const char* kForms = "JSON lines, a JSON list and CSV are read";
  if (std::filesystem::is_directory(path))
    throw Error(ErrorKind::Data, path, "a folder was given; a file is needed", kForms);
  if (path.ends_with(".parquet"))
    throw Error(ErrorKind::Data, path, "parquet was given; a file of text is needed", kForms);
  std::ifstream in(path, std::ios::binary);
  if (!in)
    throw Error(ErrorKind::Data, path, "the file cannot be opened; a readable file is needed");
  return in;
}

template <class Rows>
DataRows collect(std::istream& in, const std::string& name, const ColumnOptions& columns,
                 Rows& kept) {
  Collector<Rows> collector(name, columns, kept);
  const DataFormat format = read_rows(
      in, name, [&](const Cell& row, const RowPlace& place) { collector.add(row, place); });
  return collector.take(format);
}

bool is_streamed(const std::string& path, Streaming stream) {
  if (stream != Streaming::Auto) return stream == Streaming::Always;
  std::error_code unknown;
  const std::uintmax_t size = std::filesystem::file_size(path, unknown);
  return !unknown && size >= kStreamedBytes && !is_csv(path);
}

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
  warn(bad_gold, concat("row(s) with an answer that the verifier cannot use ", bad_gold_fate));
  if (!ignored.empty()) {
    std::string names;
    for (const std::string& column : ignored) names += (names.empty() ? "" : ", ") + column;
    all.push_back(concat(name, ": columns that are ignored: ", names));
  }
  return all;
}

DataRows parse_data_set(std::istream& in, const std::string& name, const ColumnOptions& columns) {
  RowsInMemory kept;
  DataRows rows = collect(in, name, columns, kept);
  rows.prompts = kept.take();
  return rows;
}

DataRows read_data_set(const std::string& path, const ColumnOptions& columns) {
  std::ifstream in = opened(path);
  return parse_data_set(in, path, columns);
}

IndexedRows index_data_set(const std::string& path, const ColumnOptions& columns) {
  std::ifstream in = opened(path);
  if (is_csv(path))
    throw Error(ErrorKind::Data, path, "CSV was given; streaming needs JSON lines or a JSON list",
                "data.jsonl.stream=never reads all of it");
  RowsInFile kept(path);
  IndexedRows rows;
  rows.facts = collect(in, path, columns, kept);
  rows.rows = kept.take();
  return rows;
}

LoadedRows load_data_set(const std::string& path, const ColumnOptions& columns, Streaming stream) {
  LoadedRows loaded;
  if (is_streamed(path, stream)) {
    IndexedRows indexed = index_data_set(path, columns);
    return {std::move(indexed.facts), PromptList(std::move(indexed.rows))};
  }
  loaded.facts = read_data_set(path, columns);
  loaded.prompts = PromptList(std::exchange(loaded.facts.prompts, {}));
  return loaded;
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

void instruct(Prompt& prompt, PromptPreset preset) {
  const std::string_view words = instruction(preset);
  if (words.empty()) return;
  const auto user = std::find_if(prompt.messages.rbegin(), prompt.messages.rend(),
                                 [](const Message& message) { return message.role == "user"; });
  if (user != prompt.messages.rend()) user->content += concat("\n", words);
  prompt.text =
      prompt.messages.empty() ? concat(prompt.text, "\n", words) : message_text(prompt.messages);
}

void instruct(std::vector<Prompt>& prompts, PromptPreset preset) {
  for (Prompt& prompt : prompts) instruct(prompt, preset);
}

bool judged_by_math(const DataRows& rows, const DataSetOptions& options) {
  if (options.reward != Reward::Auto) return options.reward == Reward::Math;
  return rows.worked || options.preset != PromptPreset::None || rows.columns.prompt == "problem";
}

void check_golds(DataRows& facts, PromptList& prompts, const DataSetOptions& options) {
  const bool by_default = judged_by_math(facts, options);
  // What is wrong with an answer that is judged by the math verifier; "" where nothing is.
  const auto problem_of = [by_default, options](const Prompt& prompt) -> std::string {
    if (prompt.verifier.empty() && !by_default) return "";
    const verify::Gold gold =
        prepare_gold(prompt, preset_options(prompt.verifier, options.verifier));
    if (gold.status() == verify::VerdictStatus::Correct) return "";
    return concat("prompt '", shortened(prompt.text), "': ", gold.problem());
  };
  const bool dropped = options.bad_gold == BadGold::Drop;
  facts.bad_gold_fate = dropped ? "were dropped" : "are compared as written";
  const auto first = [&](Prompt& prompt) {
    const std::string problem = problem_of(prompt);
    if (problem.empty()) return true;
    if (options.bad_gold == BadGold::Error)
      throw Error(ErrorKind::Data, facts.name,
                  concat("the verifier cannot use an answer (", problem, ")"),
                  "data.jsonl.bad_gold=drop leaves such rows out");
    facts.bad_gold.add(problem);
    prompt.verifier = "exact";
    return !dropped;
  };
  prompts.change(first, [dropped, problem_of](Prompt& prompt) {
    if (!dropped && !problem_of(prompt).empty()) prompt.verifier = "exact";
    return true;
  });
  if (prompts.empty())
    throw Error(ErrorKind::Data, facts.name,
                concat("the verifier can use none of the answers (", facts.bad_gold.first, ")"));
}

void check_golds(DataRows& rows, const DataSetOptions& options) {
  PromptList prompts(std::move(rows.prompts));
  try {
    check_golds(rows, prompts, options);
  } catch (...) {  // a refusal leaves them as they are
    rows.prompts = std::move(prompts).take();
    throw;
  }
  rows.prompts = std::move(prompts).take();
}

std::pair<PromptList, PromptList> split_rows(PromptList prompts, double test_share) {
  if (prompts.size() < 2)
    throw Error(ErrorKind::Data, "data.train",
                "a file of one row cannot be split into training and held-out prompts",
                "give a file of held-out prompts as data.eval");
  const auto limit = static_cast<long>(prompts.size()) - 1;
  const long held_out =
      std::clamp(std::lround(test_share * static_cast<double>(prompts.size())), 1L, limit);
  std::vector<std::pair<std::uint64_t, PromptId>> order;
  for (std::size_t i = 0; i < prompts.size(); ++i)
    order.emplace_back(hash_bytes(std::to_string(prompts.id(i))), prompts.id(i));
  std::nth_element(order.begin(), order.begin() + held_out - 1, order.end());
  const auto last = order[static_cast<std::size_t>(held_out) - 1];
  return std::move(prompts).split(
      [&](PromptId id) { return std::pair(hash_bytes(std::to_string(id)), id) <= last; });
}

DataSplit split_rows(std::vector<Prompt> prompts, double test_share) {
  auto [held_out, others] = split_rows(PromptList(std::move(prompts)), test_share);
  return {std::move(others).take(), std::move(held_out).take()};
}

}  // namespace allot
