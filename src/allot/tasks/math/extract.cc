#include "allot/tasks/math/extract.h"

#include <algorithm>

#include "allot/tasks/math/boxes.h"
#include "allot/tasks/math/normalise.h"
#include "allot/tasks/math/units.h"

namespace allot::verify {
namespace {

constexpr auto npos = std::string_view::npos;

std::size_t find_last_tag(std::string_view text, std::initializer_list<std::string_view> tags,
                          std::size_t& length) {
  std::size_t last = npos;
  for (const std::string_view tag : tags) {
    const std::size_t at = text.rfind(tag);
    if (at != npos && (last == npos || at > last)) {
      last = at;
      length = tag.size();
    }
  }
  return last;
}

std::string_view answer_tag(std::string_view text) {
  const std::size_t last = text.rfind("</answer>");
  if (last == npos) return {};
  const std::size_t open = text.rfind("<answer>", last);
  if (open == npos) return {};
  const std::size_t close = text.find("</answer>", open);
  return strip(text.substr(open + 8, close - open - 8));
}

std::string_view behind_hash(std::string_view text) {
  const std::size_t at = text.rfind("####");
  if (at == npos) return {};
  const std::string_view rest = text.substr(at + 4);
  return strip(rest.substr(0, rest.find('\n')));
}

bool same_letters(std::string_view text, std::size_t at, std::string_view cue) {
  if (at + cue.size() > text.size()) return false;
  for (std::size_t i = 0; i < cue.size(); ++i) {
    char c = text[at + i];
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c != cue[i]) return false;
  }
  return true;
}

// Where the text behind the last cue begins, or npos.
std::size_t last_cue(std::string_view text, const std::vector<std::string>& more) {
  constexpr std::string_view kCues[] = {"answer is",
                                        "answer:", "answer :", "answer**:", "answer:**"};
  for (std::size_t at = text.size(); at-- > 0;) {
    const char c = text[at];
    if (c == 'a' || c == 'A') {
      // "A:" at the beginning of a line.
      const bool line_start = at == 0 || text[at - 1] == '\n';
      if (c == 'A' && line_start && at + 1 < text.size() && text[at + 1] == ':') return at + 2;
      const bool word_start = at == 0 || !is_letter(text[at - 1]);
      for (const std::string_view cue : kCues)
        if (word_start && same_letters(text, at, cue)) return at + cue.size();
    }
    for (const std::string& cue : more)
      if (!cue.empty() && text.substr(at).starts_with(cue)) return at + cue.size();
  }
  return npos;
}

// A formula that begins at `text`, with its delimiters, or "".
std::string_view formula_at(std::string_view text) {
  struct Pair {
    std::string_view open, close;
  };
  constexpr Pair kPairs[] = {{"$$", "$$"}, {"\\(", "\\)"}, {"\\[", "\\]"}, {"$", "$"}};
  for (const Pair& pair : kPairs) {
    if (!text.starts_with(pair.open)) continue;
    const std::size_t end = text.find(pair.close, pair.open.size());
    if (end == npos) return {};
    return text.substr(pair.open.size(), end - pair.open.size());
  }
  return {};
}

// A cue may be followed by a sentence: "Answer: The area is 12". One that says more than one thing
// is not taken apart: "either it is 5 or it is 6".
std::string_view stated(std::string_view candidate) {
  const bool sentence = candidate.size() > 1 && is_letter(candidate[0]) && is_letter(candidate[1]);
  const std::size_t verb = candidate.find(" is ");
  if (!sentence || verb == npos || verb != candidate.rfind(" is ") || candidate.find(" or ") < verb)
    return candidate;
  return strip(candidate.substr(verb + 4));
}

std::string_view behind_cue(std::string_view text, const std::vector<std::string>& more) {
  const std::size_t at = last_cue(text, more);
  if (at == npos) return {};
  std::string_view rest = text.substr(at);
  while (!rest.empty() && (is_space(rest.front()) || rest.front() == ':' || rest.front() == '*'))
    rest.remove_prefix(1);
  const std::string_view formula = formula_at(rest);
  if (!formula.empty()) {
    // The formula, unless more of the answer stands behind it, as in "$5$ or $6$".
    const std::size_t length =
        static_cast<std::size_t>(formula.data() + formula.size() - rest.data());
    std::string_view behind = rest.substr(std::min(rest.size(), length + 1));
    while (!behind.empty() && (behind.front() == '$' || behind.front() == ')'))
      behind.remove_prefix(1);
    behind = strip(behind.substr(0, behind.find('\n')));
    if (behind.find('$') == npos && behind.find("\\(") == npos) return strip(formula);
  }
  return stated(trimmed_candidate(rest.substr(0, rest.find('\n'))));
}

std::string_view last_formula(std::string_view text) {
  struct Pair {
    std::string_view open, close;
  };
  constexpr Pair kPairs[] = {{"$$", "$$"}, {"\\(", "\\)"}, {"\\[", "\\]"}};
  std::string_view best;
  for (const Pair& pair : kPairs) {
    const std::size_t close = text.rfind(pair.close);
    if (close == npos || close < pair.open.size()) continue;
    const std::size_t open = text.rfind(pair.open, close - pair.open.size());
    if (open == npos) continue;
    const std::string_view inner =
        strip(text.substr(open + pair.open.size(), close - open - pair.open.size()));
    if (!inner.empty() && (best.empty() || inner.data() > best.data())) best = inner;
  }
  // Single dollar signs pair from the front; a paragraph's end closes none.
  std::size_t open = npos;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool twice = i + 1 < text.size() && text[i + 1] == text[i];
    if (text[i] == '\\' || (text[i] == '$' && twice)) {
      ++i;
    } else if (text[i] == '\n' && twice) {
      open = npos;
    } else if (text[i] == '$') {
      if (open == npos) {
        open = i + 1;
        continue;
      }
      const std::string_view inner = strip(text.substr(open, i - open));
      if (!inner.empty() && (best.empty() || inner.data() > best.data())) best = inner;
      open = npos;
    }
  }
  return best;
}

