#include "allot/app/simulate.h"

#include <iterator>
#include <map>

#include <nlohmann/json.hpp>

#include "allot/core/error.h"
#include "allot/report/html.h"
#include "allot/report/intervals.h"
#include "allot/report/number_text.h"

namespace allot {
namespace {

// What a run leaves for the report.
class ReportRecorder final : public Recorder {
 public:
  explicit ReportRecorder(RunData& run) : run_(run) {}

  void step(const StepRecord& record) override {
    RunTotals& totals = run_.totals;
    totals.updates += record.feedback.updated;
    totals.generated += record.cost.generated;
    totals.trained += record.cost.trained;
    totals.compute += record.cost.compute();
    totals.rollouts_generated += record.generated.size();
    totals.rollouts_trained += record.batch.items.size();
    totals.tokens_trained += record.cost.trained;
    for (const Metric& metric : record.metrics) {
      if (metric.name == "reward/first_round")
        run_.first_round_reward.push_back({record.step, metric.value});
      if (metric.name == "rollouts/discarded")
        totals.rollouts_discarded += static_cast<std::uint64_t>(metric.value);
      if (metric.name == "tokens/discarded")
        totals.tokens_discarded += static_cast<std::uint64_t>(metric.value);
    }
    for (const GroupReport& report : record.batch.reports) ++run_.zero_causes[name(report.cause)];
    std::map<PromptId, std::uint32_t> asked;
    for (const Issued& issued : record.issued) asked[issued.prompt] += issued.n;
    for (const auto& [prompt, n] : asked) ++run_.rollouts_per_prompt[n];
    run_.rows.push_back({record.step, record.feedback.updated, totals});
  }
  void event(const Event& event) override {
    run_.events.push_back({event.step, "", event.code, event.text});
  }

 private:
  RunData& run_;
};

std::vector<EvaluationRow> evaluations(const sim::SimRun& run, std::uint32_t prompts) {
  std::vector<EvaluationRow> rows;
  for (const sim::CurvePoint& point : run.curve) {
    EvaluationRow row;
    row.set = "test";
    row.prompts = prompts;
    row.group_size = 1;
    row.pass_at_1 = row.mean_reward = point.accuracy;
    row.totals.compute = static_cast<std::uint64_t>(point.cost * sim::kTokensPerUnit);
    row.totals.generated = static_cast<std::uint64_t>(point.generated * sim::kTokensPerUnit);
    rows.push_back(std::move(row));
  }
  return rows;
}

class Simulation {
 public:
  Simulation(const SimulateRequest& request, const BeginSimulation& begin)
      : r_(request), o_(request.options), begin_(begin) {}

  SimulateResult run() {
    const std::vector<sim::Pool> pools = sim::pools_of(o_);
    const sim::ServedMethods served = sim::served_methods(
        o_, method_names(), [&](const std::string& method) { return contender(method); });
    result_.left_out = served.left_out;
    for (const sim::Pool pool : pools) {
      result_.pools.push_back({pool, {}, {}});
      std::vector<RunData> runs;
      for (const std::string& method : served.methods) simulate_method(pool, method, runs);
      Comparison comparison = compare_data(std::move(runs));
      comparison.title = concat("simulated: ", name(pool), " pool, ", name(o_.lengths), " lengths");
      const auto folder = pools.size() > 1 ? r_.folder / name(pool) : r_.folder;
      std::filesystem::create_directories(folder);
      write_compare_json(comparison, folder / "compare.json");
      result_.pools.back().report = folder / "report.html";
      write_report(comparison, result_.pools.back().report);
    }
    return std::move(result_);
  }

 private:
  sim::Contender contender(const std::string& method) const {
    AllocOptions alloc = r_.alloc;
    alloc.method = method;
    return sim::contender(o_, method,
                          step_budget(alloc, static_cast<std::uint32_t>(o_.prompts_per_step)),
                          [alloc, adv = r_.adv] { return make_method(alloc, adv); });
  }

  void simulate_method(sim::Pool pool, const std::string& method, std::vector<RunData>& data) {
    begin_(concat(name(pool), ": ", method));
    std::vector<RunData> runs(static_cast<std::size_t>(o_.seeds));
    std::vector<ReportRecorder> recorders;
    for (RunData& run : runs) recorders.emplace_back(run);
    SimulatedArm arm =
        sim::run_arm(o_, pool, contender(method), [&](std::size_t i) { return &recorders[i]; });
    for (std::size_t i = 0; i < runs.size(); ++i) {
      RunData& run = runs[i];
      run.path = concat(method, "-s", arm.seeds[i]);
      run.method = method;
      run.seed = arm.seeds[i];
      run.status = RunStatus::Finished;
      run.evaluations = evaluations(arm.runs[i], sim::WorldOptions{}.held_out);
      run.facts = {{"method", method}, {"task", concat("simulated, ", name(pool))}};
    }
    data.insert(data.end(), std::make_move_iterator(runs.begin()),
                std::make_move_iterator(runs.end()));
    result_.pools.back().arms.push_back(std::move(arm));
  }

  const SimulateRequest& r_;
  const SimulateOptions& o_;
  const BeginSimulation& begin_;
  SimulateResult result_;
};

std::string with_interval(const std::vector<double>& values, int decimals) {
  const Estimate estimate = mean_estimate(values);
  const std::string text = fixed_text(estimate.mean, decimals);
  if (!estimate.interval) return text;
  return concat(text, " ± ", fixed_text(estimate.mean - estimate.interval->low, decimals));
}

}  // namespace

SimulateResult simulate(const SimulateRequest& request, const BeginSimulation& begin) {
  return Simulation(request, begin).run();
}

TextTable simulation_table(const SimulatedPool& pool, double budget) {
  TextTable table;
  table.header = {"method",          "lr",        "final accuracy", "compute to GRPO's",
                  "generated to it", "collapsed", "updates",        "generating"};
  for (const SimulatedArm& arm : pool.arms) {
    const sim::ArmNumbers n = sim::numbers(arm, pool.arms.front(), budget);
    table.rows.push_back({arm.method, fixed_text(arm.lr, 3), with_interval(n.finals, 3),
                          with_interval(n.units, 2), with_interval(n.generated, 2),
                          percent_text(n.collapsed), fixed_text(n.updates, 0),
                          percent_text(n.generating)});
  }
  return table;
}

std::string simulation_json(const SimulateResult& result, const SimulateOptions& options) {
  using nlohmann::json;
  json pools = json::array();
  for (const SimulatedPool& pool : result.pools) {
    json arms = json::array();
    for (const SimulatedArm& arm : pool.arms) {
      const sim::ArmNumbers n = sim::numbers(arm, pool.arms.front(), options.budget);
      arms.push_back({{"method", arm.method},
                      {"lr", arm.lr},
                      {"seeds", arm.seeds},
                      {"final", n.finals},
                      {"units_to_grpo", n.units},
                      {"gen_to_grpo", n.generated},
                      {"collapsed", n.collapsed},
                      {"updates", n.updates}});
    }
    pools.push_back({{"pool", name(pool.pool)}, {"arms", arms}, {"report", pool.report.string()}});
  }
  json left_out = json::object();
  for (const auto& [method, reason] : result.left_out) left_out[method] = reason;
  return json{{"lengths", name(options.lengths)},
              {"budget", options.budget},
              {"pools", pools},
              {"left_out", left_out}}
      .dump();
}

}  // namespace allot
