#include "allot/tasks/math/known_pairs.h"

#include <array>

#include "allot/core/error.h"
#include "allot/tasks/math/verify.h"

namespace allot::verify {
namespace {

struct Pair {
  const char* gold;
  const char* response;
  bool correct;
};

constexpr std::array<Pair, 50> kPairs = {{
    {"72", "\\boxed{72}", true},
    {"72", "so it is \\boxed{72.0} in all", true},
    {"72", "\\boxed{73}", false},
    {"72", "#### 72", true},
    {"1200", "#### 1,200", true},
    {"72", "The answer is 72.", true},
    {"72", "<answer>72</answer>", true},
    {"72", "<answer>27</answer>", false},
    {"-3", "\\boxed{-3}", true},
    {"-3", "\\boxed{3}", false},
    {"\\frac{1}{2}", "\\boxed{0.5}", true},
    {"\\frac{1}{2}", "\\boxed{\\dfrac{2}{4}}", true},
    {"\\frac{1}{2}", "\\boxed{1/2}", true},
    {"\\frac{1}{2}", "\\boxed{\\frac{1}{3}}", false},
    {"2\\frac{3}{4}", "\\boxed{\\frac{11}{4}}", true},
    {"\\sqrt{8}", "\\boxed{2\\sqrt{2}}", true},
    {"\\sqrt{8}", "\\boxed{2\\sqrt{3}}", false},
    {"\\pi", "\\boxed{\\pi}", true},
    {"\\pi", "\\boxed{3.14}", false},
    {"\\frac{1}{\\sqrt{2}}", "\\boxed{\\frac{\\sqrt{2}}{2}}", true},
    {"2^{10}", "\\boxed{1024}", true},
    {"10^{-3}", "\\boxed{0.001}", true},
    {"35\\%", "\\boxed{35}", true},
    {"0.35", "\\boxed{35}", false},
    {"12 cm", "\\boxed{12}", true},
    {"12 cm", "\\boxed{12 m}", false},
    {"\\$5", "\\boxed{5}", true},
    {"90^\\circ", "\\boxed{90}", true},
    {"x^2 + 2x + 1", "\\boxed{(x+1)^2}", true},
    {"x^2 + 2x + 1", "\\boxed{(x-1)^2}", false},
    {"\\sin^2 x + \\cos^2 x", "\\boxed{1}", true},
    {"2x + 3", "\\boxed{3 + 2x}", true},
    {"x = 4", "\\boxed{4}", true},
    {"4", "\\boxed{x = 4}", true},
    {"3u - v = 8", "\\boxed{8}", false},
    {"(1, 2)", "\\boxed{(1, 2)}", true},
    {"(1, 2)", "\\boxed{(2, 1)}", false},
    {"\\{1, 2\\}", "\\boxed{\\{2, 1\\}}", true},
    {"1, 2, 3", "\\boxed{3, 1, 2}", true},
    {"1, 2, 3", "\\boxed{1, 2}", false},
    {"[0, 1)", "\\boxed{[0, 1)}", true},
    {"[0, 1)", "\\boxed{[0, 1]}", false},
    {"x > 2", "\\boxed{(2, \\infty)}", true},
    {"\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}",
     "\\boxed{\\begin{bmatrix} 1 & 2 \\\\ 3 & 4 \\end{bmatrix}}", true},
    {"\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}",
     "\\boxed{\\begin{pmatrix} 1 & 2 \\\\ 3 & 5 \\end{pmatrix}}", false},
    {"3 + 4i", "\\boxed{4i + 3}", true},
    {"B", "\\boxed{(B)}", true},
    {"B", "\\boxed{C}", false},
    {"\\pm 2", "\\boxed{2, -2}", true},
    {"72", "", false},
}};

}  // namespace

void check_known_pairs() {
  const MathOptions options;
  for (const Pair& pair : kPairs) {
    const Verdict verdict = verify(prepare(pair.gold, options), pair.response, options);
    if (verdict.correct() != pair.correct)
      throw Error(ErrorKind::Internal, "verifier",
                  concat("a known pair is misjudged: '", pair.response, "' for '", pair.gold,
                         "' is ", name(verdict.status), ", and ", pair.correct ? "right" : "wrong",
                         " is expected; this build of the program must not reward answers"));
  }
}

}  // namespace allot::verify
