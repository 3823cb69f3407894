#include "allot/report/text_table.h"

#include <algorithm>

#include "allot/core/utf8.h"

namespace allot {
namespace {

const std::string& cell(const std::vector<std::string>& row, std::size_t column) {
  static const std::string kEmpty;
  return column < row.size() ? row[column] : kEmpty;
}

std::string markdown_row(const std::vector<std::string>& row, std::size_t columns) {
  std::string line = "|";
  for (std::size_t c = 0; c < columns; ++c) {
    line += ' ';
    for (const char letter : cell(row, c)) {
      if (letter == '|') line += '\\';
      line += letter == '\n' || letter == '\r' ? ' ' : letter;
    }
    line += " |";
  }
  return line + "\n";
}

// Each label centred over its columns, with rules to both sides.
std::string group_line(const TextTable& table, const std::vector<std::size_t>& widths) {
  std::string line;
  std::size_t column = 0;
  for (const auto& [label, span] : table.groups) {
    std::size_t width = 0;
    for (std::size_t i = 0; i < span && column < widths.size(); ++i, ++column)
      width += widths[column] + (i > 0 ? 2 : 0);
    const std::string shown = label.empty() ? "" : " " + label + " ";
    const std::size_t gap = width - std::min(width, text_width(shown));
    const char fill = label.empty() ? ' ' : '-';
    if (!line.empty()) line += "  ";
    line += std::string(gap / 2, fill) + shown + std::string(gap - gap / 2, fill);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

// Headers with the label of their group in front, for forms without a second header line.
std::vector<std::string> full_headers(const TextTable& table) {
  std::vector<std::string> headers = table.header;
  std::size_t column = 0;
  for (const auto& [label, span] : table.groups)
    for (std::size_t i = 0; i < span && column < headers.size(); ++i, ++column)
      if (!label.empty()) headers[column] = label + " " + headers[column];
  return headers;
}

}  // namespace

std::size_t text_width(std::string_view text) { return character_count(text); }

std::string plain_text(const TextTable& table) {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < table.header.size(); ++c) {
    std::size_t width = text_width(table.header[c]);
    for (const auto& row : table.rows) width = std::max(width, text_width(cell(row, c)));
    widths.push_back(width);
  }
  std::string text;
  const auto add_row = [&](const std::vector<std::string>& row) {
    std::string line;
    for (std::size_t c = 0; c < widths.size(); ++c) {
      const std::string gap(widths[c] - text_width(cell(row, c)), ' ');
      if (c > 0) line += "  ";
      line += c == 0 ? cell(row, c) + gap : gap + cell(row, c);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  };
  if (!table.groups.empty()) text += group_line(table, widths);
  add_row(table.header);
  std::vector<std::string> rule;
  for (const std::size_t width : widths) rule.emplace_back(width, '-');
  add_row(rule);
  for (const auto& row : table.rows) add_row(row);
  return text;
}

std::string markdown(const TextTable& table) {
  const std::size_t columns = table.header.size();
  std::string text = markdown_row(full_headers(table), columns) + "|";
  for (std::size_t c = 0; c < columns; ++c) text += c == 0 ? " --- |" : " ---: |";
  text += "\n";
  for (const auto& row : table.rows) text += markdown_row(row, columns);
  return text;
}

}  // namespace allot
