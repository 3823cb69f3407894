// The report page: one self-contained HTML file, no network, no script, light, dark and print.
#pragma once

#include <filesystem>
#include <string>

#include "allot/report/comparison.h"

namespace allot {

// The page; below 2 MB for 1,000 steps and ten runs. Text of prompts, rollouts and configuration
// is escaped and clipped.
std::string report_html(const Comparison& comparison);

// Replaces `path` atomically. Throws Error(Model) if it cannot be written.
void write_report(const Comparison& comparison, const std::filesystem::path& path);

// Held-out accuracy over compute as an SVG file that stands alone. Throws Error(Data) if no run was
// evaluated, Error(Model) as above.
void write_figure(const Comparison& comparison, const std::filesystem::path& path);

}  // namespace allot
