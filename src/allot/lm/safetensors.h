// Tensors in safetensors files (the format: safetensors_header.h).
//
// A damaged file is refused with Error(Model) that names the file and the fault; it never leads to
// a read outside the file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "allot/lm/model.h"
#include "allot/lm/safetensors_header.h"

namespace allot::lm {

// A file in the address space of the process. Tensors are copied out one by one, and the pages of a
// tensor are given back after it: reading a model takes the model's memory and that of its largest
// tensor, not twice the model's. The file must not be cut while it is read (replacing it, as
// write_safetensors does, is fine).
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::string& path);

  const std::string& path() const { return path_; }
  const std::vector<SafetensorsEntry>& entries() const { return entries_; }

  // A copy in the entry's own type, or in another one and elsewhere.
  at::Tensor read(const SafetensorsEntry& entry) const;
  at::Tensor read(const SafetensorsEntry& entry, at::ScalarType type, at::Device device) const;

 private:
  class Mapping;

  std::string path_;
  std::shared_ptr<const Mapping> mapping_;
  std::vector<SafetensorsEntry> entries_;
  std::uint64_t data_ = 0;  // where they begin
};

// All tensors of a file, on the CPU. F32, BF16, F16 and F64 are read; others are refused.
std::vector<NamedTensor> read_safetensors(const std::string& path);

at::ScalarType scalar_type(NumberType type);

// Writes the tensors as `type` (F32, BF16 or F16), whatever their own type and device. The file is
// written aside, flushed to disk and renamed, so that `path` is the old file or the whole new one.
// Throws Error(Model) when the disk is full or the folder cannot be written; nothing is left behind
// then.
void write_safetensors(const std::string& path, const std::vector<NamedTensor>& tensors,
                       NumberType type = NumberType::F32);

}  // namespace allot::lm
