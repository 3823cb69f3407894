#include "allot/app/simulate.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "allot/core/controller.h"
#include "allot/core/error.h"
#include "allot/report/html.h"
#include "allot/report/intervals.h"
#include "allot/report/number_text.h"
#include "allot/sim/parallel.h"

namespace allot {
namespace {

constexpr std::uint64_t kTuningSeed = 100, kTuningSeeds = 8;
constexpr const char* kReference = "grpo";

std::vector<sim::Pool> pools_of(const SimulateOptions& options) {
  std::vector<sim::Pool> pools;
  for (const std::string& text : options.pools) {
    if (text == "all") return {sim::all_pools().begin(), sim::all_pools().end()};
    pools.push_back(sim::pool_named(text));
  }
  if (pools.empty())
    throw Error(ErrorKind::Config, "simulate.pools", "no pool was given; at least one is needed",
                "--pool all takes every one");
  return pools;
}

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
    const std::vector<sim::Pool> pools = pools_of(o_);
    const std::vector<std::string> methods = served_methods();
    for (const sim::Pool pool : pools) {
      result_.pools.push_back({pool, {}, {}});
      std::vector<RunData> runs;
      for (const std::string& method : methods) simulate_method(pool, method, runs);
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
    sim::Contender out{.name = method,
                       .batches = {static_cast<std::uint32_t>(o_.prompts_per_step)}};
    AllocOptions alloc = r_.alloc;
    alloc.method = method;
    out.make_method = [alloc, adv = r_.adv] { return make_method(alloc, adv); };
    out.run.method = method;
    out.run.group_size = static_cast<std::uint32_t>(alloc.group_size);
    out.run.budget = o_.budget;
    out.run.step = step_budget(alloc, static_cast<std::uint32_t>(o_.prompts_per_step));
    return out;
  }

  // grpo first: the others are measured against it.
  std::vector<std::string> served_methods() {
    std::vector<std::string> wanted = o_.methods.empty() ? method_names() : o_.methods;
    std::erase(wanted, kReference);
    wanted.insert(wanted.begin(), kReference);
    std::vector<std::string> served;
    for (const std::string& method : wanted) {
      try {
        Controller(contender(method).make_method(), {.method = method, .host = sim::host_traits()});
        if (std::find(served.begin(), served.end(), method) == served.end())
          served.push_back(method);
      } catch (const Error& error) {
        if (!o_.methods.empty() || method == kReference) throw;
        result_.left_out.emplace_back(method, error.what());
      }
    }
    return served;
  }

  double learning_rate(const sim::WorldOptions& world, const sim::Contender& contender) const {
    if (o_.tune == SimulateTuning::None) return o_.lr;
    const sim::TuningGrid grid{sim::powers_of_two(-4, 1, 2),
                               sim::seed_range(kTuningSeed, kTuningSeeds)};
    const auto rule = o_.tune == SimulateTuning::Best ? sim::TuneBy::BestMean : sim::TuneBy::Margin;
    return tune(world, contender, grid, static_cast<std::size_t>(o_.threads)).choose(rule).lr;
  }

  void simulate_method(sim::Pool pool, const std::string& method, std::vector<RunData>& data) {
    begin_(concat(name(pool), ": ", method));
    const sim::WorldOptions world{.pool = pool, .lengths = o_.lengths};
    const sim::Contender who = contender(method);
    SimulatedArm arm{.method = method,
                     .lr = learning_rate(world, who),
                     .seeds = sim::seed_range(o_.seed, static_cast<std::uint64_t>(o_.seeds)),
                     .runs = std::vector<sim::SimRun>(static_cast<std::size_t>(o_.seeds))};
    std::vector<RunData> runs(arm.seeds.size());
    sim::for_each_index(arm.seeds.size(), static_cast<std::size_t>(o_.threads), [&](std::size_t i) {
      RunData& run = runs[i];
      ReportRecorder recorder(run);
      sim::Contender one = who;
      one.run.recorder = &recorder;
      const std::vector<std::uint64_t> seed = {arm.seeds[i]};
      arm.runs[i] = run_seeds(world, one, one.batches[0], arm.lr, seed, 1)[0];
      run.path = concat(method, "-s", arm.seeds[i]);
      run.method = method;
      run.seed = arm.seeds[i];
      run.status = RunStatus::Finished;
      run.evaluations = evaluations(arm.runs[i], world.held_out);
      run.facts = {{"method", method}, {"task", concat("simulated, ", name(pool))}};
    });
    data.insert(data.end(), std::make_move_iterator(runs.begin()),
                std::make_move_iterator(runs.end()));
    result_.pools.back().arms.push_back(std::move(arm));
  }

  const SimulateRequest& r_;
  const SimulateOptions& o_;
  const BeginSimulation& begin_;
  SimulateResult result_;
};

// Per seed of an arm, in the order of its runs.
struct ArmNumbers {
  std::vector<double> finals, units, generated;
  double collapsed = 0, steps = 0, rollout_compute = 0;
};

ArmNumbers numbers(const SimulatedArm& arm, const SimulatedArm& reference, double budget) {
  ArmNumbers out;
  const auto n = static_cast<double>(arm.runs.size());
  for (std::size_t i = 0; i < arm.runs.size(); ++i) {
    const sim::SimRun& run = arm.runs[i];
    const sim::AgainstGrpo against = sim::against(run, sim::grpo_run(reference.runs[i]), budget);
    out.finals.push_back(run.final_accuracy());
    out.units.push_back(against.units);
    out.generated.push_back(against.generated);
    out.collapsed += sim::collapsed(run) / n;
    out.steps += static_cast<double>(run.updates) / n;
    out.rollout_compute += run.generated / run.cost / n;
  }
  return out;
}

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
    const ArmNumbers n = numbers(arm, pool.arms.front(), budget);
    table.rows.push_back({arm.method, fixed_text(arm.lr, 3), with_interval(n.finals, 3),
                          with_interval(n.units, 2), with_interval(n.generated, 2),
                          percent_text(n.collapsed), fixed_text(n.steps, 0),
                          percent_text(n.rollout_compute)});
  }
  return table;
}

std::string simulation_json(const SimulateResult& result, const SimulateOptions& options) {
  using nlohmann::json;
  json pools = json::array();
  for (const SimulatedPool& pool : result.pools) {
    json arms = json::array();
    for (const SimulatedArm& arm : pool.arms) {
      const ArmNumbers n = numbers(arm, pool.arms.front(), options.budget);
      arms.push_back({{"method", arm.method},
                      {"lr", arm.lr},
                      {"seeds", arm.seeds},
                      {"final", n.finals},
                      {"units_to_grpo", n.units},
                      {"gen_to_grpo", n.generated},
                      {"collapsed", n.collapsed},
                      {"updates", n.steps}});
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
