// The safetensors file format (huggingface/safetensors), read and written here.
//
//   file    = header_size header data
//   header_size = 8 bytes, little endian; at most 100 MB
//   header  = JSON {name: {"dtype", "shape", "data_offsets": [begin, end]}, "__metadata__": {..}}
//   data    = little-endian, row-major; offsets count from its begin and cover it without holes
//
// A damaged file is refused with Error(Model) that names the file and the fault; it never leads to
// a read outside the file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "allot/lm/model.h"

namespace allot::lm {

// All tensors of a file, on the CPU. F32, BF16, F16 and F64 are read; others are refused.
std::vector<NamedTensor> read_safetensors(const std::string& path);

// Writes the tensors as F32, whatever their type and device. The file is written aside, flushed to
// disk and renamed, so that `path` is the old file or the whole new one. Throws Error(Model) when
// the disk is full or the folder cannot be written; nothing is left behind then.
void write_safetensors(const std::string& path, const std::vector<NamedTensor>& tensors);

}  // namespace allot::lm
