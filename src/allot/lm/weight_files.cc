#include "allot/lm/weight_files.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include <c10/util/StringUtil.h>
#include <nlohmann/json.hpp>

#include "allot/core/durable_file.h"
#include "allot/core/error.h"
#include "allot/lm/in_folder.h"

namespace allot::lm {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char* kWhole = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";
constexpr std::uintmax_t kLargestIndex = 100'000'000;

std::string shard_name(std::size_t number, std::size_t count) {
  const auto digits = [](std::size_t n) {
    const std::string text = std::to_string(n);
    return std::string(text.size() < 5 ? 5 - text.size() : 0, '0') + text;
  };
  return concat("model-", digits(number), "-of-", digits(count), ".safetensors");
}

// {tensor: file} of an index.
std::map<std::string, std::string> weight_map_of(const std::string& path) {
  std::error_code failure;
  const std::uintmax_t size = fs::file_size(path, failure);
  if (!failure && size > kLargestIndex) {
    throw Error(ErrorKind::Model, path, concat(size, " bytes; at most 100 MB are read"));
  }
  const Json index = Json::parse(read_file(path), nullptr, false);
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object() ||
      index["weight_map"].empty()) {
    throw Error(ErrorKind::Model, path,
                "has no \"weight_map\"; an object of tensors and files is "
                "needed");
  }
  std::map<std::string, std::string> map;
  for (const auto& [tensor, file] : index["weight_map"].items()) {
    const std::string name = file.is_string() ? file.get<std::string>() : "";
    if (name.empty() || fs::path(name).filename() != name || name == "." || name == "..") {
      throw Error(ErrorKind::Model, path,
                  concat("\"", tensor, "\" is said to be in ", file.dump(),
                         "; the name of a file in the same folder is needed"));
    }
    map[tensor] = name;
  }
  return map;
}

}  // namespace

WeightFiles::WeightFiles(const std::string& folder) : path_(in_folder(folder, kWhole)) {
  if (!fs::exists(path_) && fs::exists(in_folder(folder, kIndex))) {
    open_shards(folder);
    return;
  }
  if (!fs::exists(path_)) {
    const bool pickled = fs::exists(in_folder(folder, "pytorch_model.bin")) ||
                         fs::exists(in_folder(folder, "pytorch_model.bin.index.json"));
    throw Error(ErrorKind::Model, folder,
                concat("has neither ", kWhole, " nor ", kIndex, "; one of them is needed"),
                pickled ? "pytorch_model.bin is not read: save the model with "
                          "safe_serialization=True in transformers"
                        : "");
  }
  const SafetensorsFile& file = files_.emplace(kWhole, path_).first->second;
  for (const SafetensorsEntry& entry : file.entries()) places_[entry.name] = {&file, &entry};
}

void WeightFiles::open_shards(const std::string& folder) {
  path_ = in_folder(folder, kIndex);
  const std::map<std::string, std::string> map = weight_map_of(path_);
  for (const auto& [tensor, name] : map) {
    if (!fs::exists(in_folder(folder, name))) {
      throw Error(ErrorKind::Model, in_folder(folder, name),
                  concat("is missing; ", kIndex, " has \"", tensor, "\" in it"),
                  "copy or download the folder again");
    }
  }
  for (const auto& [tensor, name] : map) {
    if (files_.contains(name)) continue;
    const SafetensorsFile& file = files_.emplace(name, in_folder(folder, name)).first->second;
    for (const SafetensorsEntry& entry : file.entries()) {
      const auto said = map.find(entry.name);
      if (said == map.end() || said->second != name) {
        throw Error(ErrorKind::Model, file.path(),
                    concat("has a tensor \"", entry.name, "\" that ", kIndex, " has ",
                           said == map.end() ? "nowhere" : "in " + said->second));
      }
      places_[entry.name] = {&file, &entry};
    }
  }
  for (const auto& [tensor, name] : map) {
    if (!places_.contains(tensor)) {
      throw Error(ErrorKind::Model, in_folder(folder, name),
                  concat("has no tensor \"", tensor, "\"; ", kIndex, " has it there"));
    }
  }
}

at::Tensor WeightFiles::take(const std::string& name, const std::vector<std::int64_t>& shape,
                             at::ScalarType type, at::Device device) {
  const auto found = places_.find(name);
  if (found == places_.end()) {
    throw Error(ErrorKind::Model, path_, concat("has no tensor \"", name, "\""));
  }
  const auto [file, entry] = found->second;
  if (entry->shape != shape) {
    throw Error(ErrorKind::Model, file->path(),
                concat("\"", name, "\" has shape ", c10::str(at::IntArrayRef(entry->shape)), "; ",
                       c10::str(at::IntArrayRef(shape)), " is needed by config.json"));
  }
  places_.erase(found);
  return file->read(*entry, type, device);
}

void WeightFiles::refuse_the_rest() const {
  if (places_.empty()) return;
  const auto& [name, place] = *places_.begin();
  throw Error(ErrorKind::Model, place.file->path(),
              concat("has a tensor \"", name, "\" that config.json has no place for"));
}

void write_weight_files(const std::string& folder, const std::vector<NamedTensor>& tensors,
                        NumberType type, std::uint64_t shard_bytes) {
  std::vector<std::vector<NamedTensor>> shards(1);
  std::uint64_t filled = 0, total = 0;
  for (const NamedTensor& named : tensors) {
    const std::uint64_t bytes = static_cast<std::uint64_t>(named.tensor.numel()) * bytes_of(type);
    if (filled > 0 && filled + bytes > shard_bytes) {
      shards.emplace_back();
      filled = 0;
    }
    shards.back().push_back(named);
    filled += bytes;
    total += bytes;
  }
  std::set<std::string> written;
  const auto write = [&](const std::string& name, const std::vector<NamedTensor>& some) {
    write_safetensors(in_folder(folder, name), some, type);
    written.insert(name);
  };
  if (shards.size() == 1) {
    write(kWhole, shards[0]);
  } else {
    nlohmann::ordered_json map;
    for (std::size_t i = 0; i < shards.size(); ++i) {
      const std::string name = shard_name(i + 1, shards.size());
      write(name, shards[i]);
      for (const NamedTensor& named : shards[i]) map[named.name] = name;
    }
    const nlohmann::ordered_json index = {{"metadata", {{"total_size", total}}},
                                          {"weight_map", map}};
    replace_file(in_folder(folder, kIndex), index.dump(2) + "\n");
    written.insert(kIndex);
  }
  // Listed first: removing while a folder is listed is unspecified.
  std::vector<fs::path> old;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    const bool ours = name == kWhole || name == kIndex ||
                      (name.starts_with("model-") && name.ends_with(".safetensors"));
    if (ours && !written.contains(name)) old.push_back(entry.path());
  }
  for (const fs::path& path : old) fs::remove(path);
}

}  // namespace allot::lm