bool is_number_part(std::string_view text, std::size_t i) {
  const char c = text[i];
  if (is_digit(c)) return true;
  const bool between =
      i > 0 && is_digit(text[i - 1]) && i + 1 < text.size() && is_digit(text[i + 1]);
  return between && (c == ',' || c == '.' || c == '/');
}

// Behind a number: the end of its percent sign or unit, or `end` itself.
std::size_t end_of_unit(std::string_view text, std::size_t end) {
  if (text.substr(end).starts_with("%")) return end + 1;
  if (text.substr(end).starts_with("\\%")) return end + 2;
  std::size_t stop = end;
  if (stop < text.size() && text[stop] == ' ') ++stop;
  const std::size_t begin = stop;
  while (stop < text.size() && is_letter(text[stop])) ++stop;
  const std::string_view word = text.substr(begin, stop - begin);
  const bool raised = text.substr(stop).starts_with("\xC2\xB2") ||  // superscript 2 and 3
                      text.substr(stop).starts_with("\xC2\xB3") ||
                      text.substr(stop).starts_with("^2") || text.substr(stop).starts_with("^3");
  if (raised && (is_unit_name(word) || is_unit_letter(word))) return stop + 2;
  return is_unit_name(word) && word != "in" ? stop : end;
}

// The last number in running text, with sign, separators, percent sign or the unit behind it. Not
// inside words, in dates, in list markers or behind "step".
std::string_view last_number(std::string_view text) {
  std::size_t end = text.size();
  while (end > 0) {
    while (end > 0 && !is_digit(text[end - 1])) --end;
    if (end == 0) return {};
    std::size_t begin = end;
    while (begin > 0 && is_number_part(text, begin - 1)) --begin;
    const std::size_t next = begin;
    if (begin > 0 && text[begin - 1] == '.' && (begin == 1 || !is_digit(text[begin - 2]))) --begin;
    const char before = begin > 0 ? text[begin - 1] : ' ';
    const char after = end < text.size() ? text[end] : ' ';
    const bool in_word = is_letter(before) || before == '_' || before == '^' || before == '\\';
    const bool marker = (begin == 0 || before == '\n') && (after == '.' || after == ')') &&
                        end + 1 < text.size() && is_space(text[end + 1]);
    const std::string_view left = strip(text.substr(0, begin));
    const std::size_t word = left.size() >= 4 ? left.size() - 4 : 0;
    const bool step = left.size() >= 4 && same_letters(left, word, "step");
    const std::string_view number = text.substr(begin, end - begin);
    const bool date = std::count(number.begin(), number.end(), '/') > 1;
    if (!in_word && !marker && !step && !date) {
      if (before == '-' || before == '+') {
        const bool sign = begin < 2 || is_space(text[begin - 2]) || text[begin - 2] == '(' ||
                          text[begin - 2] == '$' || text[begin - 2] == '=';
        if (sign) --begin;
      }
      return text.substr(begin, end_of_unit(text, end) - begin);
    }
    end = next;
  }
  return {};
}

bool passes(std::string_view text, const Candidate& candidate, const MathOptions& options) {
  switch (options.gate) {
    case Gate::None:
      return true;
    case Gate::Boxed:
      return candidate.rung == Rung::Box;
    case Gate::AnswerTag:
      return !answer_tag(text).empty();
    case Gate::Hash:
      return text.find("####") != npos;
    case Gate::Think:
      return text.find("</think>") != npos;
    case Gate::Bracket:
      return true;
  }
  return false;
}

