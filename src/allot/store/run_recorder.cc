#include "allot/store/run_recorder.h"

#include <utility>
#include <vector>

#include "allot/core/error.h"
#include "allot/store/database.h"
#include "allot/store/metrics_log.h"

namespace allot {

const char* name(RunStatus status) {
  switch (status) {
    case RunStatus::Running:
      return "running";
    case RunStatus::Interrupted:
      return "interrupted";
    case RunStatus::Finished:
      return "finished";
  }
  return "unknown";
}

struct RunRecorder::Parts {
  Parts(RunFolder& folder, const LogOptions& options, std::uint64_t first_step)
      : folder(folder),
        database(folder.path() / "run.sqlite", static_cast<std::size_t>(options.completions)),
        missing(database.cut_back(first_step)),
        log(folder.path() / "metrics.jsonl", first_step) {}

  RunFolder& folder;
  RunDatabase database;
  std::uint64_t missing;  // earlier steps that the database lacks
  MetricsLog log;
};

RunRecorder::RunRecorder(RunFolder& folder, const LogOptions& options, std::uint64_t first_step,
                         const RunFacts& facts)
    : parts_(std::make_unique<Parts>(folder, options, first_step)) {
  for (const auto& [key, value] : facts) set_fact(key, value);
  set_status(RunStatus::Running);
  if (parts_->missing > 0)
    event({Severity::Warning, "history_gap",
           concat(parts_->missing, " of the ", first_step,
                  " steps before this point are not in run.sqlite; costs so far lack them"),
           first_step});
}

RunRecorder::~RunRecorder() = default;

void RunRecorder::prompts(const PromptSource& source, std::span<const PromptId> ids,
                          Encode encode) {
  parts_->database.add_prompts(source, ids, std::move(encode));
}

void RunRecorder::step(const StepRecord& record) {
  std::vector<Metric> metrics(record.metrics.begin(), record.metrics.end());
  metrics.push_back({"time/generate", record.times.generate});
  metrics.push_back({"time/score", record.times.score});
  metrics.push_back({"time/train", record.times.train});
  metrics.push_back({"time/step", record.times.step});
  StepRecord timed = record;
  timed.metrics = metrics;
  parts_->database.write_step(timed);
  MetricsLine line{MetricsLine::Kind::Step, record.step, std::move(metrics)};
  const RunTotals& totals = parts_->database.totals();
  RunTotals::columns([&](const char* column, auto member) {
    line.metrics.push_back({concat("total/", column), static_cast<double>(totals.*member)});
  });
  parts_->log.append(line);
}

void RunRecorder::event(const Event& event) { parts_->database.write_event(event); }

void RunRecorder::evaluation(std::uint64_t step, const EvalResult& result, std::span<const int> k,
                             std::string_view set) {
  if (k.size() != result.pass_at_k.size())
    throw Error(
        ErrorKind::Internal, "RunRecorder::evaluation",
        concat(k.size(), " values of k were given for ", result.pass_at_k.size(), " results"));
  std::map<int, double> pass_at_k;
  for (std::size_t i = 0; i < k.size(); ++i) pass_at_k[k[i]] = result.pass_at_k[i];
  const bool replaces = has_evaluation(step, set);
  parts_->database.write_evaluation(step, set, result, pass_at_k);
  if (replaces) return;  // its line stands in metrics.jsonl, which is never rewritten mid-run

  const std::string prefix = concat("eval/", set, "/");
  MetricsLine line{MetricsLine::Kind::Evaluation, step, {}};
  line.metrics.push_back({prefix + "pass@1", result.pass_at_1});
  for (const auto& [value, share] : pass_at_k)
    if (value != 1) line.metrics.push_back({concat(prefix, "pass@", value), share});
  line.metrics.push_back({concat(prefix, "avg@", result.group_size), result.pass_at_1});
  line.metrics.push_back({prefix + "mean_reward", result.mean_reward});
  line.metrics.push_back({prefix + "mean_tokens", result.mean_tokens});
  line.metrics.push_back({prefix + "truncated_share", result.truncated_share});
  line.metrics.push_back({prefix + "no_answer_share", result.no_answer_share});
  line.metrics.push_back({prefix + "prompts", static_cast<double>(result.prompts)});
  line.metrics.push_back({"total/compute", static_cast<double>(totals().compute)});
  line.metrics.push_back({"total/generated", static_cast<double>(totals().generated)});
  line.metrics.push_back({"total/step_s", totals().step_s});
  parts_->log.append(line);
}

bool RunRecorder::has_evaluation(std::uint64_t step, std::string_view set) const {
  return parts_->database.has_evaluation(step, set);
}

CheckpointWriter RunRecorder::begin_checkpoint(std::uint64_t step) {
  flush();
  return parts_->folder.begin_checkpoint(step);
}

void RunRecorder::set_fact(std::string_view key, std::string_view value) {
  parts_->database.set_fact(key, value);
}

void RunRecorder::set_status(RunStatus status) { set_fact("status", name(status)); }

void RunRecorder::flush() {
  parts_->database.flush();
  parts_->log.sync();
}

const RunTotals& RunRecorder::totals() const { return parts_->database.totals(); }

}  // namespace allot
