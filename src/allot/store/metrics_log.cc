#include "allot/store/metrics_log.h"

#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>

#include <nlohmann/json.hpp>

#include "allot/core/error.h"

namespace allot {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr std::string_view kMetricsFormat = "allot.metrics";
constexpr int kVersion = 2;  // 1: seconds were total/*_s
constexpr const char* kStepKey = "train/step";
constexpr const char* kEvaluationKey = "eval/step";

std::string header() {
  return ordered_json{{"format", kMetricsFormat}, {"version", kVersion}}.dump() + "\n";
}

ordered_json number_json(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  // Counts without a trailing ".0"; beyond 2^53 a double is no exact count. -0.0 stays a double.
  if (value == std::floor(value) && std::abs(value) < 0x1p53 &&
      !(value == 0 && std::signbit(value)))
    return static_cast<std::int64_t>(value);
  return value;
}

std::optional<double> json_number(const ordered_json& value) {
  if (value.is_number()) return value.get<double>();
  if (value == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (value == "Infinity") return std::numeric_limits<double>::infinity();
  if (value == "-Infinity") return -std::numeric_limits<double>::infinity();
  return std::nullopt;
}

std::string line_text(const MetricsLine& line) {
  ordered_json object = ordered_json::object();
  object[line.kind == MetricsLine::Kind::Step ? kStepKey : kEvaluationKey] = line.step;
  for (const Metric& metric : line.metrics)
    if (metric.name != kStepKey && metric.name != kEvaluationKey)
      object[metric.name] = number_json(metric.value);
  return object.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::optional<MetricsLine> parsed_line(std::string_view text) {
  const auto object = ordered_json::parse(text, nullptr, false);
  if (!object.is_object()) return std::nullopt;
  MetricsLine line;
  const bool is_step = object.contains(kStepKey);
  const char* key = is_step ? kStepKey : kEvaluationKey;
  if (!object.contains(key) || !object[key].is_number_unsigned()) return std::nullopt;
  line.kind = is_step ? MetricsLine::Kind::Step : MetricsLine::Kind::Evaluation;
  line.step = object[key].get<std::uint64_t>();
  for (const auto& [name, value] : object.items()) {
    if (name == key) continue;
    const auto number = json_number(value);
    if (!number) return std::nullopt;
    line.metrics.push_back({name, *number});
  }
  return line;
}

[[noreturn]] void refuse(const fs::path& path, const std::string& what) {
  throw Error(ErrorKind::Model, path.string(), what,
              "run.sqlite holds the same numbers; move this file away to start a new one");
}

void check_header(const fs::path& path, std::string_view text) {
  const auto object = ordered_json::parse(text, nullptr, false);
  if (!object.is_object() || object.value("format", "") != kMetricsFormat ||
      !object.contains("version"))
    refuse(path, concat("line 1 is no header of the format ", kMetricsFormat));
  if (object["version"] != 1 && object["version"] != kVersion)
    refuse(path, concat("version ", object["version"].dump(),
                        " is unknown here; this build reads 1 to ", kVersion));
}

struct Content {
  std::vector<MetricsLine> lines;
  bool whole = true;  // false: no header of this version, or a torn last line
};

Content read_content(const fs::path& path) {
  const std::string text = read_file(path);
  Content content;
  std::string_view rest = text;
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) {  // every line we write ends in a newline
      content.whole = false;
      break;
    }
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    if (number == 1) {
      check_header(path, line);
      content.whole = concat(line, "\n") == header();
      continue;
    }
    auto parsed = parsed_line(line);
    if (!parsed) refuse(path, concat("line ", number, " is damaged"));
    content.lines.push_back(std::move(*parsed));
  }
  if (text.empty()) content.whole = false;
  return content;
}

// The path again, cut back to what a run that continues with `first_step` keeps.
const fs::path& cut_back(const fs::path& path, std::uint64_t first_step) {
  std::error_code ignored;
  Content content;
  content.whole = false;
  if (fs::exists(path, ignored)) content = read_content(path);
  std::string kept = header();
  std::size_t count = 0;
  for (const MetricsLine& line : content.lines) {
    const bool stays =
        line.kind == MetricsLine::Kind::Step ? line.step < first_step : line.step <= first_step;
    if (!stays) continue;
    kept += line_text(line);
    ++count;
  }
  if (!content.whole || count != content.lines.size()) replace_file(path, kept);
  return path;
}

}  // namespace

MetricsLog::MetricsLog(const fs::path& path, std::uint64_t first_step)
    : file_(cut_back(path, first_step)) {}

void MetricsLog::append(const MetricsLine& line) { file_.append(line_text(line)); }

std::vector<MetricsLine> read_metrics_log(const fs::path& path) { return read_content(path).lines; }

}  // namespace allot
