// Takes the header apart and checks that the tensors cover the data.
#include "allot/lm/safetensors_header.h"

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "allot/core/error.h"

namespace allot::lm {
namespace {

using Json = nlohmann::json;
constexpr std::uint64_t kLargestHeader = 100'000'000;  // the limit of the reference reader

[[noreturn]] void refuse(const std::string& path, const std::string& what) {
  throw Error(ErrorKind::Model, path, what,
              "the file is damaged or no safetensors file; copy or download it again");
}

// Throws on a name that occurs twice in one object, which a JSON parser would silently merge.
Json parse_header(std::string_view text, const std::string& path) {
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

NumberType type_of(const Json& name, const std::string& tensor, const std::string& path) {
  for (const NumberType type :
       {NumberType::F32, NumberType::BF16, NumberType::F16, NumberType::F64}) {
    if (name == safetensors_name(type)) return type;
  }
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

SafetensorsEntry entry_of(const std::string& name, const Json& json, const std::string& path) {
  const bool formed = json.is_object() && json.contains("dtype") && json.contains("shape") &&
                      json["shape"].is_array() && json.contains("data_offsets") &&
                      json["data_offsets"].is_array() && json["data_offsets"].size() == 2;
  if (!formed) refuse(path, concat("\"", name, "\" lacks dtype, shape or data_offsets"));
  SafetensorsEntry entry;
  entry.name = name;
  entry.type = type_of(json["dtype"], name, path);
  std::uint64_t bytes = bytes_of(entry.type);
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
std::vector<SafetensorsEntry> entries_of(const Json& header, std::uint64_t data_size,
                                         const std::string& path) {
  std::vector<SafetensorsEntry> entries;
  for (const auto& [name, json] : header.items()) {
    if (name != "__metadata__") entries.push_back(entry_of(name, json, path));
  }
  std::sort(entries.begin(), entries.end(),
            [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
              return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
            });
  std::uint64_t reached = 0;
  for (const SafetensorsEntry& entry : entries) {
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

std::uint64_t safetensors_header_size(std::string_view file, const std::string& path) {
  if (file.size() < 8) {
    refuse(path, concat("it is truncated: ", file.size(), " bytes, at least 8 needed"));
  }
  std::array<unsigned char, 8> prefix;
  std::copy_n(file.begin(), 8, prefix.begin());
  const std::uint64_t size = little_endian(prefix);
  if (size > kLargestHeader || size > file.size() - 8) {
    refuse(path, concat("its header claims ", size, " bytes of ", file.size() - 8));
  }
  return size;
}

std::vector<SafetensorsEntry> read_safetensors_header(std::string_view file,
                                                      const std::string& path) {
  const std::uint64_t size = safetensors_header_size(file, path);
  return entries_of(parse_header(file.substr(8, size), path), file.size() - 8 - size, path);
}

std::string write_safetensors_header(const std::vector<SafetensorsEntry>& entries,
                                     const std::string& path) {
  nlohmann::ordered_json header;
  header["__metadata__"] = {{"format", "pt"}};  // transformers asks for it
  for (const SafetensorsEntry& entry : entries) {
    if (header.contains(entry.name)) {
      throw Error(ErrorKind::Internal, path, concat("\"", entry.name, "\" is given twice"));
    }
    header[entry.name] = {{"dtype", safetensors_name(entry.type)},
                          {"shape", entry.shape},
                          {"data_offsets", {entry.begin, entry.end}}};
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // data starts aligned
  std::string out(8, '\0');
  for (int i = 0; i < 8; ++i) out[i] = static_cast<char>(text.size() >> 8 * i);
  return out + text;
}

}  // namespace allot::lm
