// Fuzzer of chat templates (libFuzzer, clang 14). An input is a template.
//
//   clang++-14 -std=c++20 -O1 -g -Isrc -fsanitize=fuzzer,address,undefined fuzz/chat_template.cc
//     src/allot/text/chat_template.cc src/allot/text/chat/*.cc src/allot/core/{error,utf8}.cc
//     -o build/fuzz_chat_template
//   build/fuzz_chat_template -max_len=4096 build/found fuzz/corpus/chat_template
//
// It fails on a crash, a sanitizer's remark, an exception that is no Error, or a rendering that
// differs the second time.
#include "allot/text/chat_template.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "allot/core/error.h"

namespace {

std::string outcome(const allot::ChatTemplate& parsed) {
  const allot::ChatMessage messages[] = {
      {"system", "Be brief."}, {"user", "caf\u00e9 <think>"}, {"assistant", "a\n</think>b"}};
  try {
    return parsed.render(messages, {});
  } catch (const allot::Error& error) {
    return error.what();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const allot::ChatTemplate parsed({reinterpret_cast<const char*>(data), size}, "template");
    if (outcome(parsed) != outcome(parsed)) std::abort();
  } catch (const allot::Error&) {
  }
  return 0;
}
