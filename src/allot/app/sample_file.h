// The responses of an evaluation as JSON lines, for reading and for data frames.
#pragma once

#include <fstream>
#include <span>
#include <string>

#include "allot/loop/engine.h"
#include "allot/loop/prompt_source.h"
#include "allot/loop/verifier.h"

namespace allot {

// Line 1 is {"format":"allot.samples","version":1}; the others are described in docs/formats.md.
class SampleFile {
 public:
  // Throws Error(Config): the file cannot be written.
  explicit SampleFile(const std::string& path);

  // `scores`: of the run's verifier, then perhaps of its flexible profile.
  void add(const std::string& set, const Prompt& prompt, const Rollout& rollout,
           std::span<const Score> scores);
  // Throws Error(Config): not all could be written.
  void close();

 private:
  std::string path_;
  std::ofstream out_;
};

}  // namespace allot
