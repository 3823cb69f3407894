// Equivalence of two answers, directed by the gold's type. Source: verifier specification,
// sections 5 and 6.
#pragma once

#include <cstdint>

#include "allot/tasks/math/answer.h"
#include "allot/tasks/math/canonical.h"
#include "allot/tasks/math/options.h"
#include "allot/tasks/math/verdict.h"

namespace allot::verify {

struct Decision {
  enum class Value : std::uint8_t { Equal, Different, Unknown };
  Value value = Value::Unknown;
  Tier tier = Tier::T0;
  std::uint32_t flags = 0;

  bool equal() const { return value == Value::Equal; }
};

class Comparison {
 public:
  Comparison(const MathOptions& options, Work& work) : options_(options), work_(work) {}

  // Throws LimitReached.
  Decision compare(const Answer& gold, const Answer& given);

 private:
  Decision expressions(const Answer& gold, const Answer& given);
  Decision values(Tree gold, Tree given);
  Decision exact(Tree gold, Tree given);
  Decision approximate(Tree exact, Tree decimal);
  Decision rounded(Tree gold, Tree given);
  Decision percents(const Answer& gold, const Answer& given);
  Decision units(const Answer& gold, const Answer& given);
  Decision in_order(const std::vector<Answer>& gold, const std::vector<Answer>& given);
  Decision any_order(const std::vector<Answer>& gold, const std::vector<Answer>& given);
  Decision lists(const Answer& gold, const Answer& given);
  Decision tuples(const Answer& gold, const Answer& given);
  Decision sets(const Answer& gold, const Answer& given);
  Decision matrices(const Answer& gold, const Answer& given);
  Decision equations(const Answer& gold, const Answer& given);
  Decision inequalities(const Answer& gold, const Answer& given);
  Decision regions(const Answer& gold, const Answer& given);
  Decision structures(const Answer& gold, const Answer& given);
  // Whether left - right of one is a constant times that of the other; positive where `sign`.
  Decision proportional(Tree left_a, Tree right_a, Tree left_b, Tree right_b, bool sign);
  std::vector<Answer> distinct(const std::vector<Answer>& items);

  const MathOptions& options_;
  Work& work_;
  Reading gold_reading_, given_reading_;
  int depth_ = 0;
};

}  // namespace allot::verify
