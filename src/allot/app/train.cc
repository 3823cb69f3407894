#include "allot/app/train.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <thread>

#include "allot/app/objective_setup.h"
#include "allot/app/resume_check.h"
#include "allot/app/run_recorders.h"
#include "allot/app/run_world.h"
#include "allot/core/error.h"
#include "allot/tasks/math/options.h"

namespace allot {
namespace {

RunFacts facts_of(const RunConfig& config, const RunWorld& world, const DataFacts& data) {
  return {{"method", config.alloc.method},
          {"seed", std::to_string(config.train.seed)},
          {"task", config.data.task},
          {"group_size", std::to_string(config.alloc.group_size)},
          {"model", world.model_summary()},
          {"data/prompts", data.prompts},
          {"data/hash", data.hash},
          {"verifier/version", std::to_string(verify::kVersion)},
          {"env/version", ALLOT_VERSION},
          {"env/processors", std::to_string(std::thread::hardware_concurrency())},
          {"env/device", world.device()}};
}

std::string percent(double share) { return concat(std::round(1000 * share) / 10, " %"); }

// The run while it is open.
class Run {
 public:
  Run(const TrainRequest& request, const StartingPoint& start, const Services& services);
  TrainResult result();

 private:
  void announce_resume();
  void loop();
  void finish();
  bool reached_limit() const;
  bool stopped() const { return services_.stop.load(); }
  void evaluate_if_missing();
  void save_checkpoint();

  const RunConfig& config_;
  const Services& services_;
  RunFolder folder_;
  RunWorld world_;
  std::optional<RunRecorder> folder_recorder_;
  std::optional<RunRecorders> recorders_;
  std::uint64_t steps_ = 0;
  std::optional<std::uint64_t> saved_;  // step of the newest checkpoint
  TrainResult result_;
};

Run::Run(const TrainRequest& request, const StartingPoint& start, const Services& services)
    : config_(request.config),
      services_(services),
      folder_(request.fresh ? RunFolder::create_fresh(request.folder)
                            : RunFolder::open(request.folder)),
      world_(request.config, start, services.stop) {
  result_.folder = folder_.path();
  const DataFacts data = DataFacts::of(*world_.task().train);
  const FileNotes notes = world_.notes();
  std::vector<std::string> warnings = notes.warnings;
  std::optional<CheckpointFolder> checkpoint;
  const std::string& resume = config_.checkpoint.resume;
  if (resume == "auto") checkpoint = folder_.newest_checkpoint(warnings);
  if (resume != "auto" && resume != "disable") checkpoint = open_checkpoint(resume);
  if (checkpoint) {
    refuse_changes(folder_, config_, data);
    world_.load(*checkpoint);
    steps_ = result_.resumed_from = checkpoint->step;
    saved_ = steps_;
  }
  folder_.write_config(request.given, expanded_yaml(config_));
  folder_recorder_.emplace(folder_, config_.log, steps_, facts_of(config_, world_, data));
  folder_recorder_->prompts(
      *world_.task().train, world_.task().train->ids(),
      [this](const std::string& text) { return world_.encode(text); }, world_.prompt_room());
  recorders_.emplace(*folder_recorder_, services_.console, config_.health);
  if (const auto gap = folder_recorder_->history_gap()) recorders_->event(*gap);
  for (const std::string& notice : notes.notices)
    recorders_->event({Severity::Info, "data", notice, steps_});
  for (std::string& warning : objective_warnings(config_)) warnings.push_back(std::move(warning));
  for (const std::string& warning : warnings)
    recorders_->event({Severity::Warning, "start", warning, steps_});
  if (steps_ > 0) announce_resume();
}

// The prompts that come next are named, so that anybody can see that none is skipped or repeated.
void Run::announce_resume() {
  std::string next;
  for (const std::string& key : world_.next_prompts(3)) next += (next.empty() ? "" : ", ") + key;
  recorders_->event({Severity::Info, "resumed",
                     concat("continued after step ", steps_,
                            next.empty() ? "" : concat("; next prompts: ", next)),
                     steps_});
}

bool Run::reached_limit() const {
  const TrainOptions& t = config_.train;
  const RunTotals& spent = folder_recorder_->totals();
  return steps_ >= static_cast<std::uint64_t>(t.max_steps) ||
         (t.max_compute > 0 && spent.compute >= t.max_compute) ||
         (t.max_generated > 0 && spent.generated >= t.max_generated) ||
         (t.max_rollouts > 0 && spent.rollouts_generated >= t.max_rollouts) ||
         (t.max_seconds > 0 && spent.step_s >= t.max_seconds);
}

void Run::evaluate_if_missing() {
  if (folder_recorder_->has_evaluation(steps_)) return;
  std::vector<NamedEvaluation> evaluations = world_.evaluate(*recorders_);
  if (!evaluations.back().result.complete) return;  // stopped: the next session does it
  // "test" last: it says that all are there.
  std::rotate(evaluations.begin(), evaluations.begin() + 1, evaluations.end());
  std::string others;
  for (const auto& [set, result] : evaluations) {
    folder_recorder_->evaluation(steps_, result, config_.eval.k, set);
    if (set != "test") others += concat(", ", set, " ", percent(result.pass_at_1));
  }
  services_.console.event(
      {Severity::Info, "evaluation",
       concat("held-out accuracy ", percent(evaluations.back().result.pass_at_1), others, " after ",
              steps_, " steps"),
       steps_});
}

void Run::save_checkpoint() {
  const TrainerFacts facts{static_cast<std::uint64_t>(config_.train.max_steps), config_.log.every,
                           config_.eval.every, config_.checkpoint.every};
  CheckpointWriter writer = folder_recorder_->begin_checkpoint(steps_, facts);
  world_.save(writer);
  writer.commit();
  folder_.retain_checkpoints(static_cast<std::size_t>(config_.checkpoint.keep));
  saved_ = steps_;
}

void Run::loop() {
  const auto due = [&](int every) {
    return every > 0 && steps_ % static_cast<std::uint64_t>(every) == 0;
  };
  const auto evaluate_if_due = [&] {
    if (steps_ == 0 || due(config_.eval.every)) evaluate_if_missing();
  };
  evaluate_if_due();
  while (!stopped() && !reached_limit() && !recorders_->must_stop()) {
    if (world_.step(*recorders_).end == StepEnd::Interrupted) break;
    ++steps_;
    if (!stopped()) evaluate_if_due();
    if (due(config_.checkpoint.every)) save_checkpoint();
  }
}

void Run::finish() {
  if (!stopped()) evaluate_if_missing();
  const bool finished = !stopped() && reached_limit();
  if (saved_ != steps_ && (steps_ > 0 || finished)) save_checkpoint();
  result_.status = finished                  ? RunStatus::Finished
                   : recorders_->must_stop() ? RunStatus::Stopped
                                             : RunStatus::Interrupted;
  folder_recorder_->set_status(result_.status);
  folder_recorder_->flush();
}

TrainResult Run::result() {
  result_.was_finished =
      saved_ == steps_ && reached_limit() && folder_recorder_->has_evaluation(steps_);
  if (!result_.was_finished) loop();
  finish();
  result_.steps = steps_;
  return result_;
}

}  // namespace

TrainResult train(const TrainRequest& request, const StartingPoint& start,
                  const Services& services) {
  return Run(request, start, services).result();
}

}  // namespace allot
