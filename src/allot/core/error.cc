#include "allot/core/error.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <numeric>
#include <utility>
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

MessagePart::MessagePart(double number) {
  const auto end = std::to_chars(buffer_, std::end(buffer_), number, std::chars_format::general, 6);
  text_ = std::string_view(buffer_, end.ptr);
}
void MessagePart::write(long long number) {
  text_ = std::string_view(buffer_, std::to_chars(buffer_, std::end(buffer_), number).ptr);
}
void MessagePart::write(unsigned long long number) {
  text_ = std::string_view(buffer_, std::to_chars(buffer_, std::end(buffer_), number).ptr);
}

std::string joined_parts(std::initializer_list<MessagePart> parts) {
  std::size_t size = 0;
  for (const MessagePart& part : parts) size += part.text().size();
  std::string text;
  text.reserve(size);
  for (const MessagePart& part : parts) text += part.text();
  return text;
}

// Optimal string alignment: row i of the table from rows i - 1 and i - 2.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before, above, row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before = std::move(above);
    above = row;
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1])});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

}  // namespace allot
