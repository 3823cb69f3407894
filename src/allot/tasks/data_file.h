// The rows of a file: JSON lines, a JSON list of objects, or CSV with a header (RFC 4180).
//
// The format is taken from the content: a file whose first character is [ is a list, one whose
// first is { JSON lines, and one whose name ends in .csv or .tsv is CSV. Empty lines, CRLF line
// ends and a byte order mark are accepted. One row at a time is in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <istream>
#include <string>

#include "allot/tasks/data_row.h"

namespace allot {

enum class DataFormat { JsonLines, JsonList, Csv };
const char* name(DataFormat format);
// By the file's name.
bool is_csv(const std::string& name);

// For hints.
inline constexpr const char* kExampleRow = R"(a row reads {"prompt": "2+2=", "answer": "4"})";

// Where a row stands.
struct RowPlace {
  std::size_t line = 0;      // it begins on, from 1
  std::uint64_t offset = 0;  // in bytes from the beginning of the file
  std::size_t bytes = 0;     // of its text; of a JSON row that is what parse_row() reads
};

using RowSink = std::function<void(const Cell& row, const RowPlace& place)>;

// Throws Error(Data) naming file and line: text that is not JSON or not UTF-8, a row that is no
// object, a column twice, a CSV row with more or fewer fields than the header, a quote or a list
// that is not closed, more than 64 MiB in one row.
DataFormat read_rows(std::istream& in, const std::string& name, const RowSink& sink);

}  // namespace allot
