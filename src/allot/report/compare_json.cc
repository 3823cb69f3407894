// compare.json, version 2: the comparison as numbers. Format: docs/formats.md.
#include <cmath>
#include <utility>

#include <nlohmann/json.hpp>

#include "allot/core/durable_file.h"
#include "allot/core/error.h"
#include "allot/report/comparison.h"

namespace allot {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr const char* kFormat = "allot.compare";
constexpr int kVersion = 2;

ordered_json to_json(const std::optional<Interval>& interval) {
  if (!interval) return nullptr;
  return {interval->low, interval->high};
}

ordered_json to_json(const Estimate& estimate) {
  return {{"mean", estimate.mean}, {"n", estimate.n}, {"interval", to_json(estimate.interval)}};
}

ordered_json to_json(const std::optional<Estimate>& estimate) {
  return estimate ? to_json(*estimate) : ordered_json(nullptr);
}

void read(const ordered_json& value, std::optional<Interval>& interval) {
  if (!value.is_null()) interval = Interval{value.at(0).get<double>(), value.at(1).get<double>()};
}

void read(const ordered_json& value, Estimate& estimate) {
  estimate.mean = value.at("mean").get<double>();
  estimate.n = value.at("n").get<std::size_t>();
  read(value.at("interval"), estimate.interval);
}

void read(const ordered_json& value, std::optional<Estimate>& estimate) {
  if (!value.is_null()) read(value, estimate.emplace());
}

constexpr std::pair<const char*, TargetOutcome> kOutcomes[] = {
    {"reached", TargetOutcome::Reached},
    {"not_reached", TargetOutcome::NotReached},
    {"no_target", TargetOutcome::NoTarget}};

const char* name(TargetOutcome outcome) {
  for (const auto& [text, value] : kOutcomes)
    if (value == outcome) return text;
  return "no_target";
}

// The optional estimates of an arm, listed once for both directions.
template <class V>
void estimates(V&& v) {
  v("accuracy_before", &ArmSummary::accuracy_before);
  v("accuracy_after", &ArmSummary::accuracy_after);
  v("compute_to_target", &ArmSummary::compute_to_target);
}

ordered_json to_json(const SeedTarget& seed) {
  return {{"seed", seed.seed},
          {"target", seed.target},
          {"reference", seed.reference},
          {"cost", seed.cost ? ordered_json(*seed.cost) : ordered_json(nullptr)},
          {"spent", seed.spent}};
}

SeedTarget seed_target_from(const ordered_json& object) {
  SeedTarget seed;
  seed.seed = object.at("seed").get<std::uint64_t>();
  seed.target = object.at("target").get<double>();
  seed.reference = object.at("reference").get<double>();
  if (!object.at("cost").is_null()) seed.cost = object.at("cost").get<double>();
  seed.spent = object.at("spent").get<double>();
  return seed;
}

ordered_json to_json(const BenchmarkRow& row) {
  return {{"set", row.set},
          {"arm", row.arm},
          {"after", to_json(row.after)},
          {"difference", to_json(row.difference)}};
}

BenchmarkRow benchmark_from(const ordered_json& object) {
  BenchmarkRow row;
  row.set = object.at("set").get<std::string>();
  row.arm = object.at("arm").get<std::string>();
  read(object.at("after"), row.after);
  read(object.at("difference"), row.difference);
  return row;
}

ordered_json to_json(const ArmSummary& arm) {
  ordered_json object = {
      {"name", arm.name}, {"method", arm.method}, {"seeds", arm.seeds}, {"finished", arm.finished}};
  estimates([&](const char* key, auto member) { object[key] = to_json(arm.*member); });
  compared_axes([&](Axis, const char* axis, auto, auto difference, auto bootstrap) {
    object[concat("difference_at_", axis)] = to_json(arm.*difference);
    object[concat("bootstrap_at_", axis)] = to_json(arm.*bootstrap);
  });
  object["target"] = name(arm.target);
  object["target_reached"] = arm.target_reached;
  object["target_seeds"] = arm.target_seeds;
  object["seed_targets"] = ordered_json::array();
  for (const SeedTarget& seed : arm.seed_targets) object["seed_targets"].push_back(to_json(seed));
  ordered_json totals = ordered_json::object();
  for (const auto& [key, estimate] : arm.totals) totals[key] = to_json(estimate);
  object["totals"] = std::move(totals);
  return object;
}

ArmSummary arm_from(const ordered_json& object) {
  ArmSummary arm;
  arm.name = object.at("name").get<std::string>();
  arm.method = object.at("method").get<std::string>();
  arm.seeds = object.at("seeds").get<std::vector<std::uint64_t>>();
  arm.finished = object.at("finished").get<std::size_t>();
  estimates([&](const char* key, auto member) { read(object.at(key), arm.*member); });
  compared_axes([&](Axis, const char* axis, auto, auto difference, auto bootstrap) {
    read(object.at(concat("difference_at_", axis)), arm.*difference);
    read(object.at(concat("bootstrap_at_", axis)), arm.*bootstrap);
  });
  for (const auto& seed : object.at("seed_targets"))
    arm.seed_targets.push_back(seed_target_from(seed));
  const auto target = object.at("target").get<std::string>();
  for (const auto& [text, value] : kOutcomes)
    if (target == text) arm.target = value;
  arm.target_reached = object.at("target_reached").get<std::size_t>();
  arm.target_seeds = object.at("target_seeds").get<std::size_t>();
  for (const auto& [key, value] : object.at("totals").items()) read(value, arm.totals[key]);
  return arm;
}

ordered_json to_json(const RunData& run) {
  ordered_json totals = ordered_json::object();
  RunTotals::columns([&](const char* key, auto member) { totals[key] = run.totals.*member; });
  ordered_json evaluations = ordered_json::array();
  for (const EvaluationRow& row : run.evaluations)
    evaluations.push_back({{"step", row.step},
                           {"pass@1", row.pass_at_1},
                           {"compute", row.totals.compute},
                           {"generated", row.totals.generated},
                           {"rollouts", row.totals.rollouts_generated},
                           {"seconds", row.totals.step_s}});
  return {{"folder", run.path.lexically_normal().generic_string()},
          {"method", run.method},
          {"seed", run.seed},
          {"status", allot::name(run.status)},
          {"steps", run.rows.size()},
          {"totals", std::move(totals)},
          {"evaluations", std::move(evaluations)}};
}

}  // namespace

