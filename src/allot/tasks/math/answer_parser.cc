// From text to a typed answer: separators, relations, brackets.
#include <algorithm>
#include <utility>

#include "allot/tasks/math/answer.h"
#include "allot/tasks/math/expression_parser.h"
#include "allot/tasks/math/normalise.h"
#include "allot/tasks/math/value_reader.h"

namespace allot::verify {
namespace {

using K = TokenKind;
using A = AnswerKind;

class AnswerParser {
 public:
  AnswerParser(std::vector<Token> tokens, Arena& arena, Work& work)
      : tokens_(std::move(tokens)), partner_(match_brackets(tokens_)), arena_(arena), work_(work) {}

  Answer run() { return answer({0, tokens_.size()}); }

 private:
  // The whole grammar, from the loosest sign to the tightest.
  Answer answer(TokenRange range) {
    work_.spend(2);
    if (++depth_ > kDepth) throw LimitReached{};
    range = without_edges(range);
    if (range.empty()) throw Unreadable{};
    Answer found = unlabelled(range);
    found.arena = &arena_;
    if (found.text.empty()) found.text = spelled(range);
    --depth_;
    return found;
  }

  Answer unlabelled(TokenRange range) {
    if (range.size() > 1 && closes(range, K::Open, "{")) return group(range);
    for (const K separator : {K::Semicolon, K::Row, K::Comma})
      if (has(range, separator)) return list(range, separator);
    if (has(range, K::Or) || has(range, K::And)) return list(range, K::Comma);
    if (has(range, K::In)) return member_of(range);
    if (has(range, K::Relation)) return chain(range);
    if (has(range, K::Cup)) return union_of(range);
    if (has(range, K::SetMinus)) return difference(range);
    if (has(range, K::Colon)) return ratio(range);
    return single(range);
  }

  TokenRange without_edges(TokenRange range) const {
    const auto loose = [&](std::size_t i) {
      const K kind = tokens_[i].kind;
      return kind == K::Comma || kind == K::Semicolon || kind == K::Row || kind == K::Ampersand ||
             kind == K::Colon;
    };
    while (!range.empty() && loose(range.begin)) ++range.begin;
    while (!range.empty() && loose(range.end - 1)) --range.end;
    return range;
  }

  std::string spelled(TokenRange range) const {
    return spelling(std::vector<Token>(tokens_.begin() + static_cast<long>(range.begin),
                                       tokens_.begin() + static_cast<long>(range.end)));
  }

  // The whole range is one bracket that opens with this kind and text.
  bool closes(TokenRange range, K kind, std::string_view text) const {
    return tokens_[range.begin].kind == kind && tokens_[range.begin].text == text &&
           partner_[range.begin] == range.end - 1;
  }

  // Index of the first token of that kind outside brackets, or range.end.
  std::size_t find(TokenRange range, K kind) const {
    for (std::size_t i = range.begin; i < range.end; ++i) {
      if (tokens_[i].kind == kind) return i;
      if (tokens_[i].kind == K::Open || tokens_[i].kind == K::Begin) i = partner_[i];
    }
    return range.end;
  }
  bool has(TokenRange range, K kind) const { return find(range, kind) != range.end; }

  // Braces without backslashes: a group of LaTeX, or a set of somebody who left them out.
  Answer group(TokenRange range) {
    const TokenRange inner{range.begin + 1, range.end - 1};
    if (inner.empty()) throw Unreadable{};
    if (has(inner, K::Comma)) return set(range);
    return answer(inner);
  }

  std::vector<TokenRange> split(TokenRange range, K separator) {
    std::vector<TokenRange> parts;
    std::size_t begin = range.begin;
    for (std::size_t i = range.begin; i <= range.end; ++i) {
      if (i < range.end && (tokens_[i].kind == K::Open || tokens_[i].kind == K::Begin)) {
        i = partner_[i];
        continue;
      }
      const bool ends =
          i == range.end || tokens_[i].kind == separator ||
          (separator == K::Comma && (tokens_[i].kind == K::And || tokens_[i].kind == K::Or));
      if (!ends) continue;
      const TokenRange part = without_edges({begin, i});
      if (!part.empty()) parts.push_back(part);
      if (parts.size() > kEntries) throw LimitReached{};
      begin = i + 1;
    }
    return parts;
  }

  Answer list(TokenRange range, K separator) {
    const std::vector<TokenRange> parts = split(range, separator);
    if (parts.empty()) throw Unreadable{};
    if (parts.size() == 1) return answer(parts[0]);
    Answer found;
    found.kind = A::List;
    found.alternatives = has(range, K::Or);
    for (const TokenRange& part : parts) found.items.push_back(answer(part));
    // "21, 16 or 11" is one list; "(p, q); (r, s)" without brackets stays nested.
    if (separator == K::Comma) read_decimal_comma(range, found);
    return found;
  }

