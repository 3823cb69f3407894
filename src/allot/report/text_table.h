// Tables as aligned plain text and as Markdown.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace allot {

struct TextTable {
  // Labels over neighbouring columns, from the left: text and how many columns. May be empty.
  std::vector<std::pair<std::string, std::size_t>> groups;
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;  // shorter rows are filled up with empty cells
};

// Columns padded to their widest cell (in code points), the first left, all others right; group
// labels centred over their columns.
std::string plain_text(const TextTable& table);

// With "|" in cells escaped and line breaks made spaces; a group's label precedes its headers.
std::string markdown(const TextTable& table);

// Code points of UTF-8 text.
std::size_t text_width(std::string_view text);

}  // namespace allot
