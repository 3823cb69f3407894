// The Recorder of a run folder: run.sqlite, metrics.jsonl and, where asked for, TensorBoard files;
// one transaction, one line and one record per step.
//
//   RunFolder folder = RunFolder::open("runs/digits");
//   RunRecorder recorder(folder, options.log, first_step, {{"method", "aero"}, {"seed", "0"}});
//   recorder.evaluation(0, result, eval.k);
//   run_step(world, settings);                       // calls recorder.step()
//   CheckpointWriter writer = recorder.begin_checkpoint(1, {});
//
// `first_step` is the number of the step that runs next: 0, or the checkpoint's. History beyond it
// (steps >= first_step, evaluations after it) is cut off, so that a resumed run has neither gaps
// nor repeats. Not thread-safe. Every write error is Error(Model): full disk, read-only folder.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "allot/loop/evaluate.h"
#include "allot/loop/recorder.h"
#include "allot/store/checkpoint.h"
#include "allot/store/encode.h"
#include "allot/store/metrics_log.h"
#include "allot/store/run_folder.h"
#include "allot/store/store_options.h"
#include "allot/store/totals.h"
#include "allot/store/trainer_state.h"

namespace allot {

// Facts about a run (table `run`). The report uses: method, seed, task, model, group_size, and
// everything under "env/" (its environment section). Values are text.
using RunFacts = std::map<std::string, std::string>;

// Running may also mean killed; Stopped: by a health rule.
enum class RunStatus { Running, Interrupted, Finished, Stopped };
const char* name(RunStatus);

class RunRecorder : public Recorder {
 public:
  // `folder` must outlive the recorder. Facts are added to those of the run, same keys replaced.
  // Throws Error(Model) for an unknown schema version.
  RunRecorder(RunFolder& folder, const LogOptions& options, std::uint64_t first_step,
              const RunFacts& facts);
  ~RunRecorder() override;

  // What should be said when steps before the first one are missing in run.sqlite (it was lost).
  std::optional<Event> history_gap() const;

  // All prompts of the data set, so that run.sqlite knows those never planned too; `encode` gives
  // the token ids stored with a prompt's text (none: not stored). `room`: tokens that a prompt may
  // have beside the longest response, 0 = not known. Before the first step.
  void prompts(const PromptSource& source, std::span<const PromptId> ids, Encode encode = {},
               std::size_t room = 0);

  // Adds to the metrics of the record: train/epoch (prompts planned so far over prompts there are),
  // prompt/{mean,max} (tokens of the planned prompts, where prompts() gave an encoder) and
  // prompt/overlong (how many of them exceed the room, where that is known),
  // time/{generate,score,train,step} and speed/tokens_per_s (generated, over the whole step).
  void step(const StepRecord& record) override;
  void event(const Event& event) override;

  // Held-out accuracy after `step` completed steps; costs so far are the recorder's own totals.
  // `k` as in EvalSettings. The same step and set again replaces the earlier record.
  void evaluation(std::uint64_t step, const EvalResult& result, std::span<const int> k,
                  std::string_view set = "test");
  bool has_evaluation(std::uint64_t step, std::string_view set = "test") const;

  // Makes history durable, then opens a checkpoint of the folder; trainer_state.json is in it.
  CheckpointWriter begin_checkpoint(std::uint64_t step, const TrainerFacts& facts);

  void set_fact(std::string_view key, std::string_view value);
  void set_status(RunStatus status);  // Running until then
  void flush();                       // on disk when it returns

  const RunTotals& totals() const;

 private:
  struct Parts;
  void log(MetricsLine line);

  std::unique_ptr<Parts> parts_;
};

}  // namespace allot
