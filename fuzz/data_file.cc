// Fuzzer of data sets (libFuzzer, clang 14). The first byte of an input chooses the name of the
// file, and so CSV, TSV or JSON; the rest is its content.
//
//   clang++-14 -std=c++20 -O1 -g -Isrc -fsanitize=fuzzer,address,undefined fuzz/data_file.cc
//     src/allot/tasks/data_{columns,file,row}.cc src/allot/tasks/scored_verifier.cc
//     src/allot/core/{error,options,types,utf8,prompt_id}.cc
//     $(ls src/allot/tasks/math/*.cc | grep -v _test) -o build/fuzz_data_file
//   build/fuzz_data_file -max_len=4096 build/found fuzz/corpus/data_file
//
// It fails on a crash, a sanitizer's remark, an exception that is no Error, or a file that reads
// otherwise the second time.
#include "allot/tasks/data_file.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>

#include "allot/core/error.h"
#include "allot/tasks/data_columns.h"

namespace {

constexpr std::array kNames = {"x.jsonl", "x.csv", "x.tsv"};

// All that was read, or the error.
std::string outcome(const std::string& name, const std::string& content) {
  std::istringstream in(content);
  std::string seen;
  try {
    allot::read_rows(in, name, [&](const allot::Cell& row, const allot::RowPlace& place) {
      const allot::DataColumns columns = allot::find_columns(row, {});
      const allot::RowPrompt read = allot::to_prompt(row, columns);
      const std::string text = content.substr(place.offset, place.bytes);
      if (!allot::is_csv(name) &&
          allot::to_prompt(allot::parse_row(text).row, columns).prompt.id != read.prompt.id)
        std::abort();  // a row that is read again is another one
      seen += allot::concat(place.line, columns.style, columns.text(), read.problem, read.prompt.id,
                            read.prompt.text, read.prompt.answer, read.worked, "\n");
      for (const std::string& ignored : columns.ignored(row)) seen += ignored;
    });
  } catch (const allot::Error& error) {
    seen += error.what();
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string name = kNames[data[0] % kNames.size()];
  const std::string content(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (outcome(name, content) != outcome(name, content)) std::abort();
  return 0;
}
