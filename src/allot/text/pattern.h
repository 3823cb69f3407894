// The regular expressions of tokenizer.json, searched by PCRE2 with its compiler.
//
// They are written for Oniguruma (the `tokenizers` package). What both read alike is passed on; \s
// and \S, which differ in U+180E, are written out as Unicode's White_Space; anything else that is
// not in use by the families of byte-level tokenizers (\w, \b, \h, anchors, nested classes) is
// refused. Characters are classified by the Unicode version of the installed PCRE2.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace allot {

class Pattern {
 public:
  // Error(Model) naming the part that cannot be used.
  explicit Pattern(std::string_view regex);
  // What is found is `text` itself.
  static Pattern literal(std::string_view text);

 private:
  struct Code;
  explicit Pattern(std::shared_ptr<const Code> code) : code_(std::move(code)) {}
  static std::shared_ptr<const Code> compile(const std::string& translated, std::string_view regex);

  std::shared_ptr<const Code> code_;  // immutable, shared by copies
  friend class PatternSearch;
};

struct Match {
  std::size_t begin = 0, end = 0;
};

// Working memory for searches of one pattern; one per thread. The pattern must outlive it.
class PatternSearch {
 public:
  explicit PatternSearch(const Pattern& pattern);
  PatternSearch(PatternSearch&&) noexcept;
  ~PatternSearch();

  // The first match in valid UTF-8 `text` at or after `from`, a character's first byte.
  // Error(Data): the search would take more than a million steps.
  bool find(std::string_view text, std::size_t from, Match& match);

 private:
  struct Memory;
  std::unique_ptr<Memory> memory_;
};

// PCRE2's spelling of an Oniguruma expression; Error(Model) as above. Visible for tests.
std::string to_pcre2(std::string_view regex);

}  // namespace allot
