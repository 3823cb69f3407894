// The weights of a Hugging Face folder: model.safetensors, or shards that
// model.safetensors.index.json lists. Internal to lm/.
//
//   index = {"metadata": {..}, "weight_map": {TENSOR: FILE, ..}}
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "allot/lm/safetensors.h"

namespace allot::lm {

class WeightFiles {
 public:
  // Opens all files and reads their headers. Throws Error(Model) naming the file, and the tensor
  // where one is at fault: no weights, a missing shard, a tensor that is not in the shard where the
  // index has it, one that the index does not name, a file name that leads out of the folder.
  explicit WeightFiles(const std::string& folder);

  // The file that lists all tensors, for messages.
  const std::string& path() const { return path_; }

  // The tensor `name`, which is then taken. Throws Error(Model) where it is missing or has another
  // shape.
  at::Tensor take(const std::string& name, const std::vector<std::int64_t>& shape,
                  at::ScalarType type, at::Device device);
  void ignore(const std::string& name) { places_.erase(name); }
  // Throws Error(Model) naming a tensor that nobody has taken.
  void refuse_the_rest() const;

 private:
  struct Place {
    const SafetensorsFile* file;
    const SafetensorsEntry* entry;
  };
  void open_shards(const std::string& folder);

  std::string path_;
  std::map<std::string, SafetensorsFile> files_;  // by name
  std::map<std::string, Place> places_;           // by tensor
};

// Writes `tensors` as `type` into `folder`: one file, or shards of at most `shard_bytes` (and at
// least one tensor) with their index. Files of an earlier writing that do not belong to this one
// are removed afterwards. Throws Error(Model) where the disk is full or the folder not writable.
void write_weight_files(const std::string& folder, const std::vector<NamedTensor>& tensors,
                        NumberType type, std::uint64_t shard_bytes);

}  // namespace allot::lm
