// Fuzzer of tokenizer.json (libFuzzer, clang 14). An input is the file's content, perhaps followed
// by a zero byte and a text; or else the text is a built-in one.
//
//   clang++-14 -std=c++20 -O1 -g -Isrc -DPCRE2_CODE_UNIT_WIDTH=8
//     -fsanitize=fuzzer,address,undefined fuzz/tokenizer_json.cc
//     $(ls src/allot/text/*.cc src/allot/text/chat/*.cc src/allot/core/*.cc | grep -v _test)
//     -lpcre2-8 -lutf8proc -o build/fuzz_tokenizer_json
//   build/fuzz_tokenizer_json -max_len=65536 build/found fuzz/corpus/tokenizer_json
//
// It fails on a crash, a sanitizer's remark, an exception that is no Error, ids out of range, or
// text that is not decoded as it was encoded.
#include "allot/text/tokenizer_json.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "allot/core/error.h"
#include "allot/core/utf8.h"
#include "allot/text/bpe_tokenizer.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void use(const allot::BpeTokenizer& tokenizer, std::string_view text) {
  const auto tokens = tokenizer.encode_document(text);
  for (const std::int32_t token : tokens) require(token >= 0 && token < allot::BpeModel::kIdLimit);
  const std::string decoded = tokenizer.decode(tokens);
  require(allot::valid_utf8_prefix(decoded) == decoded.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = std::min(input.find('\0'), input.size());
  const std::string_view text =
      cut < input.size() ? input.substr(cut + 1) : "It's 12 \u00e9e\u0301\n\n  <|end|> <left> x";
  try {
    const allot::BpeTokenizer tokenizer(
        allot::read_tokenizer_json(input.substr(0, cut), "tokenizer.json"));
    use(tokenizer, text);
  } catch (const allot::Error&) {
  }
  return 0;
}
