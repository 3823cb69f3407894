// Prompts from a JSONL file: one JSON object per line. Source: conventions, section 4.
//
// | column | type | meaning |
// |---|---|---|
// | prompt | text | what the model sees; not empty |
// | answer | text or number | reference answer; a number is kept as it is written |
// | id | whole number in [0, 2^63) or text | optional stable key |
// | demonstration | text | optional correct response for the warm start |
//
// Other columns are ignored. Empty lines, CRLF line ends and a byte order mark are accepted.
#pragma once

#include <istream>
#include <string>
#include <vector>

#include "allot/core/options.h"
#include "allot/loop/prompt_source.h"
#include "allot/tasks/math/options.h"

namespace allot {

struct JsonlRows {
  std::vector<Prompt> prompts;        // in file order, ids distinct
  std::vector<std::string> warnings;  // repeated rows, rows dropped, ignored columns; each once
};

// Throws Error(Data) naming file and line: text that is not JSON or not UTF-8, not an object, a
// column twice, a missing column, a wrong type, two different rows with one id; and naming the
// file: it cannot be read, it has no usable rows.
// The same row twice counts once, with one warning. A row whose answer is empty is dropped with a
// warning: it would be a reward for saying nothing.
JsonlRows read_jsonl(const std::string& path);
JsonlRows parse_jsonl(std::istream& in, const std::string& name);

enum class Reward { Exact, Math };

struct JsonlOptions {
  double test_share = 0.1;
  Reward reward = Reward::Exact;
  verify::MathOptions verifier;

  template <class V>
  void fields(V& v) {
    v("test_share", test_share, Range{0.001, 0.999},
      "share of data.train that is held out for evaluation where data.eval is empty");
    v("reward", reward, Choices<Reward>{{"exact", Reward::Exact}, {"math", Reward::Math}},
      "exact = the response equals the answer; math = the answer in it is equivalent to it");
    v("verifier", verifier);
  }
};

struct JsonlSplit {
  std::vector<Prompt> train, test;
};

// Holds out round(share * n) rows, at least one and at most n - 1: those with the smallest hashes
// of their ids, so the split does not depend on the order of rows. Throws Error(Data) if n < 2.
JsonlSplit split_rows(std::vector<Prompt> prompts, double test_share);

}  // namespace allot
