#include "allot/core/step_metrics.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "allot/core/prompt_table.h"

namespace allot {
namespace {

// Mean, population deviation and extremes of a stream of numbers.
class Summary {
 public:
  void add(double x) {
    low_ = n_ == 0 ? x : std::min(low_, x);
    high_ = n_ == 0 ? x : std::max(high_, x);
    ++n_;
    const double delta = x - mean_;  // Welford
    mean_ += delta / static_cast<double>(n_);
    squares_ += delta * (x - mean_);
  }
  bool empty() const { return n_ == 0; }
  double mean() const { return mean_; }
  double deviation() const { return std::sqrt(squares_ / static_cast<double>(n_)); }
  double low() const { return low_; }
  double high() const { return high_; }

 private:
  std::uint64_t n_ = 0;
  double mean_ = 0, squares_ = 0, low_ = 0, high_ = 0;
};

bool generated(const Outcome& outcome) {
  return outcome.status == Status::Ok || outcome.status == Status::Truncated;
}

// "0", "1", "2", "3-4", "5-8", ..: the numbers of rollouts in a bin.
std::string n_bin_name(std::size_t bin) {
  if (bin < 3) return std::to_string(bin);
  const std::uint64_t last = std::uint64_t{1} << (bin - 1);
  return std::to_string(last / 2 + 1) + "-" + std::to_string(last);
}

// Bins of a prompt's weight relative to the mean, a factor of two wide; the middle one holds those
// that weigh about as much as the others.
struct WeightBin {
  std::string_view name;
  double above;  // lower edge
};
constexpr std::array kWeightBins = {
    WeightBin{"alloc/prompt_weight_hist/0-0.35", 0},
    WeightBin{"alloc/prompt_weight_hist/0.35-0.71", 0.35355339059327379},
    WeightBin{"alloc/prompt_weight_hist/0.71-1.41", 0.70710678118654757},
    WeightBin{"alloc/prompt_weight_hist/1.41-2.83", 1.4142135623730951},
    WeightBin{"alloc/prompt_weight_hist/2.83-", 2.8284271247461903}};

class StepMetrics {
 public:
  StepMetrics(const StepFacts& facts, std::vector<Metric>& out) : f_(facts), out_(out) {}

  void run() {
    rewards();
    triad();
    zero_causes();
    spending("", f_.step);
    spending("_total", f_.run);
    allocation();
    budget();
    batch();
    lengths();
    verifier();
    ledger();
    out_.resize(used_);
  }

 private:
  void put_joined(std::initializer_list<std::string_view> name, double value) {
    if (used_ == out_.size()) out_.emplace_back();
    Metric& metric = out_[used_++];
    metric.name.clear();
    for (const std::string_view part : name) metric.name += part;
    metric.value = value;
  }
  void put(std::string_view name, double value) { put_joined({name}, value); }
  void put_count(std::string_view name, std::uint64_t value) {
    put(name, static_cast<double>(value));
  }
  void put_extremes(std::string_view prefix, const Summary& s) {
    if (s.empty()) return;
    put_joined({prefix, "mean"}, s.mean());
    put_joined({prefix, "min"}, s.low());
    put_joined({prefix, "max"}, s.high());
  }
  template <class Visit>
  void each_outcome(Visit visit) const {
    for (const PlannedPrompt& planned : f_.planned)
      for (const Outcome& outcome : planned.outcomes) visit(outcome);
  }

  void rewards();
  void triad();
  void zero_causes();
  void spending(std::string_view suffix, const Spending& spending);
  void allocation();
  void budget();
  void batch();
  void prompt_weights();
  void lengths();
  void verifier();
  void ledger();

