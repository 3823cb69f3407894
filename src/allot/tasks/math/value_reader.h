// A single value with what stands around it: currency, percent sign, degrees, unit, words; or an
// answer in words. Source: verifier specification, section 6, K6 to K9, K19, K20.
#pragma once

#include <optional>
#include <vector>

#include "allot/tasks/math/answer.h"
#include "allot/tasks/math/expression_parser.h"

namespace allot::verify {

class ValueReader {
 public:
  ValueReader(Arena& arena, std::vector<Token>& tokens, const std::vector<std::size_t>& partner,
              Work& work)
      : arena_(arena), tokens_(tokens), partner_(partner), work_(work) {}

  // Throws Unreadable.
  Answer read(TokenRange range);

 private:
  Answer both_signs(const Answer& value);
  std::optional<Unit> unit_of(std::string_view text);
  std::size_t unit_letter(TokenRange range) const;
  void behind(Answer& found, TokenRange range);
  void peel_degrees(Answer& found);
  Answer words(TokenRange range) const;

  Arena& arena_;
  std::vector<Token>& tokens_;
  const std::vector<std::size_t>& partner_;
  Work& work_;
};

}  // namespace allot::verify
