#include "allot/app/compare.h"

#include <algorithm>
#include <limits>

#include "allot/core/error.h"
#include "allot/report/html.h"
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
}

}  // namespace

CompareResult compare(const CompareRequest& request, const StartingPoint& start,
                      const Services& services, const BeginRun& begin_run) {
  const RunConfig& base = request.config;
  CompareResult result;
  result.folder = request.fresh ? make_fresh_folder(request.folder) : request.folder;
  std::vector<RunFolderPath> runs;
  for (int i = 0; i < base.compare.seeds && !result.interrupted; ++i) {
    const std::uint64_t seed = base.train.seed + static_cast<std::uint64_t>(i);
    RunTotals spent;
    for (const std::string& method : base.compare.methods) {
      RunConfig config = config_of_method(base, method);
      config.train.seed = seed;
      const bool is_reference = method == base.compare.methods.front();
      if (!is_reference) limit_to(config, base.compare.equal, spent);
      begin_run(concat(method, ", seed ", seed),
                is_reference || base.compare.equal == Equal::Steps ? config.train.max_steps : 0);
      TrainRequest one{config, request.given, result.folder / concat(method, "-s", seed), false};
      const TrainResult trained = train(one, start, services);
      runs.push_back(trained.folder);
      result.interrupted = trained.status != RunStatus::Finished;
      if (result.interrupted) break;
      if (is_reference) spent = RunReader(trained.folder).totals();
    }
  }
  result.comparison = compare_runs(runs);
  result.comparison.title = result.folder.filename().string();
  write_compare_json(result.comparison, result.folder / "compare.json");
  result.report = result.folder / "report.html";
  write_report(result.comparison, result.report);
  return result;
}

}  // namespace allot
