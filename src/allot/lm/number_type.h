// Number types of weights in files, by the names that safetensors and Hugging Face give them.
#pragma once

#include <cstddef>
#include <string_view>

namespace allot::lm {

enum class NumberType { F32, BF16, F16, F64 };

constexpr std::size_t bytes_of(NumberType type) {
  switch (type) {
    case NumberType::F32:
      return 4;
    case NumberType::F64:
      return 8;
    default:
      return 2;
  }
}

// "F32", in a safetensors header.
constexpr std::string_view safetensors_name(NumberType type) {
  switch (type) {
    case NumberType::F32:
      return "F32";
    case NumberType::BF16:
      return "BF16";
    case NumberType::F16:
      return "F16";
    default:
      return "F64";
  }
}

// "float32", in a config.json.
constexpr std::string_view torch_name(NumberType type) {
  switch (type) {
    case NumberType::F32:
      return "float32";
    case NumberType::BF16:
      return "bfloat16";
    case NumberType::F16:
      return "float16";
    default:
      return "float64";
  }
}

}  // namespace allot::lm