  const StepFacts& f_;
  std::vector<Metric>& out_;
  std::size_t used_ = 0;  // of out_
};

void StepMetrics::rewards() {
  Summary first, every, shipped;
  each_outcome([&](const Outcome& outcome) {
    if (outcome.scoring != Scoring::Scored) return;
    every.add(outcome.reward);
    if (outcome.round == 0 && outcome.behaviour == f_.policy) first.add(outcome.reward);
  });
  for (const ShippedRollout& rollout : f_.shipped) shipped.add(rollout.reward);
  if (!first.empty()) put("reward/first_round", first.mean());
  if (!every.empty()) {
    put("reward/mean", every.mean());
    put("reward/std", every.deviation());
  }
  if (!shipped.empty()) put("reward/shipped", shipped.mean());
}

// By correctness, over the planned prompts with a scored outcome; the three shares add up to 1.
void StepMetrics::triad() {
  std::uint64_t good = 0, bad = 0, groups = 0;
  for (const PlannedPrompt& planned : f_.planned) {
    std::size_t scored = 0, correct = 0;
    for (const Outcome& outcome : planned.outcomes) {
      scored += outcome.scoring == Scoring::Scored;
      correct += outcome.correct;
    }
    if (scored == 0) continue;
    ++groups;
    good += correct == scored;
    bad += correct == 0;
  }
  if (groups == 0) return;
  const auto n = static_cast<double>(groups);
  put("group/frac_mixed", static_cast<double>(groups - good - bad) / n);
  put("group/frac_all_good", static_cast<double>(good) / n);
  put("group/frac_all_bad", static_cast<double>(bad) / n);
}

void StepMetrics::zero_causes() {
  if (f_.planned.empty()) return;
  std::array<std::uint64_t, 256> counts{};  // by cause
  for (const GroupReport& report : f_.batch.reports)
    if (find_planned(f_.planned, report.prompt)) ++counts[static_cast<std::size_t>(report.cause)];
  const auto count = [&](ZeroCause cause) { return counts[static_cast<std::size_t>(cause)]; };

  const auto n = static_cast<double>(f_.planned.size());
  for (const ZeroCause cause : {ZeroCause::AllRight, ZeroCause::AllWrong, ZeroCause::Tie,
                                ZeroCause::Single, ZeroCause::Truncated, ZeroCause::NoAnswer})
    put_joined({"group/zero_cause/", name(cause)}, static_cast<double>(count(cause)) / n);
  const std::uint64_t errors = count(ZeroCause::VerifierError);
  const std::uint64_t failures = count(ZeroCause::GenerationFailed);
  put("group/zero_cause/unscorable",
      static_cast<double>(count(ZeroCause::Unscorable) + errors + failures) / n);
  put_count("group/verifier_error", errors);
  put_count("group/generation_failed", failures);
}

void StepMetrics::spending(std::string_view suffix, const Spending& s) {
  const std::pair<const char*, const Amount&> kinds[] = {
      {"generated", s.generated}, {"trained", s.trained}, {"discarded", s.discarded}};
  for (const auto& [kind, amount] : kinds) {
    put_joined({"rollouts/", kind, suffix}, static_cast<double>(amount.rollouts));
    put_joined({"tokens/", kind, suffix}, static_cast<double>(amount.tokens));
  }
}

void StepMetrics::allocation() {
  Summary n;
  std::uint32_t rounds = 0;
  std::vector<std::uint64_t> bins;  // 0, 1, 2, 3-4, 5-8, ..
  for (const PlannedPrompt& planned : f_.planned) {
    n.add(planned.issued);
    const auto bin =
        static_cast<std::size_t>(planned.issued == 0 ? 0 : 1 + std::bit_width(planned.issued - 1));
    if (bin >= bins.size()) bins.resize(bin + 1);
    ++bins[bin];
    rounds = std::max(rounds, planned.requests);
  }
  put_extremes("alloc/n_", n);
  for (std::size_t bin = 0; bin < bins.size(); ++bin)
    put_joined({"alloc/n_hist/", n_bin_name(bin)}, static_cast<double>(bins[bin]));
  put_count("alloc/rounds", rounds);
  if (f_.given.rollouts > 0) put_count("alloc/unspent", f_.left.rollouts);
  put_count("alloc/admitted", static_cast<std::uint64_t>(std::count_if(
                                  f_.batch.reports.begin(), f_.batch.reports.end(),
                                  [](const GroupReport& report) { return report.admitted; })));
}

// Of hard caps only; the run's cap where there is one, else the step's.
void StepMetrics::budget() {
  if (f_.left.run_rollouts)
    put_count("alloc/budget_left_rollouts", *f_.left.run_rollouts);
  else if (f_.left.hard_rollouts)
    put_count("alloc/budget_left_rollouts", *f_.left.hard_rollouts);
  if (f_.left.hard_tokens) put_count("alloc/budget_left_tokens", *f_.left.hard_tokens);
}

void StepMetrics::batch() {
  if (f_.batch.items.empty()) return;
  Summary size;
  for (const TrainItem& item : f_.batch.items) size.add(std::abs(item.advantage));
  put("advantage/abs_mean", size.mean());
  prompt_weights();
}

void StepMetrics::prompt_weights() {
  PromptTable<double> weights;
  for (const TrainGroup& group : f_.batch.groups) {
    double& weight = weights[group.prompt];
    for (std::uint32_t i = group.first; i < group.first + group.count; ++i) {
      // Without a length divisor an item's tokens are averaged; under PerToken they are summed.
      const bool summed = f_.batch.norm == Norm::PerToken || f_.batch.length_divisor > 0;
      const double length = summed ? f_.shipped[i].tokens : 1.0;
      const double share = f_.batch.norm == Norm::PerGroup ? 1.0 / group.count : 1.0;
      weight += f_.batch.items[i].weight * length * share;
    }
  }
  std::vector<double> sorted;
  sorted.reserve(weights.size());
  double sum = 0;
  for (const auto& [prompt, w] : weights) {
    sorted.push_back(w);
    sum += w;
  }
  if (!(sum > 0)) return;
  std::sort(sorted.begin(), sorted.end());
  const std::size_t n = sorted.size();
  const double mean = sum / static_cast<double>(n);
  put("alloc/prompt_weight_min", sorted.front() / mean);
  put("alloc/prompt_weight_median", (sorted[(n - 1) / 2] + sorted[n / 2]) / 2 / mean);
  put("alloc/prompt_weight_max", sorted.back() / mean);
  const auto below = [&](double edge) {
    return std::lower_bound(sorted.begin(), sorted.end(), edge * mean);
  };
  for (std::size_t bin = 0; bin < kWeightBins.size(); ++bin) {
    const auto last =
        bin + 1 < kWeightBins.size() ? below(kWeightBins[bin + 1].above) : sorted.end();
    put_count(kWeightBins[bin].name,
              static_cast<std::uint64_t>(last - below(kWeightBins[bin].above)));
  }
}

void StepMetrics::lengths() {
  Summary every, terminated;
  std::uint64_t rollouts = 0, truncated = 0;
  each_outcome([&](const Outcome& outcome) {
    if (!generated(outcome)) return;
    ++rollouts;
    every.add(outcome.tokens);
    if (outcome.status == Status::Ok)
      terminated.add(outcome.tokens);
    else
      ++truncated;
  });
  put_extremes("length/", every);
  put_extremes("length/terminated_", terminated);
  if (rollouts > 0)
    put("length/truncated_frac", static_cast<double>(truncated) / static_cast<double>(rollouts));
}

void StepMetrics::verifier() {
  std::uint64_t correct = 0, wrong = 0, no_answer = 0, not_scorable = 0, error = 0, rollouts = 0;
  each_outcome([&](const Outcome& outcome) {
    if (!generated(outcome)) return;
    ++rollouts;
    error += outcome.scoring == Scoring::VerifierError;
    not_scorable += outcome.scoring == Scoring::NotScorable;
    if (outcome.scoring != Scoring::Scored) return;
    correct += outcome.correct;
    wrong += !outcome.correct && outcome.parsed;
    no_answer += !outcome.correct && !outcome.parsed;
  });
  if (rollouts == 0) return;
  put_count("verifier/correct", correct);
  put_count("verifier/wrong", wrong);
  put_count("verifier/no_answer", no_answer);
  put_count("verifier/not_scorable", not_scorable);
  put_count("verifier/error", error);
}

void StepMetrics::ledger() {
  const Ledger::Counts counts = f_.ledger.counts();
  put_count("ledger/dead", counts.dead);
  put_count("ledger/solved", counts.solved);
  put_count("ledger/mixed", counts.mixed);
  const std::uint64_t seen = counts.dead + counts.solved + counts.mixed;
  if (f_.data_size >= seen && f_.data_size > 0) put_count("ledger/unseen", f_.data_size - seen);
}

}  // namespace

void step_metrics(const StepFacts& facts, std::vector<Metric>& metrics) {
  StepMetrics(facts, metrics).run();
}

}  // namespace allot
