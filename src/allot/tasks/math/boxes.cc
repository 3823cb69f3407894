#include "allot/tasks/math/boxes.h"

#include <algorithm>

#include "allot/tasks/math/normalise.h"

namespace allot::verify {
namespace {

constexpr std::size_t kEarlier = 16;

struct Box {
  std::size_t begin = 0, end = 0;  // of the whole command in the text
  std::string_view content;
};

// The box that starts at `at` (a backslash), or one of end 0 if it is not closed.
Box box_at(std::string_view text, std::size_t at, std::size_t name_end) {
  Box box;
  box.begin = at;
  std::size_t i = name_end;
  while (i < text.size() && text[i] == ' ') ++i;
  if (i == text.size()) return box;
  if (text[i] != '{') {  // one token
    const std::size_t start = i;
    if (text[i] == '\\') {
      ++i;
      while (i < text.size() && is_letter(text[i])) ++i;
    } else {
      while (i < text.size() && (is_digit(text[i]) || (text[i] == '-' && i == start))) ++i;
      if (i == start) ++i;
    }
    box.content = text.substr(start, i - start);
    box.end = i;
    return box;
  }
  int depth = 0;
  for (std::size_t j = i; j < text.size(); ++j) {
    if (text[j] == '\\') {
      ++j;
      continue;
    }
    if (text[j] == '{') ++depth;
    if (text[j] == '}' && --depth == 0) {
      box.content = strip(text.substr(i + 1, j - i - 1));
      box.end = j + 1;
      return box;
    }
  }
  return box;
}

// Only separators of one list.
bool joins(std::string_view between) {
  while (!between.empty()) {
    constexpr std::string_view kWords[] = {
        "\\qquad",    "\\quad", "\\text{ and }", "\\text{ or }", "\\text{and}",
        "\\text{or}", "\\(",    "\\)",           "\\[",          "\\]",
        "\\,",        "\\;",    "\\ ",           "and",          "or"};
    const char c = between.front();
    if (is_space(c) || c == ',' || c == ';' || c == '$') {
      between.remove_prefix(1);
      continue;
    }
    const auto* word = std::find_if(std::begin(kWords), std::end(kWords),
                                    [&](std::string_view w) { return between.starts_with(w); });
    if (word == std::end(kWords)) return false;
    between.remove_prefix(word->size());
  }
  return true;
}

// The content of a box in a box.
std::string_view unwrapped(std::string_view content) {
  for (;;) {
    const std::string_view inner = strip(content);
    const std::size_t name = inner.starts_with("\\boxed{")  ? 6
                             : inner.starts_with("\\fbox{") ? 5
                                                            : 0;
    if (name == 0) return content;
    const Box box = box_at(inner, 0, name);
    if (box.end != inner.size()) return content;
    content = box.content;
  }
}

}  // namespace

Candidate find_boxes(std::string_view text, Work& work) {
  std::vector<Box> boxes;
  Candidate found;
  // From the back: `limit` is where the next box to the right begins.
  std::size_t at = text.size();
  while (at > 0) {
    at = text.rfind('\\', at - 1);
    if (at == std::string_view::npos) break;
    const std::string_view rest = text.substr(at, 7);
    const std::size_t name = rest.starts_with("\\boxed") ? 6 : rest.starts_with("\\fbox") ? 5 : 0;
    if (name == 0 || (at + name < text.size() && is_letter(text[at + name]))) continue;
    const Box box = box_at(text, at, at + name);
    work.spend(2 + ((box.end > at ? box.end : text.size()) - at) / 64);
    if (box.end == 0) continue;
    // A box that holds the one found before is its wrapping.
    while (!boxes.empty() && boxes.back().begin < box.end) boxes.pop_back();
    if (box.content.empty()) {
      found.empty_box = true;
      continue;
    }
    boxes.push_back(box);
    if (boxes.size() > kEntries) break;
  }
  if (boxes.empty()) return found;
  found.rung = Rung::Box;
  std::size_t i = 0;
  do {
    const std::string_view part = unwrapped(boxes[i].content);
    if (std::find(found.parts.begin(), found.parts.end(), part) == found.parts.end())
      found.parts.insert(found.parts.begin(), part);
    ++i;
  } while (i < boxes.size() && joins(text.substr(boxes[i].end, boxes[i - 1].begin - boxes[i].end)));
  for (; i < boxes.size() && found.earlier.size() < kEarlier; ++i)
    found.earlier.push_back(unwrapped(boxes[i].content));
  return found;
}

}  // namespace allot::verify
