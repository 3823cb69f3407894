// Fuzzer of the safetensors header (libFuzzer, clang 14). An input is a file.
//
//   clang++-14 -std=c++20 -O1 -g -Isrc -fsanitize=fuzzer,address,undefined fuzz/safetensors.cc
//     src/allot/lm/safetensors_header.cc src/allot/core/error.cc -o build/fuzz_safetensors
//   build/fuzz_safetensors -max_len=2048 build/found fuzz/corpus/safetensors
//
// It fails on a crash, a sanitizer's remark, an exception that is no Error, or a tensor that is
// said to lie outside of the file or over another one.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "allot/core/error.h"
#include "allot/lm/safetensors_header.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  try {
    const auto entries = allot::lm::read_safetensors_header(file, "input");
    const std::uint64_t begin = 8 + allot::lm::safetensors_header_size(file, "input");
    std::uint64_t reached = 0;
    for (const allot::lm::SafetensorsEntry& entry : entries) {
      std::uint64_t bytes = allot::lm::bytes_of(entry.type);
      for (const std::int64_t length : entry.shape) {
        require(length >= 0);
        bytes *= static_cast<std::uint64_t>(length);
      }
      require(entry.begin == reached && entry.end == reached + bytes);
      reached = entry.end;
    }
    require(begin + reached == size);
  } catch (const allot::Error&) {
  }
  return 0;
}
