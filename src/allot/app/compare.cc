#include "allot/app/compare.h"

#include <algorithm>

#include "allot/core/durable_file.h"
#include "allot/core/error.h"
#include "allot/report/html.h"
#include "allot/report/table.h"
#include "allot/store/run_folder.h"
#include "allot/store/run_reader.h"

namespace allot {
namespace {

// A method that spends little per step may take this many times the reference's steps.
constexpr int kMostStepsFactor = 50;

void limit_to(RunConfig& config, Equal equal, const RunTotals& spent) {
  if (equal == Equal::Steps) return;
  config.train.max_steps = static_cast<int>(
      std::min<double>(1e9, static_cast<double>(config.train.max_steps) * kMostStepsFactor));
  if (equal == Equal::Compute) config.train.max_compute = spent.compute;
  if (equal == Equal::Generated) config.train.max_generated = spent.generated;
  if (equal == Equal::Rollouts) config.train.max_rollouts = spent.rollouts_generated;
  if (equal == Equal::Seconds) config.train.max_seconds = spent.step_s;
}

RunFolderPath run_folder(const CompareRequest& request, const CompareArm& arm, std::uint64_t seed) {
  return request.folder / concat(arm.name, "-s", seed);
}

}  // namespace

std::vector<std::uint64_t> compared_seeds(const RunConfig& config) {
  std::vector<std::uint64_t> seeds;
  for (int i = 0; i < config.compare.seeds; ++i)
    seeds.push_back(config.train.seed + static_cast<std::uint64_t>(i));
  return seeds;
}

int compared_at_once(const RunConfig& config, unsigned processors) {
  const CompareOptions& compare = config.compare;
  if (compare.processes > 0) return std::min(compare.processes, compare.seeds);
  if (compare.equal == Equal::Seconds) return 1;
  const int threads = std::max(config.engine.workers, config.learner.workers);
  return std::clamp(static_cast<int>(processors) / threads, 1, compare.seeds);
}

bool compare_seed(const CompareRequest& request, std::uint64_t seed, const StartingPoint& start,
                  const Services& services, const BeginRun& begin_run) {
  const std::vector<CompareArm> arms = compare_arms(request.config);
  const Equal equal = request.config.compare.equal;
  RunTotals spent;
  for (const CompareArm& arm : arms) {
    const bool is_reference = &arm == &arms.front();
    RunConfig config = arm.config;
    config.train.seed = seed;
    if (!is_reference) limit_to(config, equal, spent);
    begin_run(concat(arm.name, ", seed ", seed),
              is_reference || equal == Equal::Steps
                  ? static_cast<std::uint64_t>(config.train.max_steps)
                  : 0);
    const TrainRequest one{config, request.given, run_folder(request, arm, seed), false};
    const TrainResult trained = train(one, start.copy(), services);
    if (trained.status == RunStatus::Interrupted) return false;
    if (is_reference) spent = RunReader(trained.folder).totals();
  }
  return true;
}

CompareResult finish_comparison(const CompareRequest& request) {
  std::vector<RunFolderPath> runs;
  for (const std::uint64_t seed : compared_seeds(request.config))
    for (const CompareArm& arm : compare_arms(request.config))
      if (const RunFolderPath run = run_folder(request, arm, seed); RunFolder::is_run(run))
        runs.push_back(run);
  CompareResult result;
  result.comparison = compare_runs(runs);
  result.comparison.title = request.folder.filename().string();
  write_compare_json(result.comparison, request.folder / "compare.json");
  replace_file(request.folder / "compare.csv", comparison_csv(result.comparison));
  replace_file(request.folder / "compare.md", markdown_tables(result.comparison));
  result.report = request.folder / "report.html";
  write_report(result.comparison, result.report);
  return result;
}

}  // namespace allot
