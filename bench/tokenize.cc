// How fast a tokenizer reads text, and the ids it gives.
//
//   bench/tokenize FOLDER FILE.. [--rounds 5]     one JSON line: bytes, tokens, load_s, mb_per_s
//   bench/tokenize FOLDER FILE.. --ids            one JSON list of ids per line of text
//
// FOLDER is a model folder (text/load_tokenizer.h). Every line of a file is a text of its own, as a
// prompt of a data set is; in a file .jsonl it is a JSON string. Times are this thread's processor
// time; the fastest round counts. bench/peers/compare_tokenize does the same with the `tokenizers`
// package.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "allot/core/error.h"
#include "allot/text/load_tokenizer.h"
#include "program.h"

namespace allot {
namespace {

double seconds() {  // of this thread's processor time
  std::timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

std::vector<std::string> lines_of(const std::vector<std::string>& files) {
  std::vector<std::string> lines;
  for (const std::string& file : files) {
    std::ifstream in(file);
    if (!in) throw Error(ErrorKind::Data, file, "the file cannot be opened");
    const bool json = file.ends_with(".jsonl");
    for (std::string line; std::getline(in, line);)
      lines.push_back(json ? nlohmann::json::parse(line).get<std::string>() : line);
  }
  return lines;
}

void print_ids(const Tokenizer& tokenizer, const std::vector<std::string>& lines) {
  for (const std::string& line : lines) {
    const char* separator = "[";
    for (const std::int32_t id : tokenizer.encode(line)) {
      std::printf("%s%d", separator, id);
      separator = ", ";
    }
    std::printf(line.empty() ? "[]\n" : "]\n");
  }
}

void run(const std::string& folder, const std::vector<std::string>& files, int rounds, bool ids) {
  const std::vector<std::string> lines = lines_of(files);
  const double begin = seconds();
  const auto tokenizer = load_tokenizer(folder);
  const double loaded = seconds() - begin;
  if (ids) return print_ids(*tokenizer, lines);
  std::size_t bytes = 0, tokens = 0;
  for (const std::string& line : lines) bytes += line.size();
  double fastest = 1e9;
  for (int round = 0; round < rounds; ++round) {
    tokens = 0;
    const double start = seconds();
    for (const std::string& line : lines) tokens += tokenizer->encode(line).size();
    fastest = std::min(fastest, seconds() - start);
  }
  std::printf("{\"bytes\": %zu, \"tokens\": %zu, \"load_s\": %.3f, \"mb_per_s\": %.2f}\n", bytes,
              tokens, loaded, 1e-6 * static_cast<double>(bytes) / fastest);
}

}  // namespace
}  // namespace allot

int main(int argc, char** argv) {
  std::string folder;
  std::vector<std::string> files;
  int rounds = 5;
  bool ids = false;
  CLI::App app("Speed and ids of a tokenizer.");
  app.add_option("folder", folder, "model folder, or a tokenizer.json")->required();
  app.add_option("files", files, "texts, one per line")->required();
  app.add_option("--rounds", rounds, "the fastest of so many counts")->check(CLI::Range(1, 1000));
  app.add_flag("--ids", ids, "print ids instead");
  return allot::bench::run_program(app, argc, argv,
                                   [&] { allot::run(folder, files, rounds, ids); });
}