  // "3,5" may be three and a half where the other side is one number.
  void read_decimal_comma(TokenRange range, Answer& list) {
    std::size_t begin = range.begin;
    const bool negative = tokens_[begin].kind == K::Minus;
    if (negative) ++begin;
    if (range.end - begin < 3 || tokens_[begin].kind != K::Number ||
        tokens_[begin + 1].kind != K::Comma || tokens_[begin + 2].kind != K::Number ||
        tokens_[begin + 1].space_before || tokens_[begin + 2].space_before ||
        list.items.size() != 2)
      return;
    const std::string& whole = tokens_[begin].text;
    const std::string& part = tokens_[begin + 2].text;
    if (whole.find('.') != std::string::npos || part.find('.') != std::string::npos ||
        tokens_[begin + 2].grouped)
      return;
    std::vector<Token> tokens(tokens_.begin() + static_cast<long>(range.begin),
                              tokens_.begin() + static_cast<long>(range.end));
    const std::size_t at = begin - range.begin;
    tokens[at].text = whole + "." + part;
    tokens[at].grouped = false;
    tokens.erase(tokens.begin() + static_cast<long>(at) + 1,
                 tokens.begin() + static_cast<long>(at) + 3);
    try {
      list.decimal_comma =
          std::make_shared<const Answer>(AnswerParser(std::move(tokens), arena_, work_).run());
    } catch (const Unreadable&) {
      // It is a list and nothing else.
    }
  }

  Answer member_of(TokenRange range) {
    const std::size_t at = find(range, K::In);
    if (at + 1 == range.end) return single(range);  // "5 in": inches
    Answer found = answer({at + 1, range.end});
    if (found.kind == A::Equation || found.kind == A::Inequality) throw Unreadable{};
    if (found.kind == A::Expression) throw Unreadable{};
    found.label = spelled({range.begin, at});
    return found;
  }

  Answer chain(TokenRange range) {
    Answer found;
    found.kind = A::Equation;
    std::size_t begin = range.begin;
    std::vector<TokenRange> members;
    for (;;) {
      const std::size_t at = find({begin, range.end}, K::Relation);
      members.push_back({begin, at});
      if (at == range.end) break;
      found.relations.push_back(tokens_[at].text);
      if (tokens_[at].text == ":") throw Unreadable{};
      if (tokens_[at].text != "=" && tokens_[at].text != "~=") found.kind = A::Inequality;
      begin = at + 1;
    }
    if (members.back().empty()) throw Unreadable{};
    for (std::size_t i = 0; i < members.size(); ++i) {
      // "= 5": nothing is named.
      if (members[i].empty()) {
        if (i > 0 || found.kind == A::Inequality) throw Unreadable{};
        found.labelled = true;
        found.items.emplace_back();
        continue;
      }
      if (i == 0 && found.kind == A::Equation && names_something(members[0])) {
        found.labelled = true;
        found.label = spelled(members[0]);
        found.items.push_back(named(members[0]));
        continue;
      }
      // What stands in the middle of a chain may be anything.
      const bool inside = found.kind == A::Equation && i > 0 && i + 1 < members.size();
      found.items.push_back(inside ? named(members[i]) : answer(members[i]));
    }
    if (found.kind == A::Equation && !found.labelled && found.items[0].kind == A::Expression) {
      std::vector<std::string> names;
      collect_symbols(found.items[0].tree(), names);
      found.whole_left = names.empty() && !contains(found.items[0].tree(), Op::Opaque) &&
                         !has_call(found.items[0].tree());
    }
    return found;
  }

  static bool has_call(Tree tree) {
    if (tree.node().op == Op::Function && tree.node().name.starts_with("call:")) return true;
    for (std::size_t i = 0; i < tree.node().kids.size(); ++i)
      if (has_call(tree.kid(i))) return true;
    return false;
  }

  // The left side as an expression, where it is one; an empty answer for a word.
  Answer named(TokenRange range) {
    const int depth = depth_;
    try {
      return answer(range);
    } catch (const Unreadable&) {
      depth_ = depth;
      return {};
    }
  }

