// What a verdict of the math verifier costs: time and steps over pairs of a JSONL file, such as the
// labelled model outputs.
//
//   bench/verify FILE [--rounds 5] [--json]
//
// FILE has {"gold", "pred", "kind"} per line, as `allot verify --file` takes it. Every pair is
// timed `rounds` times and its fastest time counts, so that what else runs on the machine does not;
// reading the gold is timed apart. Thread time is processor time.
#include "allot/tasks/math/verify.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "allot/core/error.h"
#include "program.h"

namespace allot {
namespace {

struct Pair {
  std::string gold, pred;
  bool is_answer = false;
};

std::vector<Pair> read_pairs(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw Error(ErrorKind::Data, path, "the file cannot be opened");
  std::vector<Pair> pairs;
  for (std::string line; std::getline(in, line);) {
    const nlohmann::json row = nlohmann::json::parse(line);
    pairs.push_back({row.at("gold"), row.at("pred"), row.value("kind", "response") == "answer"});
  }
  if (pairs.empty()) throw Error(ErrorKind::Data, path, "there are no pairs");
  return pairs;
}

double microseconds() {  // of this thread's processor time
  std::timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return 1e6 * static_cast<double>(time.tv_sec) + 1e-3 * static_cast<double>(time.tv_nsec);
}

struct Costs {
  std::vector<double> verdict, prepare, steps;
};

Costs measure(const std::vector<Pair>& pairs, int rounds) {
  verify::MathOptions options;
  options.profile = verify::Profile::Flexible;
  Costs costs;
  for (const Pair& pair : pairs) {
    double verdict = 1e9, prepared = 1e9, steps = 0;
    for (int round = 0; round < rounds; ++round) {
      const double begin = microseconds();
      const verify::Gold gold = verify::prepare(pair.gold, options);
      const double middle = microseconds();
      const verify::Verdict found = pair.is_answer ? verify::equivalent(gold, pair.pred, options)
                                                   : verify::verify(gold, pair.pred, options);
      verdict = std::min(verdict, microseconds() - middle);
      prepared = std::min(prepared, middle - begin);
      steps = found.steps;
    }
    costs.verdict.push_back(verdict);
    costs.prepare.push_back(prepared);
    costs.steps.push_back(steps);
  }
  return costs;
}

double quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

void print(const char* what, const std::vector<double>& values, bool json) {
  std::printf(json ? "{\"what\":\"%s\",\"n\":%zu,\"median\":%.2f,\"p99\":%.2f,\"max\":%.2f}\n"
                   : "| %s | %zu | %.2f | %.2f | %.2f |\n",
              what, values.size(), quantile(values, 0.5), quantile(values, 0.99),
              quantile(values, 1));
}

void run(const std::string& path, int rounds, bool json) {
  const Costs costs = measure(read_pairs(path), rounds);
  if (!json) std::printf("| what | pairs | median | p99 | maximum |\n|---|---:|---:|---:|---:|\n");
  print("verdict, us", costs.verdict, json);
  print("reading the gold, us", costs.prepare, json);
  print("steps", costs.steps, json);
}

}  // namespace
}  // namespace allot

int main(int argc, char** argv) {
  std::string path;
  int rounds = 5;
  bool json = false;
  CLI::App app("Time and steps of the math verifier's verdicts.");
  app.add_option("file", path, "JSON lines: gold, pred, kind")->required();
  app.add_option("--rounds", rounds, "the fastest of so many counts")->check(CLI::Range(1, 1000));
  app.add_flag("--json", json, "JSON lines instead of Markdown");
  return allot::bench::run_program(app, argc, argv, [&] { allot::run(path, rounds, json); });
}
