// Prompts with reference answers from a file: JSON lines, a JSON list or CSV, in any of the styles
// of tasks/data_columns.h. Source: conventions, section 4.
//
// Columns: a prompt (text or messages) and an answer (text, number, or a list of which any may
// match); optional id, demonstration, verifier, weight and prior_pass_rate. Other columns are
// ignored. The style is found in the first row and said; data.columns overrides it.
//
// Memory is one row's text and the prompts themselves, or, for files that memory has no room for,
// where each row stands (tasks/row_index.h).
#pragma once

#include <cstdint>
#include <istream>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "allot/core/options.h"
#include "allot/loop/prompt_source.h"
#include "allot/tasks/data_columns.h"
#include "allot/tasks/data_file.h"
#include "allot/tasks/math/options.h"
#include "allot/tasks/prompt_list.h"
#include "allot/tasks/row_index.h"

namespace allot {

// Cases of one kind, with the first of them for people.
struct RowCases {
  std::size_t count = 0;
  std::string first;

  void add(const std::string& what) {
    if (count++ == 0) first = what;
  }
};

struct DataRows {
  std::vector<Prompt> prompts;  // in file order, ids distinct; none where they stay in the file
  std::string name;             // of the file
  DataFormat format = DataFormat::JsonLines;
  DataColumns columns;
  std::vector<std::string> ignored;  // columns of any row that are not read
  std::size_t rows = 0;
  // Rows that repeat an earlier one, whose answer is empty (dropped), that ask an earlier question
  // with another answer, and whose answer the verifier cannot use.
  RowCases repeated, empty, conflicting, bad_gold;
  std::string bad_gold_fate;  // "were dropped", of the last ones
  bool worked = false;        // answers were read from worked solutions

  // What was found, one line per kind; the style is no warning.
  std::vector<std::string> warnings() const;
};

// Throws Error(Data) naming file and line: what read_rows() refuses, a missing column, a wrong
// type, two different rows with one id; and naming the file: it cannot be read, it has no usable
// rows. The same row twice counts once. A row whose answer is empty or null is dropped: it would be
// a reward for saying nothing.
DataRows read_data_set(const std::string& path, const ColumnOptions& columns = {});
DataRows parse_data_set(std::istream& in, const std::string& name,
                        const ColumnOptions& columns = {});

// The same without the prompts, which are read again from the file. Throws as read_data_set(), and
// Error(Data) for CSV, whose rows do not stand alone.
struct IndexedRows {
  DataRows facts;
  std::shared_ptr<const RowIndex> rows;
};
IndexedRows index_data_set(const std::string& path, const ColumnOptions& columns = {});

enum class Reward { Auto, Exact, Math };
enum class BadGold { Drop, Error, KeepAsText };
enum class PromptPreset { None, Gsm8k, Math };
enum class Streaming { Auto, Always, Never };

struct DataSetOptions {
  double test_share = 0.1;
  Reward reward = Reward::Auto;
  BadGold bad_gold = BadGold::Drop;
  PromptPreset preset = PromptPreset::None;
  Streaming stream = Streaming::Auto;
  verify::MathOptions verifier;

  template <class V>
  void fields(V& v) {
    v("test_share", test_share, Range{0.001, 0.999},
      "share of data.train that is held out for evaluation where data.eval is empty");
    v("reward", reward,
      Choices<Reward>{{"auto", Reward::Auto}, {"exact", Reward::Exact}, {"math", Reward::Math}},
      "exact = the response equals the answer; math = the answer in it is equivalent to it; auto = "
      "math where answers come from worked solutions, prompts from a column `problem`, or with a "
      "preset; exact elsewhere");
    v("bad_gold", bad_gold,
      Choices<BadGold>{{"drop", BadGold::Drop},
                       {"error", BadGold::Error},
                       {"keep_as_text", BadGold::KeepAsText}},
      "answers that the math verifier cannot use: rows are dropped with a warning, refused, or "
      "compared as written");
    v("preset", preset,
      Choices<PromptPreset>{{"none", PromptPreset::None},
                            {"gsm8k", PromptPreset::Gsm8k},
                            {"math", PromptPreset::Math}},
      "what is asked for after each question: gsm8k = steps and an answer behind ####; math = "
      "steps "
      "and an answer in \\boxed{}");
    v("stream", stream,
      Choices<Streaming>{
          {"auto", Streaming::Auto}, {"always", Streaming::Always}, {"never", Streaming::Never}},
      "prompts stay in the file and are read when they are wanted, with the same results: auto = "
      "of "
      "JSON files of 1 GiB or more; such a file must not change during a run");
    v("verifier", verifier);
  }
};

// The words that a preset adds to a question; "" for none.
std::string_view instruction(PromptPreset preset);

// Adds the preset's words to every prompt (to the last user message of a conversation). Keys stay
// those of the questions.
void instruct(std::vector<Prompt>& prompts, PromptPreset preset);
void instruct(Prompt& prompt, PromptPreset preset);

// Applies options.bad_gold to the rows that are judged by the math verifier, all of them or those
// that say so, and counts them. Throws Error(Data) naming the first, if asked for, and if none is
// left.
void check_golds(DataRows& facts, PromptList& prompts, const DataSetOptions& options);
void check_golds(DataRows& rows, const DataSetOptions& options);  // of rows.prompts

// Whether rows without a verifier of their own are judged by the math verifier.
bool judged_by_math(const DataRows& rows, const DataSetOptions& options);

// The prompts of a file as options.stream says; facts.prompts is empty.
struct LoadedRows {
  DataRows facts;
  PromptList prompts;
};
LoadedRows load_data_set(const std::string& path, const ColumnOptions& columns, Streaming stream);

struct DataSplit {
  std::vector<Prompt> train, test;
};

// Holds out round(share * n) rows, at least one and at most n - 1: those with the smallest hashes
// of their ids, so the split does not depend on the order of rows. Throws Error(Data) if n < 2.
DataSplit split_rows(std::vector<Prompt> prompts, double test_share);
// Held out ones first.
std::pair<PromptList, PromptList> split_rows(PromptList prompts, double test_share);

}  // namespace allot
