// What a data set costs in memory, with its prompts in memory and with prompts that stay in their
// file (data.jsonl.stream), and what it costs to read one of the latter.
//
//   bench/streamed_data [--rows 1000000] [--folder FOLDER] [--json]
//
// Writes a file of questions with worked answers, about 450 bytes a row, and loads it as the task
// jsonl does, each way in a process of its own. Bytes per row are of what is resident once the task
// is loaded, and of the most that was on the way there. Reading is timed over prompts in random
// order, as steps ask for them. Times are of the processor.
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>

#include <CLI/CLI.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "allot/core/error.h"
#include "allot/core/random.h"
#include "allot/tasks/file_task.h"
#include "program.h"

namespace allot {
namespace {

namespace fs = std::filesystem;

double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

void write_rows(const fs::path& file, std::size_t rows) {
  std::ofstream out(file, std::ios::binary);
  for (std::size_t i = 0; i < rows; ++i) {
    const std::size_t a = i % 9973 + 2, b = i / 9973 + 3;
    out << R"({"question":"A shop has )" << a << " shelves with " << b
        << " boxes each. Every box holds seven cups, and every cup costs two coins. On the first "
           R"(day it sells a third of all cups. How many cups does it have at the beginning?",)"
        << R"("answer":"There are )" << a << " * " << b << " = " << a * b
        << " boxes.\\nEvery one holds seven cups, which makes " << a * b << " * 7 = " << 7 * a * b
        << " cups at the beginning of the first day.\\nWhat is sold later does not matter.\\n#### "
        << 7 * a * b << "\"}\n";
  }
  if (!out.flush()) throw Error(ErrorKind::Data, file.string(), "the rows cannot be written");
}

void measure(const fs::path& file, std::size_t rows, Streaming stream, bool json) {
  const double before = bench::process_megabytes("VmRSS:"), start = processor_seconds();
  TaskOptions options;
  options.task = "jsonl";
  options.train = file.string();
  options.jsonl.test_share = 0.01;
  options.jsonl.stream = stream;
  const Task task = make_task(options, 1);
  const double loaded = processor_seconds() - start;
  const double resident = bench::process_megabytes("VmRSS:") - before;
  const double most = bench::process_megabytes("VmHWM:") - before;
  constexpr int kReads = 20000;
  RandomStream random({1, RandomUse::Test, 0, 0, 0});
  const double reading = processor_seconds();
  std::size_t characters = 0;
  for (int i = 0; i < kReads; ++i)
    characters += task.train->get(task.train->ids()[random.below(task.train->size())]).text.size();
  const double read_us = 1e6 * (processor_seconds() - reading) / kReads;
  if (characters == 0) throw Error(ErrorKind::Internal, "bench", "the prompts are empty");
  const auto per_row = [&](double megabytes) { return 1e6 * megabytes / double(rows); };
  const char* way = stream == Streaming::Always ? "in their file" : "in memory";
  std::printf(json
                  ? "{\"prompts\":\"%s\",\"bytes_per_row\":%.0f,\"most_bytes_per_row\":%.0f,"
                    "\"load_s\":%.1f,\"read_us\":%.2f}\n"
                  : "prompts %-13s  %6.0f bytes per row, at most %6.0f; loaded in %.1f s, one read "
                    "in %.2f us\n",
              way, per_row(resident), per_row(most), loaded, read_us);
  std::fflush(stdout);
}

void run(std::size_t rows, const fs::path& folder, bool json) {
  const fs::path file = folder / "allot_streamed_data.jsonl";
  write_rows(file, rows);
  for (const Streaming stream : {Streaming::Always, Streaming::Never}) {
    const pid_t child = fork();
    if (child == 0) {
      measure(file, rows, stream, json);
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) throw Error(ErrorKind::Internal, "bench", "a measurement failed");
  }
  fs::remove(file);
}

}  // namespace
}  // namespace allot

int main(int argc, char** argv) {
  CLI::App app{"Memory of a data set, whole and streamed"};
  std::size_t rows = 1000000;
  std::string folder = std::filesystem::temp_directory_path().string();
  bool json = false;
  app.add_option("--rows", rows)->check(CLI::Range(100, 100000000));
  app.add_option("--folder", folder)->check(CLI::ExistingDirectory);
  app.add_flag("--json", json);
  return allot::bench::run_program(app, argc, argv, [&] { allot::run(rows, folder, json); });
}
