// Fuzzer of the math verifier (libFuzzer, clang 14). An input is a gold, a zero byte and a
// response.
//
//   clang++-14 -std=c++20 -O1 -g -Isrc -fsanitize=fuzzer,address,undefined fuzz/verify.cc
//     $(ls src/allot/tasks/math/*.cc | grep -v _test) -o build/fuzz_verify
//   build/fuzz_verify -max_len=2048 build/found fuzz/corpus/verify
//
// It fails on a crash, a sanitizer's remark, a verdict `fault`, a budget that is exceeded, or a
// verdict that differs the second time.
#include "allot/tasks/math/verify.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "allot/tasks/math/work.h"

namespace {

using allot::verify::Gold;
using allot::verify::MathOptions;
using allot::verify::Verdict;
using allot::verify::VerdictStatus;

void require(bool holds) {
  if (!holds) std::abort();
}

void judge(const Gold& gold, std::string_view text, const MathOptions& options) {
  const Verdict first = allot::verify::verify(gold, text, options);
  const Verdict second = allot::verify::verify(gold, text, options);
  require(first.status == second.status && first.steps == second.steps);
  require(first.status != VerdictStatus::Fault);
  require(first.steps <= 2 * allot::verify::kSteps);  // the last charge may overshoot
  require(allot::verify::equivalent(gold, text, options).status != VerdictStatus::Fault);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = std::min(input.find('\0'), input.size());
  const std::string_view gold = input.substr(0, cut);
  const std::string_view text = cut < input.size() ? input.substr(cut + 1) : gold;
  MathOptions options;
  options.profile = allot::verify::Profile::Flexible;
  judge(allot::verify::prepare(gold, options), text, options);
  judge(allot::verify::prepare("x^2 + \\frac{1}{2}", options), text, options);
  return 0;
}