std::string compare_json(const Comparison& comparison) {
  ordered_json arms = ordered_json::array(), runs = ordered_json::array();
  for (const ArmSummary& arm : comparison.arms) arms.push_back(to_json(arm));
  for (const RunData& run : comparison.runs) runs.push_back(to_json(run));
  ordered_json benchmarks = ordered_json::array();
  for (const BenchmarkRow& row : comparison.benchmarks) benchmarks.push_back(to_json(row));
  ordered_json object = {{"format", kFormat},
                         {"version", kVersion},
                         {"title", comparison.title},
                         {"reference", comparison.reference}};
  compared_axes([&](Axis, const char* axis, auto common, auto, auto) {
    object[concat("common_", axis)] = comparison.*common;
  });
  object["arms"] = std::move(arms);
  object["benchmarks"] = std::move(benchmarks);
  object["runs"] = std::move(runs);
  return object.dump(1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

void write_compare_json(const Comparison& comparison, const fs::path& path) {
  replace_file(path, compare_json(comparison));
}

Comparison read_compare_json(const fs::path& path) {
  const auto object = ordered_json::parse(read_file(path), nullptr, false);
  if (!object.is_object() || object.value("format", "") != kFormat || !object.contains("version"))
    throw Error(ErrorKind::Data, path.string(), "the file is no comparison of allot",
                "'allot compare' writes compare.json");
  if (object["version"] != kVersion)
    throw Error(ErrorKind::Data, path.string(),
                concat("version ", object["version"].dump(), " is unknown here; this build reads ",
                       kVersion));
  try {
    Comparison comparison;
    comparison.title = object.at("title").get<std::string>();
    comparison.reference = object.at("reference").get<std::string>();
    compared_axes([&](Axis, const char* axis, auto common, auto, auto) {
      comparison.*common = object.at(concat("common_", axis)).get<double>();
    });
    for (const auto& arm : object.at("arms")) comparison.arms.push_back(arm_from(arm));
    for (const auto& row : object.at("benchmarks"))
      comparison.benchmarks.push_back(benchmark_from(row));
    return comparison;
  } catch (const nlohmann::json::exception& error) {
    throw Error(ErrorKind::Data, path.string(),
                concat("the comparison is damaged: ", error.what()));
  }
}

}  // namespace allot
