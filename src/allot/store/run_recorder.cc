#include "allot/store/run_recorder.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "allot/core/error.h"
#include "allot/store/database.h"
#include "allot/store/metric_aliases.h"
#include "allot/store/tensorboard_log.h"

namespace allot {

const char* name(RunStatus status) {
  switch (status) {
    case RunStatus::Running:
      return "running";
    case RunStatus::Interrupted:
      return "interrupted";
    case RunStatus::Stopped:
      return "stopped";
    case RunStatus::Finished:
      return "finished";
  }
  return "unknown";
}

struct RunRecorder::Parts {
  Parts(RunFolder& folder, const LogOptions& options, std::uint64_t first_step)
      : folder(folder),
        first_step(first_step),
        database(folder.path() / "run.sqlite", static_cast<std::size_t>(options.completions)),
        missing(database.cut_back(first_step)),
        log(folder.path() / "metrics.jsonl", first_step),
        aliases(options.aliases),
        planned(database.groups()) {
    const std::vector<MetricsLine> history = read_metrics_log(folder.path() / "metrics.jsonl");
    forget_unlogged(first_step, history);
    if (std::find(options.to.begin(), options.to.end(), "tensorboard") != options.to.end())
      tensorboard.emplace(folder.path() / "tensorboard", history);
  }

  // An evaluation at the boundary whose line was lost with the process is made again: everything
  // earlier was synced before the checkpoint.
  void forget_unlogged(std::uint64_t first_step, std::span<const MetricsLine> history) {
    for (const MetricsLine& line : history)
      if (line.kind == MetricsLine::Kind::Evaluation && line.step == first_step) return;
    database.forget_evaluations(first_step);
  }

  RunFolder& folder;
  std::uint64_t first_step;
  RunDatabase database;
  std::uint64_t missing;  // earlier steps that the database lacks
  MetricsLog log;
  std::optional<TensorboardLog> tensorboard;
  std::vector<std::string> aliases;
  std::uint64_t planned;  // groups of all steps
  std::size_t room = 0;   // of a prompt, in tokens
};

namespace {

// "generate_s" -> "time/total_generate": what differs from run to run is under time/ and speed/.
std::string total_name(std::string_view column) {
  if (!column.ends_with("_s")) return concat("total/", column);
  return concat("time/total_", column.substr(0, column.size() - 2));
}

void add_prompt_lengths(const StepRecord& record, RunDatabase& database, std::size_t room,
                        std::vector<Metric>& metrics) {
  double sum = 0, longest = 0, overlong = 0;
  for (const GroupReport& report : record.batch.reports) {
    const auto known = database.tokens(record.prompts.get(report.prompt));
    if (!known) return;
    const auto tokens = static_cast<double>(*known);
    sum += tokens;
    longest = std::max(longest, tokens);
    overlong += tokens > static_cast<double>(room);
  }
  metrics.push_back({"prompt/mean", sum / static_cast<double>(record.batch.reports.size())});
  metrics.push_back({"prompt/max", longest});
  if (room > 0) metrics.push_back({"prompt/overlong", overlong});
}

}  // namespace

RunRecorder::RunRecorder(RunFolder& folder, const LogOptions& options, std::uint64_t first_step,
                         const RunFacts& facts)
    : parts_(std::make_unique<Parts>(folder, options, first_step)) {
  for (const auto& [key, value] : facts) set_fact(key, value);
  set_status(RunStatus::Running);
}

RunRecorder::~RunRecorder() = default;

std::optional<Event> RunRecorder::history_gap() const {
  if (parts_->missing == 0) return std::nullopt;
  return Event{Severity::Warning, "history_gap",
               concat(parts_->missing, " of the ", parts_->first_step,
                      " steps before this point are not in run.sqlite; costs so far lack them"),
               parts_->first_step};
}

void RunRecorder::prompts(const PromptSource& source, std::span<const PromptId> ids, Encode encode,
                          std::size_t room) {
  parts_->room = room;
  parts_->database.add_prompts(source, ids, std::move(encode));
}

void RunRecorder::step(const StepRecord& record) {
  std::vector<Metric> metrics(record.metrics.begin(), record.metrics.end());
  parts_->planned += record.batch.reports.size();
  if (record.prompts.size() > 0)
    metrics.push_back({"train/epoch", static_cast<double>(parts_->planned) /
                                          static_cast<double>(record.prompts.size())});
  if (!record.batch.reports.empty())
    add_prompt_lengths(record, parts_->database, parts_->room, metrics);
  metrics.push_back({"time/generate", record.times.generate});
  metrics.push_back({"time/score", record.times.score});
  metrics.push_back({"time/train", record.times.train});
  metrics.push_back({"time/step", record.times.step});
  if (record.times.step > 0)
    metrics.push_back(
        {"speed/tokens_per_s", static_cast<double>(record.cost.generated) / record.times.step});
  StepRecord timed = record;
  timed.metrics = metrics;
  parts_->database.write_step(timed);
  MetricsLine line{MetricsLine::Kind::Step, record.step, std::move(metrics)};
  const RunTotals& totals = parts_->database.totals();
  RunTotals::columns([&](const char* column, auto member) {
    line.metrics.push_back({total_name(column), static_cast<double>(totals.*member)});
  });
  log(std::move(line));
}

void RunRecorder::log(MetricsLine line) {
  add_aliases(line.metrics, parts_->aliases);
  parts_->log.append(line);
  if (parts_->tensorboard) parts_->tensorboard->append(line);
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
  line.metrics.push_back({"time/total_step", totals().step_s});
  log(std::move(line));
}

bool RunRecorder::has_evaluation(std::uint64_t step, std::string_view set) const {
  return parts_->database.has_evaluation(step, set);
}

CheckpointWriter RunRecorder::begin_checkpoint(std::uint64_t step, const TrainerFacts& facts) {
  flush();
  CheckpointWriter writer = parts_->folder.begin_checkpoint(step);
  writer.blob("trainer_state.json", parts_->database.trainer_state(step, facts));
  return writer;
}

void RunRecorder::set_fact(std::string_view key, std::string_view value) {
  parts_->database.set_fact(key, value);
}

void RunRecorder::set_status(RunStatus status) { set_fact("status", name(status)); }

void RunRecorder::flush() {
  parts_->database.flush();
  parts_->log.sync();
  if (parts_->tensorboard) parts_->tensorboard->sync();
}

const RunTotals& RunRecorder::totals() const { return parts_->database.totals(); }

}  // namespace allot
