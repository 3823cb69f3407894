// Where the rows of a file stand, for data sets that memory has no room for: a prompt is read again
// from its row when it is wanted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "allot/loop/prompt_source.h"
#include "allot/tasks/data_columns.h"
#include "allot/tasks/data_file.h"
#include "allot/tasks/row_file.h"

namespace allot {

// 32 bytes per row, and 4 more where rows have a prior_pass_rate. read() may be called from any
// thread; not to be changed once it is shared.
class RowIndex {
 public:
  explicit RowIndex(const std::string& path) : file_(path) {}

  const RowFile& file() const { return file_; }
  std::size_t size() const { return rows_.size(); }
  PromptId id(std::size_t row) const { return rows_[row].id; }
  std::size_t line(std::size_t row) const { return rows_[row].line; }
  std::uint64_t answer_hash(std::size_t row) const { return rows_[row].answer; }
  std::optional<float> prior_pass_rate(std::size_t row) const;

  // As it is written, by the columns of the data set. Throws Error(Data) naming file and line: the
  // file has changed.
  Prompt read(std::size_t row) const;

  void add(const Prompt& prompt, const RowPlace& place);
  void set_columns(const DataColumns& columns) { columns_ = columns; }
  void shrink();  // once, after the last row

 private:
  struct Row {
    PromptId id = 0;
    std::uint64_t offset = 0, answer = 0;
    std::uint32_t bytes = 0, line = 0;
  };

  RowFile file_;
  DataColumns columns_;
  std::vector<Row> rows_;
  std::vector<float> rates_;  // NaN: none; empty where no row has one
};

// Of a prompt, in the hash of its data set.
std::uint64_t answer_hash(const Prompt& prompt);

}  // namespace allot
