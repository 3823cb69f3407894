#include "allot/lm/safetensors.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <set>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <nlohmann/json.hpp>

#include "allot/core/durable_file.h"
#include "allot/core/error.h"

namespace allot::lm {
namespace {

using Json = nlohmann::json;
constexpr std::uint64_t kLargestHeader = 100'000'000;  // the limit of the reference reader

struct Entry {
  std::string name;
  at::ScalarType dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t begin, end;  // bytes of the data section
};

[[noreturn]] void refuse(const std::string& path, const std::string& what) {
  throw Error(ErrorKind::Model, path, what,
              "the file is damaged or no safetensors file; copy or download it again");
}

// Throws on a name that occurs twice in one object, which a JSON parser would silently merge.
Json parse_header(const std::string& text, const std::string& path) {
  std::vector<std::set<std::string>> open;
  const auto watch = [&](int, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::object_start) open.emplace_back();
    if (event == Json::parse_event_t::object_end) open.pop_back();
    if (event == Json::parse_event_t::key) {
      const std::string key = value.get<std::string>();
      if (!open.back().insert(key).second) refuse(path, concat("\"", key, "\" occurs twice"));
    }
    return true;
  };
  const Json header = Json::parse(text, watch, false);
  if (!header.is_object()) refuse(path, "its header is no JSON object");
  return header;
}

at::ScalarType dtype_of(const Json& name, const std::string& tensor, const std::string& path) {
  if (name == "F32") return at::kFloat;
  if (name == "BF16") return at::kBFloat16;
  if (name == "F16") return at::kHalf;
  if (name == "F64") return at::kDouble;
  throw Error(
      ErrorKind::Model, path,
      concat("\"", tensor, "\" has dtype ", name.dump(), "; F32, BF16, F16 or F64 is needed"));
}

std::uint64_t count_of(const Json& value, const std::string& tensor, const std::string& path) {
  if (!value.is_number_unsigned() ||
      value.get<std::uint64_t>() > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
    refuse(path, concat("\"", tensor, "\" has ", value.dump(), " where a count is needed"));
  }
  return value.get<std::uint64_t>();
}

Entry entry_of(const std::string& name, const Json& json, const std::string& path) {
  const bool formed = json.is_object() && json.contains("dtype") && json.contains("shape") &&
                      json["shape"].is_array() && json.contains("data_offsets") &&
                      json["data_offsets"].is_array() && json["data_offsets"].size() == 2;
  if (!formed) refuse(path, concat("\"", name, "\" lacks dtype, shape or data_offsets"));
  Entry entry;
  entry.name = name;
  entry.dtype = dtype_of(json["dtype"], name, path);
  std::uint64_t bytes = c10::elementSize(entry.dtype);
  for (const Json& size : json["shape"]) {
    entry.shape.push_back(static_cast<std::int64_t>(count_of(size, name, path)));
    if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(entry.shape.back()), &bytes)) {
      refuse(path, concat("\"", name, "\" has a shape that is too large"));
    }
  }
  entry.begin = count_of(json["data_offsets"][0], name, path);
  entry.end = count_of(json["data_offsets"][1], name, path);
  if (entry.end < entry.begin || entry.end - entry.begin != bytes) {
    refuse(path, concat("\"", name, "\" has offsets ", entry.begin, " to ", entry.end,
                        "; its shape and dtype need ", bytes, " bytes"));
  }
  return entry;
}

// The tensors in the order of their data, which they must cover without hole or overlap.
std::vector<Entry> entries_of(const Json& header, std::uint64_t data_size,
                              const std::string& path) {
  std::vector<Entry> entries;
  for (const auto& [name, json] : header.items()) {
    if (name != "__metadata__") entries.push_back(entry_of(name, json, path));
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t reached = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != reached) {
      refuse(path, concat("\"", entry.name, "\" begins at ", entry.begin, "; ", reached,
                          " is needed (tensors overlap or leave a hole)"));
    }
    reached = entry.end;
  }
  if (reached > data_size) {
    refuse(path, concat("it is truncated: ", data_size, " bytes of data, ", reached, " needed"));
  }
  if (reached < data_size) {
    refuse(path, concat("it has ", data_size - reached, " bytes after the last tensor"));
  }
  return entries;
}

std::uint64_t little_endian(const std::array<unsigned char, 8>& bytes) {
  std::uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | bytes[i];
  return value;
}

}  // namespace

std::vector<NamedTensor> read_safetensors(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) {
    throw Error(ErrorKind::Model, path, concat("cannot be opened: ", std::strerror(errno)));
  }
  const std::streamoff end = file.tellg();
  if (end < 0) refuse(path, "is no regular file");
  const std::uint64_t size = static_cast<std::uint64_t>(end);
  file.seekg(0);
  std::array<unsigned char, 8> prefix;
  if (size < 8 || !file.read(reinterpret_cast<char*>(prefix.data()), 8)) {
    refuse(path, concat("it is truncated: ", size, " bytes, at least 8 needed"));
  }
  const std::uint64_t header_size = little_endian(prefix);
  if (header_size > kLargestHeader || header_size > size - 8) {
    refuse(path, concat("its header claims ", header_size, " bytes of ", size - 8));
  }
  std::string text(header_size, '\0');
  if (!file.read(text.data(), static_cast<std::streamsize>(header_size))) {
    refuse(path, "its header cannot be read");
  }
  std::vector<NamedTensor> tensors;
  for (const Entry& entry : entries_of(parse_header(text, path), size - 8 - header_size, path)) {
    at::Tensor tensor = at::empty(entry.shape, entry.dtype);
    if (!file.read(static_cast<char*>(tensor.mutable_data_ptr()),
                   static_cast<std::streamsize>(entry.end - entry.begin))) {
      refuse(path, concat("\"", entry.name, "\" cannot be read"));
    }
    tensors.push_back({entry.name, tensor});
  }
  return tensors;
}

void write_safetensors(const std::string& path, const std::vector<NamedTensor>& tensors) {
  const at::NoGradGuard no_grad;
  nlohmann::ordered_json header;
  header["__metadata__"] = {{"format", "pt"}};  // transformers asks for it
  std::uint64_t offset = 0;
  for (const NamedTensor& named : tensors) {
    const std::uint64_t bytes = static_cast<std::uint64_t>(named.tensor.numel()) * sizeof(float);
    if (header.contains(named.name)) {
      throw Error(ErrorKind::Internal, path, concat("\"", named.name, "\" is given twice"));
    }
    header[named.name] = {{"dtype", "F32"},
                          {"shape", named.tensor.sizes().vec()},
                          {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // data starts aligned
  std::array<unsigned char, 8> prefix;
  for (int i = 0; i < 8; ++i) prefix[i] = static_cast<unsigned char>(text.size() >> 8 * i);

  std::vector<std::string_view> pieces = {
      {reinterpret_cast<const char*>(prefix.data()), prefix.size()}, text};
  std::vector<at::Tensor> floats;  // keeps converted copies alive until they are written
  for (const NamedTensor& named : tensors) {
    floats.push_back(named.tensor.detach().to(at::kCPU, at::kFloat).contiguous());
    pieces.emplace_back(static_cast<const char*>(floats.back().const_data_ptr()),
                        static_cast<std::size_t>(floats.back().numel()) * sizeof(float));
  }
  replace_file(path, pieces);
}

}  // namespace allot::lm
