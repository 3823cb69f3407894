// The methods compared in the simulated world, over all pools, with 95 % intervals, as Markdown.
//
//   bench/simulated_methods [--static] [--world default|equal|split] [--pools a,b] [--methods a,b]
//                           [--variant METHOD:KEY=VALUE,..] [--threads 1] [--cache FILE]
//
// Without --static every method's learning rate (half octaves, 2^-4 .. 2^1) and batch are tuned on
// seeds 100-107 by each of the two rules and evaluated on 20 fresh ones: 1000-1019 for `best`,
// 2000-2019 for `margin`. An hour and a half per world on one core; finished cells are kept in the
// cache and not repeated.
// --static: evidence per unit at learning rate 0 relative to GRPO (seeds 0-9), in minutes.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "allot/core/error.h"
#include "allot/methods/registry.h"
#include "allot/report/intervals.h"
#include "allot/report/number_text.h"
#include "allot/report/text_table.h"
#include "allot/sim/protocol.h"
#include "program.h"

namespace allot {
namespace {

using sim::Contender;
using sim::Pool;

constexpr double kBudget = 256000;
constexpr std::uint32_t kGroupSize = 16;

// How a method takes part, where that is not its defaults with 64 or 16 prompts per step.
struct Variant {
  std::string name, method;
  std::vector<std::pair<std::string, std::string>> settings;
  std::vector<std::uint32_t> batches = {64, 16};  // where groups are of kGroupSize
  int lrs_per_octave = 2;
};
const std::vector<Variant> kVariants = {
    {"grpo no std", "grpo", {{"adv.scale", "none"}}},
    {"ar3po",
     "ar3po",
     {{"alloc.ar3po.stages", "4"}, {"alloc.ar3po.stage_size", "4"}},
     {256, 64, 16}},
    {"reinforce_ada",
     "reinforce_ada",
     {{"alloc.reinforce_ada.round_size", "8"}, {"alloc.reinforce_ada.kept", "4"}}},
    {"reinforce_ada pool_mean",
     "reinforce_ada",
     {{"alloc.reinforce_ada.round_size", "8"},
      {"alloc.reinforce_ada.kept", "4"},
      {"alloc.reinforce_ada.estimator", "pool_mean"}}},
    {"pods", "pods", {{"alloc.pods.rollouts", "32"}, {"alloc.pods.kept", "8"}}},
    {"speed", "speed", {{"alloc.speed.n_init", "4"}, {"alloc.speed.n_cont", "12"}}},
    {"mopps", "mopps", {{"alloc.mopps.decay", "0.5"}}},
    // Twenty times slower than the others: its network is fitted in every step.
    {"rollout_bandit", "rollout_bandit", {}, {64}, 1},
    {"evidence length_power .5", "evidence", {{"alloc.evidence.length_power", "0.5"}}},
};

struct Arguments {
  bool only_static = false;
  sim::Lengths lengths = sim::Lengths::Equal;
  std::vector<Pool> pools{sim::all_pools().begin(), sim::all_pools().end()};
  std::vector<std::string> methods;  // by name of the contender; empty: all
  std::vector<Variant> further;
  std::size_t threads = 1;
  std::string cache;
};

struct Entrant {
  Contender contender;
  int lrs_per_octave = 2;
  const std::string& name() const { return contender.name; }
};

// Groups of another size than kGroupSize: steps of 1,024, 256 and 64 rollouts.
std::vector<std::uint32_t> batches_of(const Variant& variant, std::uint32_t group_size) {
  if (group_size == kGroupSize) return variant.batches;
  std::vector<std::uint32_t> batches;
  for (const std::uint32_t rollouts : {1024u, 256u, 64u})
    batches.push_back(std::max(1u, rollouts / group_size));
  return batches;
}

Contender contender(const Variant& variant) {
  Contender out{.name = variant.name};
  AllocOptions alloc;
  AdvantageOptions adv;
  alloc.method = variant.method;
  alloc.group_size = kGroupSize;
  OptionList list = OptionList::of(alloc, "alloc");
  list.add(adv, "adv");
  for (const auto& [key, value] : variant.settings) list.set(key, value, variant.name);
  out.run.method = variant.method;
  out.run.group_size = static_cast<std::uint32_t>(alloc.group_size);
  out.run.budget = kBudget;
  out.batches = batches_of(variant, out.run.group_size);
  out.make_method = [alloc, adv] { return make_method(alloc, adv); };
  return out;
}

// METHOD:KEY=VALUE,.. under this text as its name.
Variant further_variant(const std::string& text) {
  const std::size_t colon = text.find(':');
  Variant out{text, text.substr(0, colon), {}};
  std::istringstream settings(colon == text.npos ? "" : text.substr(colon + 1));
  for (std::string setting; std::getline(settings, setting, ',');) {
    const std::size_t equals = setting.find('=');
    if (equals == setting.npos)
      throw Error(ErrorKind::Config, "--variant",
                  concat(text, " was given; METHOD:KEY=VALUE,.. is needed"));
    out.settings.emplace_back(setting.substr(0, equals), setting.substr(equals + 1));
  }
  return out;
}

// grpo first. Methods that the world cannot serve are named on standard error.
std::vector<Entrant> entrants(const Arguments& arguments) {
  std::vector<Entrant> all;
  const auto add = [&](const Variant& variant) {
    const auto& wanted = arguments.methods;
    // Without lengths there is nothing to prefer.
    const bool by_length = variant.name.find("length_power") != std::string::npos;
    if (by_length && arguments.lengths == sim::Lengths::Equal) return;
    const bool named = std::find(wanted.begin(), wanted.end(), variant.name) != wanted.end();
    if (!wanted.empty() && !named && variant.name != "grpo") return;
    Contender one = contender(variant);
    try {
      Controller(one.make_method(), {.method = variant.method, .host = sim::host_traits()});
      all.push_back({std::move(one), variant.lrs_per_octave});
    } catch (const Error& error) {
      std::fprintf(stderr, "%s is left out: %s\n", variant.name.c_str(), error.what());
    }
  };
  const auto is = [](const std::string& name) {
    return [name](const Variant& variant) { return variant.name == name; };
  };
  for (const MethodInfo& info : methods())
    if (std::none_of(kVariants.begin(), kVariants.end(), is(info.name)))
      add({info.name, info.name, {}});
  for (const Variant& variant : kVariants) add(variant);
  for (const Variant& variant : arguments.further) add(variant);
  return all;
}

// One method on one pool, its learning rate and batch chosen by one rule.
struct Cell {
  double lr = 0, batch = 0, at_edge = 0, lr_area = 0, collapsed = 0;
  std::vector<double> units, generated, finals, grpo_generated;

