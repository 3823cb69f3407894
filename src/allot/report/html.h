// The report page: one self-contained HTML file, no network, no script, light, dark and print.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "allot/report/comparison.h"

namespace allot {

// Text made safe for HTML content and double-quoted attributes. Control characters and invalid
// UTF-8 become U+FFFD.
std::string html_escaped(std::string_view text);

// The page; below 2 MB for 1,000 steps and ten runs.
std::string report_html(const Comparison& comparison);

// Replaces `path` atomically. Throws Error(Model) if it cannot be written.
void write_report(const Comparison& comparison, const std::filesystem::path& path);

}  // namespace allot