Candidate bracketed(std::string_view text) {
  const std::size_t close = text.rfind(']');
  const std::size_t open = close == npos ? npos : text.rfind('[', close);
  if (open == npos || open + 1 == close) return {};
  return {Rung::Tag, {strip(text.substr(open + 1, close - open - 1))}, {}, false};
}

// Up to a full stop that ends a sentence, or to an explanation; not inside braces.
std::string_view first_sentence(std::string_view text) {
  constexpr std::string_view kExplanations[] = {" since ", " because ", " where "};
  int depth = 0;
  for (std::size_t i = 1; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '{') ++depth;
    if (c == '}') --depth;
    if (depth > 0) continue;
    // "1. 5" is a slip for 1.5, or a list; not the end of a sentence.
    const bool digits = is_digit(text[i - 1]) && i + 2 < text.size() && is_digit(text[i + 2]);
    const bool stop = c == '.' && (i + 1 == text.size() || is_space(text[i + 1])) && !digits;
    const bool explains =
        c == ' ' &&
        std::any_of(std::begin(kExplanations), std::end(kExplanations),
                    [&](std::string_view word) { return text.substr(i).starts_with(word); });
    if (stop || explains) return text.substr(0, i);
  }
  return text;
}

// Without punctuation at the end and quotes or emphasis around.
std::string_view without_marks(std::string_view text) {
  for (;;) {
    const std::size_t before = text.size();
    text = strip(text);
    while (!text.empty() &&
           (text.back() == '.' || text.back() == ',' || text.back() == ';' || text.back() == ':'))
      text.remove_suffix(1);
    for (const std::string_view mark : {"**", "\"", "`", "__"})
      if (text.size() > 2 * mark.size() && text.starts_with(mark) && text.ends_with(mark)) {
        text.remove_prefix(mark.size());
        text.remove_suffix(mark.size());
      }
    if (text.ends_with("**")) text.remove_suffix(2);
    if (text.size() == before) return text;
  }
}

}  // namespace

std::string_view without_reasoning(std::string_view response, const MathOptions& options,
                                   bool& cut) {
  std::size_t length = 0;
  const std::size_t close =
      find_last_tag(response, {"</think>", "</thinking>", "</reasoning>", "</thought>"}, length);
  const std::string_view rest = close == npos ? response : response.substr(close + length);
  std::size_t ignored = 0;
  const std::size_t open =
      find_last_tag(rest, {"<think>", "<thinking>", "<reasoning>", "<thought>"}, ignored);
  cut = open != npos || (close == npos && options.prompt_opens_think);
  return rest;
}

std::string_view trimmed_candidate(std::string_view candidate) {
  candidate = strip(candidate);
  for (const std::string_view cue : {"Answer:", "Answer "})
    if (candidate.starts_with(cue)) candidate = strip(candidate.substr(cue.size()));
  return without_marks(first_sentence(candidate));
}

Candidate find_candidate(std::string_view text, const MathOptions& options, Work& work) {
  work.spend(1 + text.size() / 256);
  Candidate found = find_boxes(text, work);
  if (options.gate == Gate::Bracket) return bracketed(text);
  const auto take = [&](Rung rung, std::string_view part) {
    if (found.rung != Rung::None || strip(part).empty()) return;
    found.rung = rung;
    found.parts = {part};
  };
  if (found.rung == Rung::None) take(Rung::Tag, answer_tag(text));
  if (found.rung == Rung::None) take(Rung::Hash, behind_hash(text));
  if (found.rung == Rung::None) take(Rung::Cue, behind_cue(text, options.cues));
  const std::string_view whole = strip(text);
  if (found.rung == Rung::None && whole.size() <= 64 && whole.find('\n') == npos)
    take(Rung::Whole, whole);
  if (!passes(text, found, options)) return {};
  return found;
}

Candidate find_flexible(std::string_view text) {
  const std::string_view formula = last_formula(text);
  if (!formula.empty()) return {Rung::Formula, {formula}, {}, false};
  const std::string_view number = last_number(text);
  if (!number.empty()) return {Rung::Number, {number}, {}, false};
  return {};
}

std::vector<std::string_view> gold_parts(std::string_view gold, Work& work) {
  const Candidate boxes = find_boxes(gold, work);
  if (boxes.rung == Rung::Box) return boxes.parts;
  const std::string_view hash = behind_hash(gold);
  if (!hash.empty()) return {hash};
  return {gold};
}

}  // namespace allot::verify
