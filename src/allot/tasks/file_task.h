// Prompts and verifiers from files: the task jsonl, and further sets of held-out prompts.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "allot/tasks/registry.h"

namespace allot {

// Throws Error(Data) as read_data_set() and check_golds() do.
Task make_file_task(const TaskOptions& options, std::uint64_t seed);

// `by_math`: rows that name no verifier are judged by the math verifier, otherwise as text.
std::unique_ptr<Verifier> file_verifier(const DataSetOptions& options, bool by_math);

struct NamedFile {
  std::string name, path;
};

// A set beside those of the task, to evaluate on.
struct HeldOutSet {
  std::string name;
  std::unique_ptr<PromptSet> prompts;
  std::unique_ptr<Verifier> verifier, flexible;  // as in Task
  FileNotes notes;
};

// Columns are found by their names, and answers compared by the math verifier unless
// data.jsonl.reward says exact: benchmarks differ from the training file in both. The preset's
// words are added as they are in training. Throws as make_file_task().
HeldOutSet read_held_out(const NamedFile& file, const TaskOptions& options, std::uint64_t seed);

}  // namespace allot