  template <class V>
  void numbers(V v) {
    for (double* x : {&lr, &batch, &at_edge, &lr_area, &collapsed}) v(*x);
    for (auto* list : {&units, &generated, &finals, &grpo_generated})
      for (double& x : *list) v(x);
  }
};
struct Rule {
  const char* name;
  sim::TuneBy by;
  std::uint64_t first_seed;  // of the fresh ones
};
constexpr Rule kRules[] = {{"best", sim::TuneBy::BestMean, 1000},
                           {"margin", sim::TuneBy::Margin, 2000}};
constexpr std::size_t kSeeds = 20;

Cell empty_cell() {
  Cell cell;
  for (auto* list : {&cell.units, &cell.generated, &cell.finals, &cell.grpo_generated})
    list->resize(kSeeds);
  return cell;
}

// Lines "world pool rule contender<TAB>numbers".
class Cache {
 public:
  explicit Cache(std::string path) : path_(std::move(path)) {
    std::ifstream in(path_);
    for (std::string line; std::getline(in, line);) {
      const std::size_t tab = line.find('\t');
      if (tab == std::string::npos) continue;
      std::istringstream text(line.substr(tab + 1));
      Cell cell = empty_cell();
      cell.numbers([&](double& x) { text >> x; });
      if (text) cells_[line.substr(0, tab)] = cell;
    }
  }
  const Cell* find(const std::string& key) const {
    const auto found = cells_.find(key);
    return found == cells_.end() ? nullptr : &found->second;
  }
  void add(const std::string& key, Cell cell) {
    cells_[key] = cell;
    if (path_.empty()) return;
    std::ofstream out(path_, std::ios::app);
    out.precision(12);
    out << key << '\t';
    cell.numbers([&](double& x) { out << x << ' '; });
    out << std::endl;
  }