  // A symbol, a function application, a tuple of symbols, a word: the left side of an equation that
  // only names its right side.
  bool names_something(TokenRange range) const {
    std::size_t at = range.begin;
    if (tokens_[at].kind == K::Open && partner_[at] == range.end - 1) {
      for (std::size_t i = at + 1; i + 1 < range.end; ++i)
        if (tokens_[i].kind != K::Symbol && tokens_[i].kind != K::Comma &&
            tokens_[i].kind != K::Under && tokens_[i].kind != K::Number)
          return false;
      return has({at + 1, range.end - 1}, K::Comma);
    }
    bool words = true;
    for (std::size_t i = at; i < range.end; ++i)
      words &= tokens_[i].kind == K::Word || tokens_[i].kind == K::Text ||
               (i > at && tokens_[i].kind == K::Symbol && tokens_[i].space_before);
    if (words) return true;
    if (tokens_[at].kind == K::Accent) return at + 2 == range.end || ends_at(at + 1, range);
    if (tokens_[at].kind != K::Symbol && !(tokens_[at].kind == K::Word && at + 1 < range.end))
      return false;
    if (tokens_[at].kind == K::Symbol && (tokens_[at].text == "pi" || tokens_[at].text == "e") &&
        range.size() == 1)
      return false;
    ++at;
    while (at < range.end) {
      if (tokens_[at].kind == K::Prime) {
        ++at;
      } else if (tokens_[at].kind == K::Under && at + 1 < range.end) {
        ++at;
        at = tokens_[at].kind == K::Open ? partner_[at] + 1 : at + 1;
      } else if (tokens_[at].kind == K::Open && tokens_[at].text == "(") {
        return partner_[at] == range.end - 1;
      } else if (tokens_[at].kind == K::Open && tokens_[at].text == "[" &&
                 !tokens_[at].space_before) {
        at = partner_[at] + 1;
      } else {
        return false;
      }
    }
    return true;
  }
  bool ends_at(std::size_t at, TokenRange range) const {
    return tokens_[at].kind == K::Open && partner_[at] == range.end - 1;
  }

  Answer union_of(TokenRange range) {
    Answer found;
    found.kind = A::Union;
    std::size_t begin = range.begin;
    for (;;) {
      const std::size_t at = find({begin, range.end}, K::Cup);
      found.items.push_back(answer({begin, at}));
      if (found.items.size() > kEntries) throw LimitReached{};
      if (found.items.back().kind == A::Expression || found.items.back().kind == A::Text)
        throw Unreadable{};
      if (at == range.end) return found;
      begin = at + 1;
    }
  }

  Answer difference(TokenRange range) {
    const std::size_t at = find(range, K::SetMinus);
    Answer found;
    found.kind = A::Difference;
    found.items.push_back(answer({range.begin, at}));
    found.items.push_back(answer({at + 1, range.end}));
    return found;
  }

  Answer ratio(TokenRange range) {
    Answer found;
    found.kind = A::Tuple;
    found.open = found.close = ':';
    std::size_t begin = range.begin;
    for (;;) {
      const std::size_t at = find({begin, range.end}, K::Colon);
      found.items.push_back(answer({begin, at}));
      if (found.items.size() > kEntries) throw LimitReached{};
      if (at == range.end) return found;
      begin = at + 1;
    }
  }

  Answer single(TokenRange range) {
    const Token& first = tokens_[range.begin];
    if (range.size() == 1 && first.kind == K::EmptySet) return empty_set();
    if (range.size() == 1 && first.kind == K::Reals) return reals();
    if (first.kind == K::Open && partner_[range.begin] == range.end - 1) {
      if (first.text == "set{") return set(range);
      if (first.text == "<" || first.text == "(" || first.text == "[") {
        const TokenRange inner{range.begin + 1, range.end - 1};
        if (inner.empty()) throw Unreadable{};
        if (has(inner, K::Comma) || first.text == "[") return tuple(range);
        if (first.text == "(" && !is_expression(inner)) return answer(inner);
      }
    }
    const std::size_t matrix = find(range, K::Begin);
    if (matrix != range.end && tokens_[matrix].text != "vmatrix") return matrix_at(range, matrix);
    return ValueReader(arena_, tokens_, partner_, work_).read(range);
  }

  static bool is_expression_sign(K kind) { return kind != K::Relation && kind != K::In; }
  bool is_expression(TokenRange range) const {
    for (std::size_t i = range.begin; i < range.end; ++i)
      if (!is_expression_sign(tokens_[i].kind)) return false;
    return true;
  }

  Answer empty_set() const {
    Answer found;
    found.kind = A::Set;
    return found;
  }

