#include "allot/methods/parts/arm_scheduler.h"

#include <algorithm>

#include "allot/methods/parts/choosing.h"

namespace allot {
namespace {

constexpr std::uint32_t kHidden = 64;

double entropy_rise(const RoundMeans& from, const RoundMeans& to, double entropy_min) {
  return from.entropy > entropy_min ? to.entropy - from.entropy : 0;
}

}  // namespace

double arm_reward(const RoundMeans& from, const RoundMeans& to, double entropy_weight,
                  double entropy_min) {
  return to.reward - from.reward - entropy_weight * entropy_rise(from, to, entropy_min);
}

void ArmScheduler::open(std::uint64_t seed) {
  if (network_.empty())
    network_.init({kArmFeatures, kHidden, kHidden, 1}, choice_stream(seed, 0, 0));
}

void ArmScheduler::settle(Version policy, const std::optional<RoundMeans>& means) {
  last_reward_.reset(), last_penalty_.reset(), fit_loss_.reset(), constant_loss_.reset();
  std::vector<Round> still_waiting;
  for (Round& round : waiting_) {
    if (!round.after || *round.after > policy) {
      still_waiting.push_back(std::move(round));
    } else if (means) {
      round.reward = arm_reward(round.means, *means, options_.entropy_weight, options_.entropy_min);
      last_reward_ = round.reward;
      last_penalty_ =
          options_.entropy_weight * entropy_rise(round.means, *means, options_.entropy_min);
      history_.push_back(std::move(round));
      ++rewarded_;
    }
  }
  waiting_ = std::move(still_waiting);
  const auto most = static_cast<std::size_t>(options_.fit_rounds);
  if (history_.size() > most)
    history_.erase(history_.begin(), history_.end() - static_cast<std::ptrdiff_t>(most));
  if (last_reward_) fit();
}

void ArmScheduler::fit() {
  FitData data{kArmFeatures, {}, {}};
  double sum = 0, squares = 0;
  for (const Round& round : history_)
    for (std::size_t i = 0; i < round.features.size(); i += kArmFeatures) {
      ArmFeatures raw{};
      std::copy_n(round.features.begin() + static_cast<std::ptrdiff_t>(i), kArmFeatures,
                  raw.begin());
      const ArmFeatures x = moments_.standardised(raw);
      data.inputs.insert(data.inputs.end(), x.begin(), x.end());
      data.targets.push_back(round.reward);
      sum += round.reward, squares += round.reward * round.reward;
    }
  if (data.targets.empty()) return;
  const auto n = static_cast<double>(data.targets.size());
  constant_loss_ = std::max(0.0, squares / n - sum / n * (sum / n));
  fit_loss_ = network_.fit(data, {.learning_rate = options_.learning_rate});
}

std::vector<double> ArmScheduler::scores(std::span<const Arm> arms, std::uint64_t round) {
  for (const Arm& arm : arms) moments_.add(features_of(arm, round));
  std::vector<double> inputs;
  for (const Arm& arm : arms) {
    const ArmFeatures x = moments_.standardised(features_of(arm, round));
    inputs.insert(inputs.end(), x.begin(), x.end());
  }
  return network_.forward(inputs);
}

void ArmScheduler::select(std::uint64_t round, const RoundMeans& means,
                          std::span<const Arm* const> selected) {
  Round entry{.round = round, .means = means};
  for (const Arm* arm : selected) {
    const ArmFeatures features = features_of(*arm, round);
    entry.features.insert(entry.features.end(), features.begin(), features.end());
  }
  waiting_.push_back(std::move(entry));
}

void ArmScheduler::feedback(std::uint64_t round, bool updated, Version after) {
  std::erase_if(waiting_, [&](const Round& entry) { return entry.round == round && !updated; });
  for (Round& entry : waiting_)
    if (entry.round == round) entry.after = after;
}

void ArmScheduler::report(MetricList& metrics) const {
  if (last_reward_) metrics.set("R", *last_reward_);
  if (last_penalty_) metrics.set("entropy_penalty", *last_penalty_);
  if (fit_loss_) metrics.set("fit_loss", *fit_loss_);
  if (constant_loss_) metrics.set("fit_loss_constant", *constant_loss_);
}

}  // namespace allot