 private:
  std::string path_;
  std::map<std::string, Cell> cells_;
};

// `grpo`: its cell on this pool, or nothing while that is being made.
Cell evaluate(const Entrant& who, const sim::TuningTable& table, const Rule& rule,
              const sim::WorldOptions& world, const Arguments& arguments, const Cell* grpo) {
  const auto choice = table.choose(rule.by);
  const auto runs = run_seeds(world, who.contender, choice.batch, choice.lr,
                              sim::seed_range(rule.first_seed, kSeeds), arguments.threads);
  Cell cell = empty_cell();
  cell.lr = choice.lr;
  cell.batch = choice.batch;
  cell.at_edge = choice.at_edge;
  const auto batch = std::find(table.batches.begin(), table.batches.end(), choice.batch);
  for (const auto& finals : table.finals[static_cast<std::size_t>(batch - table.batches.begin())])
    cell.lr_area += mean_estimate(finals).mean / static_cast<double>(table.lrs.size());
  for (std::size_t i = 0; i < kSeeds; ++i) {
    const sim::GrpoRun reference =
        grpo ? sim::GrpoRun{grpo->finals[i], grpo->grpo_generated[i]} : sim::grpo_run(runs[i]);
    const auto against = sim::against(runs[i], reference, kBudget);
    cell.units[i] = against.units;
    cell.generated[i] = against.generated;
    cell.finals[i] = runs[i].final_accuracy();
    cell.grpo_generated[i] = reference.generated;
    cell.collapsed += collapsed(runs[i]) / static_cast<double>(kSeeds);
  }
  return cell;
}

std::string with_interval(const std::vector<double>& values, int decimals) {
  const Estimate e = mean_estimate(values);
  return concat(fixed_text(e.mean, decimals), "±", fixed_text(e.mean - e.interval->low, decimals));
}

// Over all pools, seed by seed: geometric means of the two costs, means of the rest.
Cell overall(const std::vector<Cell>& cells) {
  Cell all = empty_cell();
  std::fill(all.units.begin(), all.units.end(), 1);
  std::fill(all.generated.begin(), all.generated.end(), 1);
  const auto n = static_cast<double>(cells.size());
  for (const Cell& cell : cells) {
    all.collapsed += cell.collapsed / n;
    all.lr_area += cell.lr_area / n;
    for (std::size_t i = 0; i < kSeeds; ++i) {
      all.units[i] *= std::pow(std::max(cell.units[i], 1e-3), 1 / n);
      all.generated[i] *= std::pow(std::max(cell.generated[i], 1e-3), 1 / n);
      all.finals[i] += cell.finals[i] / n;
    }
  }
  return all;
}

std::string key_of(const Arguments& arguments, Pool pool, const Rule& rule, const Entrant& who) {
  return concat(name(arguments.lengths), " ", name(pool), " ", rule.name, " ", who.name());
}

// Fills the cache with what is missing; all methods are tuned once for both rules.
void measure(const Arguments& arguments, const std::vector<Entrant>& all, Cache& cache) {
  for (const Pool pool : arguments.pools) {
    const sim::WorldOptions world{.pool = pool, .lengths = arguments.lengths};
    for (const Entrant& who : all) {
      const auto finished = [&](const Rule& rule) {
        return cache.find(key_of(arguments, pool, rule, who)) != nullptr;
      };
      if (std::all_of(std::begin(kRules), std::end(kRules), finished)) continue;
      std::fprintf(stderr, "%s %s\n", name(pool), who.name().c_str());
      const sim::TuningGrid grid{sim::powers_of_two(-4, 1, who.lrs_per_octave),
                                 sim::seed_range(100, 8)};
      const auto table = tune(world, who.contender, grid, arguments.threads);
      for (const Rule& rule : kRules) {
        const Cell* grpo = cache.find(key_of(arguments, pool, rule, all.front()));
        cache.add(key_of(arguments, pool, rule, who),
                  evaluate(who, table, rule, world, arguments, grpo));
      }
    }
  }
}

// A method's cells, one per pool, and what they amount to.
struct Line {
  std::string name;
  std::vector<Cell> cells;
  Cell all;
};

void print_table(const Arguments& arguments, const std::string& title,
                 const std::vector<Line>& lines, std::string (*text)(const Cell&)) {
  TextTable table;
  table.header = {"method"};
  for (const Pool pool : arguments.pools) table.header.emplace_back(name(pool));
  table.header.emplace_back("all pools");
  for (const Line& line : lines) {
    std::vector<std::string> row = {line.name};
    for (const Cell& cell : line.cells) row.push_back(text(cell));
    row.push_back(text(line.all));
    table.rows.push_back(std::move(row));
  }
  std::printf("%s\n\n%s\n", title.c_str(), markdown(table).c_str());
}

// Methods in the order of their compute over all pools.
void print_rule(const Arguments& arguments, const std::vector<Entrant>& all, const Cache& cache,
                const Rule& rule) {
  std::vector<Line> lines;
  for (const Entrant& who : all) {
    Line line{.name = who.name()};
    for (const Pool pool : arguments.pools)
      line.cells.push_back(*cache.find(key_of(arguments, pool, rule, who)));
    line.all = overall(line.cells);
    lines.push_back(std::move(line));
  }
  const auto mean_units = [](const Line& line) { return mean_estimate(line.all.units).mean; };
  std::stable_sort(lines.begin(), lines.end(),
                   [&](const Line& a, const Line& b) { return mean_units(a) < mean_units(b); });
  std::printf("### World `%s`, rule `%s`\n\n", name(arguments.lengths), rule.name);
  print_table(arguments, "Compute to GRPO's final accuracy, over GRPO's budget (1: not reached).",
              lines, [](const Cell& cell) { return with_interval(cell.units, 2); });
  print_table(arguments, "The same in generated responses alone, over those of GRPO's run.", lines,
              [](const Cell& cell) { return with_interval(cell.generated, 2); });
  print_table(arguments, "Final held-out accuracy, and runs that end below their start.", lines,
              [](const Cell& cell) {
                return with_interval(cell.finals, 3) +
                       (cell.collapsed > 0 ? ", " + percent_text(cell.collapsed) : "");
              });
  print_table(arguments,
              "Learning rate and prompts per step that tuning chose; mean accuracy over all "
              "learning rates.",
              lines, [](const Cell& cell) {
                std::string area = fixed_text(cell.lr_area, 3);
                if (cell.lr == 0) return area;  // over all pools
                return concat(fixed_text(cell.lr, 3), ", ", cell.batch,
                              cell.at_edge > 0 ? ", edge" : "", "; ", area);
              });
}

void print_learning(const Arguments& arguments) {
  Cache cache(arguments.cache);
  const auto all = entrants(arguments);
  measure(arguments, all, cache);
  for (const Rule& rule : kRules) print_rule(arguments, all, cache, rule);
}

void print_static(const Arguments& arguments) {
  const auto seeds = sim::seed_range(0, 10);
  const auto all = entrants(arguments);
  TextTable table;
  table.header = {"method"};
  for (const Pool pool : arguments.pools) table.header.emplace_back(name(pool));
  std::map<std::string, std::vector<std::string>> rows;
  for (const Pool pool : arguments.pools) {
    std::vector<double> base;
    for (const Entrant& who : all) {
      std::vector<double> rates;
      for (const sim::SimRun& run : run_seeds({.pool = pool, .lengths = arguments.lengths},
                                              who.contender, 64, 0, seeds, arguments.threads))
        rates.push_back(run.evidence_rate());
      if (base.empty()) base = rates;
      rows[who.name()].push_back(who.name() == "grpo" ? fixed_text(mean_estimate(base).mean, 4)
                                                      : ratio_text(paired_ratio(rates, base)));
      std::fprintf(stderr, "%s %s\n", name(pool), who.name().c_str());
    }
  }
  for (const Entrant& who : all) {
    std::vector<std::string> row = {who.name()};
    row.insert(row.end(), rows[who.name()].begin(), rows[who.name()].end());
    table.rows.push_back(std::move(row));
  }
  std::printf(
      "World `%s`, learning rate 0: evidence per unit of compute, relative to GRPO.\n\n%s\n",
      name(arguments.lengths), markdown(table).c_str());
}

}  // namespace
}  // namespace allot

