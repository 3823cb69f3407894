#include "allot/tasks/data_columns.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <initializer_list>
#include <set>
#include <utility>

#include "allot/core/error.h"
#include "allot/core/prompt_id.h"
#include "allot/tasks/math/extract.h"
#include "allot/tasks/scored_verifier.h"

namespace allot {
namespace {

// A column, or with dots what lies within one. A name with dots of its own comes first.
const Cell* find_path(const Cell& row, std::string_view path) {
  if (path.empty()) return nullptr;
  if (const Cell* whole = row.find(path)) return whole;
  const std::size_t dot = path.find('.');
  if (dot == std::string_view::npos) return nullptr;
  const Cell* outer = row.find(path.substr(0, dot));
  return outer == nullptr ? nullptr : find_path(*outer, path.substr(dot + 1));
}

std::string first_of(const Cell& row, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (find_path(row, name) != nullptr) return name;
  return "";
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// 1,234,567 -> 1234567, where the commas stand as in a number.
std::string without_separators(std::string_view number) {
  std::string out;
  for (std::size_t i = 0; i < number.size(); ++i) {
    const auto digit = [&](std::size_t at) { return at < number.size() && is_digit(number[at]); };
    const bool separates = number[i] == ',' && i > 0 && is_digit(number[i - 1]) && digit(i + 1) &&
                           digit(i + 2) && digit(i + 3) && !digit(i + 4);
    if (!separates) out += number[i];
  }
  return out;
}

// Reads one row; stops at the first thing that is wrong.
class PromptReader {
 public:
  PromptReader(const Cell& row, const DataColumns& columns) : row_(row), columns_(columns) {}

  RowPrompt read() {
    read_prompt();
    if (out_.problem.empty()) read_answer();
    if (out_.problem.empty()) read_rest();
    if (out_.problem.empty()) read_id();
    return std::move(out_);
  }

 private:
  void read_prompt() {
    const Cell* cell = column(columns_.prompt, "prompt");
    if (cell == nullptr) return;
    if (cell->kind == Cell::Kind::List) return read_messages(*cell);
    if (cell->kind != Cell::Kind::Text)
      return fail(columns_.prompt, *cell, "text or a list of messages is needed");
    if (cell->text.empty())
      return problem(concat("'", columns_.prompt, "' is empty; a text is needed"));
    out_.prompt.text = cell->text;
  }

  void read_messages(const Cell& list) {
    for (const Cell& one : list.elements) {
      const Cell* role = one.find("role");
      const Cell* content = one.find("content");
      if (role == nullptr || content == nullptr || role->kind != Cell::Kind::Text ||
          content->kind != Cell::Kind::Text)
        return problem(concat("'", columns_.prompt,
                              "' is a list with something else than messages; each needs the texts "
                              "role and content"));
      out_.prompt.messages.push_back({role->text, content->text});
    }
    if (list.elements.empty()) return problem(concat("'", columns_.prompt, "' has no messages"));
    out_.prompt.text = message_text(out_.prompt.messages);
  }

  void read_answer() {
    const Cell* cell = column(columns_.answer, "answer");
    if (cell == nullptr) return;
    if (cell->kind == Cell::Kind::Null) return;  // the row has none, which data sets do write
    std::vector<Cell> answers{*cell};
    if (cell->kind == Cell::Kind::List) answers = cell->elements;
    if (answers.empty()) return problem(concat("'", columns_.answer, "' is an empty list"));
    for (const Cell& answer : answers) {
      if (!answer.is_answer())
        return fail(columns_.answer, answer, "text, a number or a list of these is needed");
      std::string value = final_answer(answer.text);
      if (&answer != &answers.front()) {
        out_.prompt.accepted.push_back(std::move(value));
        continue;
      }
      out_.worked = value != trimmed(answer.text);
      if (out_.worked) out_.prompt.demonstration = answer.text;
      out_.prompt.answer = answer.kind == Cell::Kind::Text && !out_.worked ? answer.text : value;
    }
  }

  void read_rest() {
    if (const Cell* cell = find_path(row_, columns_.demonstration)) {
      if (cell->kind != Cell::Kind::Text)
        return fail(columns_.demonstration, *cell, "text is needed");
      out_.prompt.demonstration = cell->text;
    }
    read_weight();
    read_prior();
    if (!out_.problem.empty()) return;
    const Cell* cell = find_path(row_, columns_.verifier);
    if (cell == nullptr || cell->kind != Cell::Kind::Text) return;
    out_.prompt.verifier = verifier_preset(cell->text);
    if (out_.prompt.verifier.empty() && columns_.verifier == "verifier" && !cell->text.empty())
      problem(concat("'verifier' is '", cell->text, "', which is no preset of the verifier"));
  }

  // -1: it is no number of at least 0.
  static float magnitude(const Cell& cell) {
    float value = -1;
    if (cell.kind != Cell::Kind::Number && cell.kind != Cell::Kind::Text) return -1;
    const char* end = cell.text.data() + cell.text.size();
    const auto [stop, error] = std::from_chars(cell.text.data(), end, value);
    return error == std::errc() && stop == end && value >= 0 && std::isfinite(value) ? value : -1;
  }

  void read_weight() {
    const Cell* cell = find_path(row_, columns_.weight);
    if (cell == nullptr || cell->kind == Cell::Kind::Null) return;
    const float value = magnitude(*cell);
    if (value < 0) return fail(columns_.weight, *cell, "a finite number of at least 0 is needed");
    out_.prompt.weight = value;
  }

  // An empty text is what CSV has for a row without one.
  void read_prior() {
    const Cell* cell = find_path(row_, columns_.prior_pass_rate);
    if (cell == nullptr || cell->kind == Cell::Kind::Null) return;
    if (cell->kind == Cell::Kind::Text && cell->text.empty()) return;
    const float value = magnitude(*cell);
    if (value < 0 || value > 1)
      return problem(concat("'", columns_.prior_pass_rate, "' is ", kind_name(cell->kind),
                            cell->text.empty() ? "" : ": ", cell->text,
                            "; a number from 0 to 1 is needed"));
    out_.prompt.prior_pass_rate = value;
  }

  void read_id() {
    Prompt& prompt = out_.prompt;
    const Cell* id = find_path(row_, columns_.id);
    if (id == nullptr) {
      prompt.id = prompt_id(prompt.text, prompt.answer);
      prompt.key = std::to_string(prompt.id);
      return;
    }
    const std::optional<std::uint64_t> whole = whole_id(*id);
    if (!whole && id->kind != Cell::Kind::Text)
      return problem(concat("'", columns_.id, "' is ", kind_name(id->kind),
                            id->text.empty() ? "" : ": ", id->text,
                            "; text or a whole number from 0 to 2^63 - 1 is needed"));
    if (!whole && id->text.empty())
      return problem(concat("'", columns_.id, "' is empty; leave it out or fill it"));
    prompt.id = whole ? *whole : prompt_id(id->text);
    prompt.key = id->text;
  }

  const Cell* column(const std::string& name, const char* meaning) {
    const Cell* cell = find_path(row_, name);
    if (cell == nullptr)
      problem(name.empty() ? concat("the column '", meaning, "' is missing, and data.columns.",
                                    meaning, " names no other")
                           : concat("the column '", name, "' is missing"));
    return cell;
  }
  void fail(const std::string& name, const Cell& cell, std::string_view needed) {
    problem(concat("'", name, "' is ", kind_name(cell.kind), "; ", needed));
  }
  void problem(std::string what) { out_.problem = std::move(what); }

  const Cell& row_;
  const DataColumns& columns_;
  RowPrompt out_;
};

}  // namespace

std::vector<std::pair<const char*, std::string>> DataColumns::mapped() const {
  std::vector<std::pair<const char*, std::string>> all = {{"prompt", prompt},
                                                          {"answer", answer},
                                                          {"id", id},
                                                          {"demonstration", demonstration},
                                                          {"verifier", verifier},
                                                          {"weight", weight},
                                                          {"prior_pass_rate", prior_pass_rate}};
  std::erase_if(all, [](const auto& pair) { return pair.second.empty(); });
  return all;
}

std::string DataColumns::text() const {
  std::string out;
  for (const auto& [meaning, column] : mapped())
    out += concat(out.empty() ? "" : ", ", meaning, " <- ", column);
  return out;
}

std::vector<std::string> DataColumns::ignored(const Cell& row) const {
  std::set<std::string> names;
  for (const auto& [name, unused] : row.fields) names.insert(name);
  for (const std::string* column :
       {&prompt, &answer, &id, &demonstration, &verifier, &weight, &prior_pass_rate}) {
    names.erase(*column);
    names.erase(column->substr(0, column->find('.')));
  }
  return {names.begin(), names.end()};
}

DataColumns find_columns(const Cell& row, const ColumnOptions& wanted) {
  const auto chosen = [&](const std::string& name, std::initializer_list<const char*> names) {
    return name.empty() ? first_of(row, names) : name;
  };
  DataColumns columns;
  columns.prompt = chosen(wanted.prompt, {"prompt", "problem", "question"});
  columns.answer =
      chosen(wanted.answer, {"reward_model.ground_truth", "final_answer", "answer", "solution"});
  columns.id = wanted.id;
  columns.demonstration = wanted.demonstration;
  columns.verifier = wanted.verifier;
  columns.weight = wanted.weight;
  columns.prior_pass_rate = wanted.prior_pass_rate;
  find_further_columns(row, columns);
  if (!wanted.prompt.empty() || !wanted.answer.empty())
    columns.style = "as data.columns says";
  else if (columns.answer == "reward_model.ground_truth")
    columns.style = "verl";
  else
    columns.style = columns.prompt == "prompt" ? "TRL" : "questions and answers";
  return columns;
}

void find_further_columns(const Cell& row, DataColumns& columns) {
  if (columns.id.empty()) columns.id = first_of(row, {"id"});
  if (columns.demonstration.empty()) columns.demonstration = first_of(row, {"demonstration"});
  if (columns.verifier.empty()) columns.verifier = first_of(row, {"verifier", "data_source"});
  if (columns.weight.empty()) columns.weight = first_of(row, {"weight"});
  if (columns.prior_pass_rate.empty()) columns.prior_pass_rate = first_of(row, {"prior_pass_rate"});
}

std::string missing_column(const Cell& row, const ColumnOptions& wanted) {
  for (const std::string* name : {&wanted.prompt, &wanted.answer, &wanted.id, &wanted.demonstration,
                                  &wanted.verifier, &wanted.weight, &wanted.prior_pass_rate})
    if (!name->empty() && find_path(row, *name) == nullptr) return *name;
  return "";
}

RowPrompt to_prompt(const Cell& row, const DataColumns& columns) {
  return PromptReader(row, columns).read();
}

std::string final_answer(std::string_view text) {
  const std::string_view whole = trimmed(text);
  try {
    verify::Work work;
    const std::vector<std::string_view> parts = verify::gold_parts(whole, work);
    std::string joined;
    for (const std::string_view part : parts)
      joined += concat(joined.empty() ? "" : ", ", trimmed(part));
    if (joined.empty()) return std::string(whole);
    const bool hashed = whole.find("####") != std::string_view::npos;
    return hashed ? without_separators(joined) : joined;
  } catch (const verify::LimitReached&) {
    return std::string(whole);
  } catch (const verify::Unreadable&) {
    return std::string(whole);
  }
}

std::string message_text(const std::vector<Message>& messages) {
  if (messages.size() == 1 && messages[0].role == "user") return messages[0].content;
  std::string text;
  for (const Message& message : messages)
    text += concat(text.empty() ? "" : "\n", message.role, ": ", message.content);
  return text;
}

std::string verifier_preset(std::string_view value) {
  constexpr std::array<std::string_view, 6> kPresets = {"math",    "gsm8k",  "dapo",
                                                        "science", "choice", "exact"};
  if (std::find(kPresets.begin(), kPresets.end(), value) != kPresets.end())
    return std::string(value);
  std::string lower;
  for (const char c : value) lower += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  // Parts of the names under which data sets are published.
  constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kKnown = {
      {{"gsm8k", "gsm8k"},
       {"math_dapo", "dapo"},
       {"dapo-math", "dapo"},
       {"aime", "math"},
       {"math", "math"},
       {"amc", "math"},
       {"olympiad", "math"}}};
  for (const auto& [part, preset] : kKnown)
    if (lower.find(part) != std::string::npos) return std::string(preset);
  return "";
}

}  // namespace allot
