#include "allot/methods/parts/run_horizon.h"

#include <algorithm>
#include <cmath>

namespace allot {
namespace {

constexpr double kOpenEnded = 500;  // rounds of CERO's published runs

}  // namespace

void RunHorizon::open(const BatchView& view, std::uint32_t group_size) {
  const Budget& budget = view.budget;
  const std::uint64_t groups = std::uint64_t{budget.groups} * group_size;
  const auto step = static_cast<double>(budget.rollouts > 0 ? budget.rollouts : groups);
  std::optional<double> rounds;
  if (budget.run_steps)  // what is left of it, from this step on; past the end: as long as it lasts
    rounds = static_cast<double>(std::max<std::uint64_t>(1, *budget.run_steps)) +
             static_cast<double>(view.step);
  if (budget.run_rollouts && !given_) given_ = *budget.run_rollouts + spent_;
  limited_ = budget.run_rollouts || rounds;
  if (budget.run_rollouts) {
    rollouts_ = static_cast<double>(*given_);
    rounds_ = rounds.value_or(std::max(1.0, std::ceil(rollouts_ / std::max(1.0, step))));
    left_ = *budget.run_rollouts;
  } else {
    rounds_ = rounds.value_or(kOpenEnded);
    rollouts_ = rounds_ * step;
    const auto all = static_cast<std::uint64_t>(rollouts_);
    left_ = rounds ? all - std::min(all, spent_) : std::numeric_limits<std::uint64_t>::max();
  }
}

void RunHorizon::close(std::uint64_t rollouts) {
  spent_ += rollouts;
  ++closed_;
}

double RunHorizon::rounds_after_this() const {
  return std::max(0.0, rounds_ - 1 - static_cast<double>(closed_));
}

double RunHorizon::surplus() const {
  return static_cast<double>(spent_) - mean() * static_cast<double>(closed_);
}

}  // namespace allot
