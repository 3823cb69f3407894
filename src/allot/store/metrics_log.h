// metrics.jsonl: one JSON object per line, for people and scripts.
//
//   {"format":"allot.metrics","version":2}
//   {"eval/step":0,"eval/test/pass@1":0.25,...}
//   {"train/step":0,"reward/first_round":0.31,...}
//
// A metric that does not apply is absent. Numbers read back as the same double; NaN and infinities,
// which JSON lacks, are the strings "NaN", "Infinity", "-Infinity". A torn last line (a killed
// writer) is ignored by the reader and removed when the run resumes. Format: docs/formats.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include "allot/core/durable_file.h"
#include "allot/core/types.h"

namespace allot {

struct MetricsLine {
  enum class Kind { Step, Evaluation } kind = Kind::Step;
  std::uint64_t step = 0;  // Evaluation: steps completed before it
  std::vector<Metric> metrics;

  // Steps completed when it was written: a step's own counts.
  std::uint64_t completed() const { return kind == Kind::Step ? step + 1 : step; }
};

class MetricsLog {
 public:
  // Opens or starts the file and cuts it back: steps before `first_step` and evaluations up to it
  // stay. Throws Error(Model): unknown version, a damaged line that is not the last.
  MetricsLog(const std::filesystem::path& path, std::uint64_t first_step);

  void append(const MetricsLine& line);
  void sync() { file_.sync(); }

 private:
  AppendFile file_;
};

// Throws Error(Model): no such file, unknown version, or a damaged line (with its number).
std::vector<MetricsLine> read_metrics_log(const std::filesystem::path& path);

}  // namespace allot
