#include "allot/report/csv.h"

#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

namespace allot {
namespace {

bool is_number(std::string_view text) {
  double value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  return status == std::errc() && end == text.data() + text.size();
}

std::string cell_text(const std::string& cell) {
  constexpr std::string_view kFormula = "=+-@\t\r";
  const bool formula = !cell.empty() && kFormula.find(cell[0]) != std::string_view::npos;
  std::string text = formula && !is_number(cell) ? "'" + cell : cell;
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char letter : text) {
    if (letter == '"') out += '"';
    out += letter;
  }
  return out + "\"";
}

std::string row_text(const std::vector<std::string>& row, std::size_t columns) {
  std::string line;
  for (std::size_t c = 0; c < columns; ++c) {
    if (c > 0) line += ',';
    if (c < row.size()) line += cell_text(row[c]);
  }
  return line + "\n";
}

}  // namespace

std::string csv_text(const TextTable& table) {
  std::string text = row_text(table.header, table.header.size());
  for (const auto& row : table.rows) text += row_text(row, table.header.size());
  return text;
}

std::string csv_number(double value) {
  if (!std::isfinite(value)) return "";
  std::array<char, 64> text;
  const auto [end, status] = std::to_chars(text.data(), text.data() + text.size(), value);
  return status == std::errc() ? std::string(text.data(), end) : "";
}

}  // namespace allot
