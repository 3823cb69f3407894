#include "allot/tasks/jsonl.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <nlohmann/json.hpp>

#include "allot/core/error.h"
#include "allot/core/prompt_id.h"
#include "allot/core/utf8.h"
#include "allot/tasks/alphabet.h"
#include "allot/tasks/scored_verifier.h"

namespace allot {
namespace {

using nlohmann::json;

// One value of one of our columns, with numbers as they stand in the file.
struct Cell {
  std::string text;
  const char* type = "";  // for messages: "text", "a whole number", "null", ...
  bool is_text = false, is_number = false;
  std::optional<std::uint64_t> whole;  // a whole number of at least 0
};

// Reads one line's object by events: numbers keep their spelling, a repeated column is seen, and
// columns that are not ours cost nothing but their names.
class RowReader final : public nlohmann::json_sax<json> {
 public:
  std::map<std::string, Cell> cells;
  std::set<std::string> columns;
  std::string problem;  // first one; reading stops there

  bool null() override { return value({"", "null"}); }
  bool boolean(bool) override { return value({"", "true or false"}); }
  bool number_integer(number_integer_t number) override {
    return value({std::to_string(number), "a whole number below 0", false, true, std::nullopt});
  }
  bool number_unsigned(number_unsigned_t number) override {
    return value({std::to_string(number), "a whole number", false, true, number});
  }
  bool number_float(number_float_t, const string_t& spelling) override {
    return value({spelling, "a number that is not whole or too large", false, true, std::nullopt});
  }
  bool string(string_t& text) override { return value({text, "text", true}); }
  bool binary(binary_t&) override { return value({"", "binary data"}); }
  bool start_object(std::size_t) override { return open("an object"); }
  bool start_array(std::size_t) override { return open("a list"); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (depth_ != 1) return true;
    column_ = name;
    if (!columns.insert(name).second) return stop(concat("the column '", name, "' stands twice"));
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const json::exception&) override {
    return stop(concat("it is not JSON from column ", position, " on"));
  }

 private:
  bool value(Cell cell) {
    if (depth_ == 0) return stop(concat("it is ", cell.type, ", not an object"));
    if (depth_ == 1) cells[column_] = std::move(cell);
    return true;
  }
  bool open(const char* type) {
    if (depth_ == 0 && std::string_view(type) != "an object")
      return stop(concat("it is ", type, ", not an object"));
    if (depth_ == 1) cells[column_] = {"", type};
    ++depth_;
    return true;
  }
  bool close() {
    --depth_;
    return true;
  }
  bool stop(std::string what) {
    if (problem.empty()) problem = std::move(what);
    return false;
  }

  std::size_t depth_ = 0;
  std::string column_;
};

constexpr std::array<std::string_view, 4> kColumns = {"prompt", "answer", "id", "demonstration"};
constexpr const char* kExample = R"(a row reads {"prompt": "2+2=", "answer": "4"})";

struct Line {
  const std::string& file;
  std::size_t number = 0;

  [[noreturn]] void fail(std::string_view what, std::string_view hint = kExample) const {
    throw Error(ErrorKind::Data, concat(file, ":", number), what, hint);
  }
};

const Cell* find(const RowReader& row, const std::string& column) {
  const auto found = row.cells.find(column);
  return found == row.cells.end() ? nullptr : &found->second;
}

std::string text_cell(const RowReader& row, const std::string& column, const Line& line) {
  const Cell* cell = find(row, column);
  if (cell == nullptr) line.fail(concat("the column '", column, "' is missing"));
  if (!cell->is_text) line.fail(concat("'", column, "' is ", cell->type, "; text is needed"));
  return cell->text;
}

RowReader read_row(std::string_view text, const Line& line) {
  const std::size_t valid = valid_utf8_prefix(text);
  if (valid != text.size())
    line.fail(concat("byte ", valid + 1, " of the line is not valid UTF-8"),
              "save the file as UTF-8");
  // The JSON parser takes a zero byte for the end of its input and would pass over the rest.
  const std::size_t zero = text.find('\0');
  if (zero != std::string_view::npos)
    line.fail(concat("it is not JSON: byte ", zero + 1, " is zero"));
  RowReader row;
  if (!json::sax_parse(text.begin(), text.end(), &row)) line.fail(row.problem);
  return row;
}

Prompt to_prompt(const RowReader& row, const Line& line) {
  Prompt prompt;
  prompt.text = text_cell(row, "prompt", line);
  if (prompt.text.empty()) line.fail("'prompt' is empty; a text is needed");
  const Cell* answer = find(row, "answer");
  if (answer == nullptr) line.fail("the column 'answer' is missing");
  if (!answer->is_text && !answer->is_number)
    line.fail(concat("'answer' is ", answer->type, "; text or a number is needed"));
  prompt.answer = answer->text;
  if (find(row, "demonstration") != nullptr)
    prompt.demonstration = text_cell(row, "demonstration", line);
  const Cell* id = find(row, "id");
  if (id == nullptr) {
    prompt.id = prompt_id(prompt.text, prompt.answer);
    prompt.key = std::to_string(prompt.id);
    return prompt;
  }
  const bool whole = id->whole && *id->whole < (std::uint64_t{1} << 63);
  if (!whole && !id->is_text)
    line.fail(concat("'id' is ", id->type, id->text.empty() ? "" : ": ", id->text,
                     "; text or a whole number from 0 to 2^63 - 1 is needed"));
  if (id->is_text && id->text.empty()) line.fail("'id' is empty; leave it out or fill it");
  prompt.id = whole ? *id->whole : prompt_id(id->text);
  prompt.key = id->text;
  return prompt;
}

bool same_row(const Prompt& a, const Prompt& b) {
  return a.text == b.text && a.answer == b.answer && a.demonstration == b.demonstration;
}

// Counts cases of one kind and remembers the first.
struct Tally {
  std::size_t count = 0;
  std::string first;

