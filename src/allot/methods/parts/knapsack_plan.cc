#include "allot/methods/parts/knapsack_plan.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "allot/methods/parts/heap_planner.h"

namespace allot {
namespace {

using Prompts = std::vector<std::size_t>;

std::vector<std::uint64_t> places_of(const Prompts& prompts,
                                     std::span<const std::uint64_t> tie_order) {
  std::vector<std::uint64_t> places;
  for (const std::size_t i : prompts) places.push_back(tie_order[i]);
  return places;
}

class Planner {
 public:
  Planner(std::span<const std::optional<double>> rates, const KnapsackRule& rule,
          std::span<const std::uint64_t> tie_order)
      : rates_(rates), rule_(rule), tie_order_(tie_order) {
    for (std::size_t i = 0; i < rates.size(); ++i) {
      all_.push_back(i);
      (!rates[i] || *rates[i] == 1 ? others_ : *rates[i] == 0 ? dead_ : informative_).push_back(i);
    }
  }

  KnapsackPlan plan(std::uint64_t budget) {
    set_base(budget);
    out_.informative = static_cast<std::uint32_t>(informative_.size());
    std::uint64_t rest = out_.rest = budget - spent();
    if (informative_.empty()) {
      out_.surplus = rest;
      if (dead_.empty()) out_.n = even_split(budget, tie_order_);
      share(rest, dead_);
    } else {
      for (const std::size_t i : informative_) out_.need += usable(*rates_[i]);
      if (out_.need < rest) {
        out_.surplus = rest - out_.need;
        share(out_.surplus, !dead_.empty() ? dead_ : others_);
      }
      share_by_value(budget - spent());
    }
    share(budget - spent(), informative_);  // what bounds have left over
    share(budget - spent(), all_);
    return std::move(out_);
  }

 private:
  std::uint64_t spent() const {
    return std::accumulate(out_.n.begin(), out_.n.end(), std::uint64_t{0});
  }

  void set_base(std::uint64_t budget) {
    for (const std::optional<double>& p : rates_)
      out_.n.push_back(std::min(rule_.max_n, !p        ? rule_.n
                                             : *p == 0 ? rule_.negative_n
                                             : *p == 1 ? rule_.positive_n
                                                       : rule_.min_n));
    out_.base_lowered = spent() > budget;
    if (out_.base_lowered) std::fill(out_.n.begin(), out_.n.end(), rule_.min_n);
  }

  std::uint64_t usable(double p) const {
    return static_cast<std::uint64_t>(
        std::min<double>(rule_.max_n, useful_ceiling(p, rule_.confidence)));
  }

  // Evenly over `prompts` as far as max_n lets: level by level.
  void share(std::uint64_t amount, const Prompts& prompts) {
    while (amount > 0) {
      Prompts open;
      for (const std::size_t i : prompts)
        if (out_.n[i] < rule_.max_n) open.push_back(i);
      if (open.empty()) return;
      const auto parts = even_split(amount, places_of(open, tie_order_));
      for (std::size_t k = 0; k < open.size(); ++k) {
        const std::uint32_t taken = std::min(parts[k], rule_.max_n - out_.n[open[k]]);
        out_.n[open[k]] += taken;
        amount -= taken;
      }
    }
  }

  void share_by_value(std::uint64_t amount) {
    const std::uint64_t room = (std::uint64_t{rule_.max_n} - rule_.min_n) * informative_.size();
    const auto gain = [&](std::size_t k, std::uint32_t n) {
      const double p = *rates_[informative_[k]];
      return rule_.released && n == rule_.min_n + 1 ? knapsack_value(n, p) : knapsack_gain(n, p);
    };
    const auto n =
        split_budget(gain, {rule_.min_n, rule_.max_n},
                     std::uint64_t{rule_.min_n} * informative_.size() + std::min(amount, room),
                     places_of(informative_, tie_order_));
    for (std::size_t k = 0; k < n.size(); ++k) out_.n[informative_[k]] = n[k];
  }

  std::span<const std::optional<double>> rates_;
  const KnapsackRule& rule_;
  std::span<const std::uint64_t> tie_order_;
  Prompts all_, informative_, dead_, others_;  // others: solved, or without history
  KnapsackPlan out_;
};

}  // namespace

double knapsack_value(double n, double p) {
  return (1 - std::pow(p, n) - std::pow(1 - p, n)) * p * (1 - p) * (1 - p);
}

double knapsack_gain(std::uint32_t n, double p) {
  const double before = n - 1.0, q = 1 - p;
  return (std::pow(p, before) * q + std::pow(q, before) * p) * p * q * q;
}

double useful_ceiling(double p, double confidence) {
  return std::log(1 - confidence) / std::log(std::max(p, 1 - p));
}

KnapsackPlan knapsack_plan(std::span<const std::optional<double>> rates, const KnapsackRule& rule,
                           std::uint64_t budget, std::span<const std::uint64_t> tie_order) {
  return Planner(rates, rule, tie_order).plan(budget);
}

}  // namespace allot
