// Options of what a run leaves behind: `log.*` and `checkpoint.*`, each declared once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "allot/core/options.h"

namespace allot {

struct LogOptions {
  int every = 10;       // summary line on the console, in steps
  int completions = 4;  // rollouts per step whose text is kept in run.sqlite
  std::vector<std::string> to = {"none"};
  std::vector<std::string> aliases = {"trl"};

  template <class V>
  void fields(V& v) {
    v("every", every, Range{1, 1e6}, "steps between two summary lines on a terminal");
    v("completions", completions, Range{0, 4096},
      "rollouts per step stored with their text, verdicts taking turns so that rare ones are seen; "
      "all others are stored without it");
    v("to", to,
      "loggers beside the console, metrics.jsonl and run.sqlite, which are always there: "
      "tensorboard, or none");
    v("aliases", aliases,
      "projects whose metric names are written beside ours into metrics.jsonl and TensorBoard "
      "files: trl, verl, or none");
  }
  // Throws Error(Config) that names what is unknown.
  void validate() const;
};

struct CheckpointOptions {
  int every = 100;              // steps; 0: only at the end and on an interrupt
  int keep = 3;                 // newest complete checkpoints that stay
  std::string resume = "auto";  // "auto", "disable", or the path of a checkpoint folder
  std::vector<std::string> allow_changes;

  template <class V>
  void fields(V& v) {
    v("every", every, Range{0, 1e9},
      "steps between two checkpoints; 0 = only at the end and on an interrupt");
    v("keep", keep, Range{1, 1e6}, "newest complete checkpoints that are kept");
    v("resume", resume,
      "auto: the newest complete checkpoint of the run; disable: start anew; or a checkpoint's "
      "path");
    v("allow_changes", allow_changes,
      "configuration keys that may differ from those of the run that is resumed");
  }
};

}  // namespace allot
