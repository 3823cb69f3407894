#include "allot/core/error.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace allot {
namespace {

std::string message(std::string_view where, std::string_view what, std::string_view hint) {
  std::string text = concat("[", where, "] ", what);
  if (!text.empty() && text.back() != '.' && text.back() != '?') text += '.';
  if (!hint.empty()) text += concat(" Hint: ", hint);
  if (!hint.empty() && text.back() != '.' && text.back() != '?') text += '.';
  return text;
}

}  // namespace

Error::Error(ErrorKind kind, std::string_view where, std::string_view what, std::string_view hint)
    : std::runtime_error(message(where, what, hint)), kind_(kind) {}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace allot
