// One row of a data set, whichever file format it came from: columns with values that keep numbers
// as they are spelt.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace allot {

struct Field;

struct Cell {
  enum class Kind : std::uint8_t { Null, Truth, Number, Text, List, Object };

  Kind kind = Kind::Null;
  std::string text;  // of Text and Number
  std::vector<Cell> elements;
  std::vector<Field> fields;  // those of a row have distinct names

  const Cell* find(std::string_view field) const;  // nullptr: none
  bool is_answer() const { return kind == Kind::Text || kind == Kind::Number; }
};

struct Field {
  std::string name;
  Cell cell;
};

// "text", "a number", "null", ... for messages.
const char* kind_name(Cell::Kind kind);

// A whole number in [0, 2^63) as it may be an id; nothing for anything else.
std::optional<std::uint64_t> whole_id(const Cell& cell);

struct ParsedRow {
  Cell row;             // Kind::Object
  std::string problem;  // what is wrong with the text; empty if nothing is
};

// One JSON object: UTF-8, no column twice. What lies more than 64 levels deep is left
// out.
ParsedRow parse_row(std::string_view text);

}  // namespace allot
