// What a data set holds and what of it cannot be used, without a run: `allot data check`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "allot/tasks/data_set.h"

namespace allot {

struct DataCheck {
  std::string file;
  std::string against;  // a held-out file to look for in it; empty: none
  std::string
      tokenizer;  // a model folder, to measure prompts with; empty: lengths are not measured
  int max_prompt_tokens = 0;  // 0: no limit

  // Keys at data.*, as a run has them.
  ColumnOptions columns;
  DataSetOptions jsonl;

  template <class V>
  void fields(V& v) {
    v("columns", columns);
    v("jsonl", jsonl);
  }
};

// Lengths of prompts in tokens, before a chat template is applied.
struct PromptLengths {
  std::size_t median = 0, longest = 0, overlong = 0;
  std::string longest_key;
};

struct Leakage {
  std::string file;
  std::size_t held_out = 0;
  std::vector<std::string> keys;  // of the held-out questions that the data set has, too
};

struct DataReport {
  DataRows rows;
  std::uint64_t hash = 0;  // of keys and answers, as a run has it
  bool by_math = false;    // answers are compared by the math verifier
  int max_prompt_tokens = 0;
  std::optional<PromptLengths> lengths;
  std::optional<Leakage> leakage;

  std::string text() const;
  std::string json() const;
};

// Throws Error(Data), Error(Model) for the tokenizer.
DataReport check_data_set(const DataCheck& check);

}  // namespace allot
