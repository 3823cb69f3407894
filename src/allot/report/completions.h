// The responses that a run stored with their text, as JSON lines: for data frames and for reading.
#pragma once

#include <span>
#include <string>

#include "allot/store/run_folder.h"

namespace allot {

// A header line, then one object per response of every run, in order. Format: docs/formats.md. Text
// that is no UTF-8 has its broken bytes replaced. Throws Error(Model) for a folder without a run.
std::string completions_jsonl(std::span<const RunFolderPath> runs);

}  // namespace allot
