// tensorboard/events.out.tfevents.0.allot: the metrics of a run for TensorBoard.
//
//   TensorboardLog log(run / "tensorboard", read_metrics_log(run / "metrics.jsonl"));
//   log.append(line);
//
// Written from the format itself: a file of framed records, each a protobuf message
// tensorflow.Event
//
//   record = uint64 length, masked CRC-32C of it, bytes, masked CRC-32C of them   (little-endian)
//   masked = rotate_right(crc, 15) + 0xa282ead8
//   Event  = { 1: double wall_time, 2: int64 step, 3: string file_version, 5: Summary }
//   Summary = repeated { 1: { 1: string tag, 2: float simple_value } }
//
// Source: tensorflow/core/lib/io/record_writer, tensorflow/core/util/event.proto and
// framework/summary.proto. Steps are counted as completed ones, as TRL counts: the metrics of
// train/step N stand at N + 1, an evaluation after N steps at N. There is one file per run, with an
// event per line of metrics.jsonl: when the run resumes, what has no line is cut off, as is a torn
// or damaged tail, and what is missing is added. Not thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "allot/core/durable_file.h"
#include "allot/core/types.h"
#include "allot/store/metrics_log.h"

namespace allot {

class TensorboardLog {
 public:
  // Makes the folder and the file where they are missing, with an event for each line of `history`.
  // Throws Error(Model) if they cannot be written.
  TensorboardLog(const std::filesystem::path& folder, std::span<const MetricsLine> history);

  // All metrics of the line as scalars, in one record.
  void append(const MetricsLine& line);
  void sync() { file_.sync(); }

 private:
  AppendFile file_;
};

// One event file read back; stops without an error at the first record that is torn or damaged.
struct TensorboardEvent {
  double wall_time = 0;
  std::int64_t step = 0;
  std::string file_version;     // of the first event only
  std::vector<Metric> scalars;  // rounded to float
  std::string_view record;      // the framed bytes, inside the text given
};
std::vector<TensorboardEvent> parse_tensorboard_events(std::string_view file);

}  // namespace allot
