#include "allot/store/tensorboard_log.h"

#include <bit>
#include <chrono>
#include <cstring>

#include "allot/core/error.h"
#include "allot/store/crc32c.h"

namespace allot {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFileName = "events.out.tfevents.0.allot";
constexpr const char* kFileVersion = "brain.Event:2";

std::uint32_t masked_crc(std::string_view bytes) {
  return std::rotr(crc32c(bytes), 15) + 0xa282ead8u;
}

template <class T>
void put_raw(std::string& out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

template <class T>
T raw_at(std::string_view bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

// Protobuf wire types.
enum Wire : std::uint64_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}
void put_tag(std::string& out, std::uint64_t field, Wire wire) {
  put_varint(out, field << 3 | wire);
}
void put_bytes(std::string& out, std::uint64_t field, std::string_view bytes) {
  put_tag(out, field, kBytes);
  put_varint(out, bytes.size());
  out += bytes;
}

std::string framed(std::string_view event) {
  std::string length;
  put_raw(length, std::uint64_t{event.size()});
  std::string record = length;
  put_raw(record, masked_crc(length));
  record += event;
  put_raw(record, masked_crc(event));
  return record;
}

std::string event_head() {
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  std::string event;
  put_tag(event, 1, kFixed64);
  put_raw(event, now.count());
  return event;
}

// One field of a message and what follows it.
struct Field {
  std::uint64_t number = 0, wire = 0;
  std::uint64_t varint = 0;
  std::string_view bytes;  // of a fixed or length-delimited field
};

std::optional<std::uint64_t> take_varint(std::string_view& rest) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64 && !rest.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(rest.front());
    rest.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

std::optional<Field> take_field(std::string_view& rest) {
  const auto tag = take_varint(rest);
  if (!tag) return std::nullopt;
  Field field{*tag >> 3, *tag & 7, 0, {}};
  std::size_t size = field.wire == kFixed64 ? 8 : 4;
  if (field.wire == kVarint) {
    const auto value = take_varint(rest);
    if (!value) return std::nullopt;
    field.varint = *value;
    return field;
  }
  if (field.wire == kBytes) {
    const auto length = take_varint(rest);
    if (!length) return std::nullopt;
    size = *length;
  } else if (field.wire != kFixed64 && field.wire != kFixed32) {
    return std::nullopt;
  }
  if (size > rest.size()) return std::nullopt;
  field.bytes = rest.substr(0, size);
  rest.remove_prefix(size);
  return field;
}

Metric parsed_value(std::string_view message) {
  Metric metric;
  while (const auto field = take_field(message)) {
    if (field->number == 1 && field->wire == kBytes) metric.name = field->bytes;
    if (field->number == 2 && field->wire == kFixed32)
      metric.value = double{raw_at<float>(field->bytes, 0)};
  }
  return metric;
}

TensorboardEvent parsed_event(std::string_view message) {
  TensorboardEvent event;
  while (const auto field = take_field(message)) {
    if (field->number == 1 && field->wire == kFixed64)
      event.wall_time = raw_at<double>(field->bytes, 0);
    if (field->number == 2 && field->wire == kVarint)
      event.step = static_cast<std::int64_t>(field->varint);
    if (field->number == 3 && field->wire == kBytes) event.file_version = field->bytes;
    if (field->number != 5 || field->wire != kBytes) continue;
    std::string_view summary = field->bytes;
    while (const auto value = take_field(summary))
      if (value->number == 1 && value->wire == kBytes)
        event.scalars.push_back(parsed_value(value->bytes));
  }
  return event;
}

std::string line_event(const MetricsLine& line) {
  std::string summary;
  for (const Metric& metric : line.metrics) {
    std::string value;
    put_bytes(value, 1, metric.name);
    put_tag(value, 2, kFixed32);
    put_raw(value, static_cast<float>(metric.value));
    put_bytes(summary, 1, value);
  }
  std::string event = event_head();
  put_tag(event, 2, kVarint);
  put_varint(event, line.completed());
  put_bytes(event, 5, summary);
  return framed(event);
}

// The file, brought to one event per line of the history; those that are there keep their time.
fs::path matched(const fs::path& folder, std::span<const MetricsLine> history) {
  std::error_code reason;
  fs::create_directories(folder, reason);
  if (reason)
    throw Error(ErrorKind::Model, folder.string(), concat("cannot be made: ", reason.message()),
                "choose a folder that you may write to");
  fs::path path = folder / kFileName;
  const std::string before = fs::exists(path) ? read_file(path) : std::string();
  const std::vector<TensorboardEvent> events = parse_tensorboard_events(before);
  std::string kept;
  if (!events.empty() && events[0].file_version == kFileVersion) {
    kept = events[0].record;
  } else {
    std::string first = event_head();
    put_bytes(first, 3, kFileVersion);
    kept = framed(first);
  }
  bool is_same = true;  // up to here
  for (std::size_t i = 0; i < history.size(); ++i) {
    is_same = is_same && i + 1 < events.size() &&
              events[i + 1].step == static_cast<std::int64_t>(history[i].completed());
    kept += is_same ? std::string(events[i + 1].record) : line_event(history[i]);
  }
  if (kept != before) replace_file(path, kept);
  return path;
}

}  // namespace

TensorboardLog::TensorboardLog(const fs::path& folder, std::span<const MetricsLine> history)
    : file_(matched(folder, history)) {}

void TensorboardLog::append(const MetricsLine& line) { file_.append(line_event(line)); }

std::vector<TensorboardEvent> parse_tensorboard_events(std::string_view file) {
  constexpr std::size_t kHead = 12, kTail = 4;
  std::vector<TensorboardEvent> events;
  while (file.size() >= kHead + kTail) {
    const auto length = raw_at<std::uint64_t>(file, 0);
    if (raw_at<std::uint32_t>(file, 8) != masked_crc(file.substr(0, 8))) break;
    if (length > file.size() - kHead - kTail) break;
    const std::string_view message = file.substr(kHead, length);
    if (raw_at<std::uint32_t>(file, kHead + length) != masked_crc(message)) break;
    events.push_back(parsed_event(message));
    events.back().record = file.substr(0, kHead + length + kTail);
    file.remove_prefix(kHead + length + kTail);
  }
  return events;
}

}  // namespace allot