  void add(const std::string& what) {
    if (count++ == 0) first = what;
  }
};

class Reader {
 public:
  explicit Reader(const std::string& file) : file_(file) {}

  void add(std::string_view text, std::size_t number) {
    const Line line{file_, number};
    const RowReader row = read_row(text, line);
    for (const std::string& column : row.columns)
      if (std::find(kColumns.begin(), kColumns.end(), column) == kColumns.end())
        ignored_.insert(column);
    Prompt prompt = to_prompt(row, line);
    if (trimmed(prompt.answer).empty()) return dropped_.add(concat("line ", number));
    const auto [place, fresh] = places_.emplace(prompt.id, rows_.prompts.size());
    if (!fresh) {
      const std::size_t earlier = lines_[place->second];
      if (!same_row(rows_.prompts[place->second], prompt))
        line.fail(concat("this row and line ", earlier, " have the same id '", prompt.key,
                         "' but differ; one row per id is needed"),
                  "");
      return repeated_.add(concat("line ", number, " repeats line ", earlier));
    }
    const auto [other, new_text] = texts_.emplace(prompt.text, rows_.prompts.size());
    if (!new_text && rows_.prompts[other->second].answer != prompt.answer)
      conflicting_.add(concat("lines ", lines_[other->second], " and ", number));
    lines_.push_back(number);
    rows_.prompts.push_back(std::move(prompt));
  }

  JsonlRows take() {
    if (rows_.prompts.empty())
      throw Error(ErrorKind::Data, file_, "there is no row with an answer; at least one is needed",
                  kExample);
    const auto warn = [&](const Tally& tally, std::string_view what) {
      if (tally.count > 0)
        rows_.warnings.push_back(
            concat(file_, ": ", tally.count, " ", what, " (first: ", tally.first, ")"));
    };
    warn(repeated_, "row(s) repeat an earlier row and count once");
    warn(dropped_, "row(s) with an empty answer were dropped");
    warn(conflicting_, "row(s) ask an earlier question with a different answer");
    if (!ignored_.empty()) {
      std::string names;
      for (const std::string& name : ignored_) names += (names.empty() ? "" : ", ") + name;
      rows_.warnings.push_back(concat(file_, ": columns that are ignored: ", names));
    }
    return std::move(rows_);
  }

 private:
  std::string file_;
  JsonlRows rows_;
  std::vector<std::size_t> lines_;                      // of rows_.prompts
  std::unordered_map<PromptId, std::size_t> places_;    // in rows_.prompts
  std::unordered_map<std::string, std::size_t> texts_;  // in rows_.prompts
  std::set<std::string> ignored_;
  Tally repeated_, dropped_, conflicting_;
};

}  // namespace

JsonlRows parse_jsonl(std::istream& in, const std::string& name) {
  Reader reader(name);
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    std::string_view text = line;
    if (number == 1 && text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    if (!trimmed(text).empty()) reader.add(text, number);
  }
  if (in.bad()) throw Error(ErrorKind::Data, name, "reading failed before the end of the file");
  return reader.take();
}

JsonlRows read_jsonl(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in)
    throw Error(ErrorKind::Data, path, "the file cannot be opened; a readable file is needed");
  return parse_jsonl(in, path);
}

JsonlSplit split_rows(std::vector<Prompt> prompts, double test_share) {
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
  JsonlSplit split;
  for (Prompt& prompt : prompts)
    (chosen.contains(prompt.id) ? split.test : split.train).push_back(std::move(prompt));
  return split;
}

}  // namespace allot