  Answer reals() {
    Answer found;
    found.kind = A::Tuple;
    found.open = '(';
    found.close = ')';
    const NodeId infinity = arena_.make(Op::Infinity, {});
    for (const NodeId node : {arena_.make(Op::Negate, {infinity}), infinity}) {
      Answer end;
      end.arena = &arena_;
      end.node = node;
      found.items.push_back(std::move(end));
    }
    return found;
  }

  Answer set(TokenRange range) {
    const TokenRange inner{range.begin + 1, range.end - 1};
    if (inner.empty()) return empty_set();
    for (const K mark : {K::Bar, K::Colon}) {
      const std::size_t at = find(inner, mark);
      if (at != inner.end && at > inner.begin && is_condition({at + 1, inner.end}))
        return answer({at + 1, inner.end});
    }
    const std::size_t at = find(inner, K::Relation);
    if (at != inner.end && tokens_[at].text == ":") return answer({at + 1, inner.end});
    Answer found;
    found.kind = A::Set;
    for (const TokenRange& part : split(inner, has(inner, K::Semicolon) ? K::Semicolon : K::Comma))
      found.items.push_back(answer(part));
    return found;
  }
  bool is_condition(TokenRange range) const { return has(range, K::Relation) || has(range, K::In); }

  Answer tuple(TokenRange range) {
    const TokenRange inner{range.begin + 1, range.end - 1};
    Answer found;
    found.kind = A::Tuple;
    found.open = tokens_[range.begin].text[0];
    found.close = tokens_[range.end - 1].text[0];
    if (found.open == '<') found.open = '(', found.close = ')';
    for (const TokenRange& part : split(inner, has(inner, K::Semicolon) ? K::Semicolon : K::Comma))
      found.items.push_back(answer(part));
    if (found.items.empty()) throw Unreadable{};
    return found;
  }

  // A matrix, perhaps with a factor in front.
  Answer matrix_at(TokenRange range, std::size_t begin) {
    const std::size_t close = partner_[begin];
    const std::string& environment = tokens_[begin].text;
    if (close + 1 != range.end) throw Unreadable{};
    if (!environment.ends_with("matrix") && environment != "array") {
      if (begin != range.begin) throw Unreadable{};
      return answer({begin + 1, close});  // cases, aligned: the lines are a list
    }
    ExpressionParser parser(arena_, tokens_, partner_, work_);
    Answer found;
    found.kind = A::Matrix;
    const bool has_factor = begin != range.begin;
    NodeId factor = 0;
    if (has_factor) factor = factor_before({range.begin, begin});
    for (const TokenRange& cell : parser.cells({begin, close + 1}, found.columns)) {
      Answer entry = answer(cell);
      if (has_factor) {
        if (entry.kind != A::Expression) throw Unreadable{};
        entry.node = arena_.make(Op::Multiply, {factor, entry.node});
      }
      found.items.push_back(std::move(entry));
    }
    return found;
  }
  NodeId factor_before(TokenRange range) {
    if (tokens_[range.end - 1].kind == K::Times) --range.end;
    if (range.size() == 1 && tokens_[range.begin].kind == K::Minus) return arena_.number(-1);
    return ExpressionParser(arena_, tokens_, partner_, work_).parse(range);
  }

  std::vector<Token> tokens_;
  std::vector<std::size_t> partner_;
  Arena& arena_;
  Work& work_;
  int depth_ = 0;
};

}  // namespace

const Answer* Answer::value() const {
  if (kind != A::Equation || (!labelled && !whole_left)) return nullptr;
  // a = b ~ c: b, the last member before "about"; c where there is no b.
  const auto about = std::find(relations.begin(), relations.end(), "~=");
  if (about == relations.end()) return &items.back();
  const std::size_t last = static_cast<std::size_t>(about - relations.begin());
  const bool only_label = labelled && last == 0;
  return only_label ? &items.back() : &items[last];
}

const Answer* Answer::approximation() const {
  if (kind != A::Equation || relations.empty() || relations.back() != "~=") return nullptr;
  return &items.back() == value() ? nullptr : &items.back();
}

std::string folded(std::string_view text) {
  std::string out;
  for (const char c : lower(text)) {
    const bool space = is_space(c) || c == '~' || c == ',' || c == '.' || c == '"' || c == '\\' ||
                       c == '{' || c == '}' || c == '$' || c == '*';
    if (space && (out.empty() || out.back() == ' ')) continue;
    out += space ? ' ' : c;
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

Answer parse_answer(std::string_view text, Arena& arena, Work& work, std::string& spelled) {
  std::vector<Token> tokens = tokenize(text, work);
  spelled = spelling(tokens);
  return AnswerParser(std::move(tokens), arena, work).run();
}

}  // namespace allot::verify
