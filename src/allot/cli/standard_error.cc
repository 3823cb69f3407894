#include "allot/cli/standard_error.h"

#include <cstdio>

#include <fmt/format.h>
#include <unistd.h>

namespace allot {

StandardError::StandardError(bool quiet)
    : quiet_(quiet), interactive_(!quiet && ::isatty(STDERR_FILENO) != 0) {}

StandardError::~StandardError() { bar(""); }

void StandardError::line(const std::string& text) {
  if (!quiet_) print(text);
}

void StandardError::warning(const std::string& text) { print(text); }

void StandardError::bar(const std::string& text) {
  if (bar_shown_) fmt::print(stderr, "\r\x1b[K");
  bar_shown_ = interactive_ && !text.empty();
  if (bar_shown_) fmt::print(stderr, "{}", text);
  std::fflush(stderr);
}

void StandardError::print(const std::string& text) {
  bar("");
  fmt::print(stderr, "{}\n", text);
  std::fflush(stderr);
}

}  // namespace allot
