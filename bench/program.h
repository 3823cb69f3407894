// What the programs of this folder share: the ending of main(), the clock, memory, the median.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <fstream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace allot::bench {

// Parses the command line, then calls `work`. Exit codes: 0, 2 for an error of either.
template <class Work>
int run_program(CLI::App& app, int argc, char** argv, Work work) {
  try {
    app.parse(argc, argv);
    work();
    return 0;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}

inline double now() {  // seconds
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Megabytes (10^6) of a line of /proc/self/status: "VmRSS:" is resident now, "VmHWM:" was the most.
inline double process_megabytes(const std::string& line) {
  std::ifstream in("/proc/self/status");
  std::string word;
  while (in >> word) {
    double kilobytes = 0;
    if (word == line && in >> kilobytes) return kilobytes * 1024 / 1e6;
  }
  return 0;
}

// The upper one of the two in the middle; `values` is not empty.
inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace allot::bench
