// The header of a safetensors file (huggingface/safetensors).
//
//   file    = header_size header data
//   header_size = 8 bytes, little endian; at most 100 MB
//   header  = JSON {name: {"dtype", "shape", "data_offsets": [begin, end]}, "__metadata__": {..}}
//   data    = little-endian, row-major; offsets count from its begin and cover it without holes
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "allot/lm/number_type.h"

namespace allot::lm {

struct SafetensorsEntry {
  std::string name;
  NumberType type = NumberType::F32;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;  // bytes of the data
};

// The tensors of a whole file, in the order of their data. `path` is for messages. A damaged file
// is refused with Error(Model) that names the file, the tensor and the fault; what is returned lies
// inside the file and does not overlap.
std::vector<SafetensorsEntry> read_safetensors_header(std::string_view file,
                                                      const std::string& path);

// Bytes of the header, which begins at byte 8; the data follow. Throws as above.
std::uint64_t safetensors_header_size(std::string_view file, const std::string& path);

// Everything before the data. Throws Error(Internal) for a name that is given twice.
std::string write_safetensors_header(const std::vector<SafetensorsEntry>& entries,
                                     const std::string& path);

}  // namespace allot::lm