int main(int argc, char** argv) {
  allot::Arguments arguments;
  std::string world = "equal";
  std::vector<std::string> pools, variants;
  CLI::App app("The methods compared in the simulated world, as Markdown.");
  app.add_option("--world", world, "lengths of answers: equal, default or split");
  app.add_option("--pools", pools, "separated by commas; all by default")->delimiter(',');
  app.add_option("--methods", arguments.methods, "names in the tables; grpo always takes part")
      ->delimiter(',');
  app.add_option(
      "--variant", variants,
      "METHOD:KEY=VALUE,..: takes part under this text; without --methods only these do");
  app.add_option("--threads", arguments.threads, "simulations at the same time")
      ->check(CLI::Range(1, 1 << 30));
  app.add_option("--cache", arguments.cache, "file of finished cells");
  app.add_flag("--static", arguments.only_static, "evidence per unit at learning rate 0 instead");
  return allot::bench::run_program(app, argc, argv, [&] {
    arguments.lengths = allot::sim::lengths_named(world);
    for (const std::string& text : variants) {
      arguments.further.push_back(allot::further_variant(text));
      arguments.methods.push_back(text);
    }
    if (!pools.empty()) arguments.pools.clear();
    for (const std::string& pool : pools) arguments.pools.push_back(allot::sim::pool_named(pool));
    if (arguments.only_static)
      allot::print_static(arguments);
    else
      allot::print_learning(arguments);
  });
}
