#include "allot/sim/learner.h"

#include <cmath>

#include "allot/core/error.h"
#include "allot/core/random.h"

namespace allot::sim {
namespace {

constexpr double kMomentum = 0.9, kSecondMoment = 0.99;
// RandomKey::seq of the draws.
constexpr std::uint32_t kUpdateNoise = 1, kProbeNoise = 16;

double outer_normaliser(const TrainBatch& batch) {
  switch (batch.norm) {
    case Norm::PerToken:  // a rollout is one unit, however long
    case Norm::PerRollout:
      return static_cast<double>(batch.items.size());
    case Norm::PerGroup:
      return static_cast<double>(batch.groups.size());
    case Norm::Fixed:
      return batch.fixed;
  }
  return 1;
}

}  // namespace

std::vector<double> item_coefficients(const TrainBatch& batch) {
  std::vector<double> c(batch.items.size());
  const double z = outer_normaliser(batch);
  for (const TrainGroup& group : batch.groups) {
    const double share = batch.norm == Norm::PerGroup ? 1.0 / group.count : 1.0;
    for (std::uint32_t i = group.first; i < group.first + group.count; ++i)
      c[i] = double{batch.items[i].weight} * double{batch.items[i].advantage} * share / z;
  }
  return c;
}

Feedback SimLearner::update(const TrainBatch& batch, const RolloutStore& store) {
  Feedback feedback;
  feedback.before = policy_.version();
  std::vector<double> rewards;
  for (const TrainItem& item : batch.items) {
    const StoredRollout& stored = store.get(item.rollout);
    rewards.push_back(stored.score.correct ? 1 : 0);
    cost_.trained += stored.rollout.length();
    feedback.items.push_back({item.rollout, 1, 0});
  }
  const std::vector<double> c = item_coefficients(batch);
  gradient_ = {};
  signal_ = noise_ = 0;
  double reward = 0;
  for (const TrainGroup& group : batch.groups) {
    const double p = policy_.pass_rate(group.prompt);
    double sum = 0;
    for (std::uint32_t i = group.first; i < group.first + group.count; ++i) {
      sum += c[i] * (rewards[i] - p);
      noise_ += c[i] * c[i];
      reward += rewards[i];
    }
    signal_ += sum;
    add_gradient(gradient_, sum, policy_.world(), group.prompt);
  }
  add_noise(gradient_, noise_, kUpdateNoise);
  feedback.probe = probe(batch, store);
  step();
  feedback.mean_reward = static_cast<float>(reward / static_cast<double>(batch.items.size()));
  feedback.after = policy_.version();
  feedback.updated = true;
  return feedback;
}

void SimLearner::add_noise(Parameters& to, double power, std::uint32_t key) const {
  const double scale =
      std::sqrt(power * policy_.world().options().noise / (kSkills + kIdiosyncratic));
  RandomStream random({seed_, RandomUse::Simulator, policy_.version(), 0, key});
  for (double& x : to.theta) x += scale * random.normal();
  for (double& x : to.psi) x += scale * random.normal();
}

SimLearner::Half SimLearner::half_of(const TrainBatch& batch, const RolloutStore& store,
                                     std::uint32_t place, bool first) {
  const TrainGroup& group = batch.groups[place];
  const std::uint32_t middle = group.first + group.count / 2, end = group.first + group.count;
  const double p = policy_.pass_rate(group.prompt);
  Half half;
  double scale = 0;
  for (std::uint32_t i = first ? group.first : middle; i < (first ? middle : end); ++i) {
    const StoredRollout& stored = store.get(batch.items[i].rollout);
    const double advantage = batch.items[i].advantage;
    scale += advantage * ((stored.score.correct ? 1 : 0) - p);
    half.sum += advantage;
    half.power += advantage * advantage;
    cost_.trained += stored.rollout.length();
  }
  add_gradient(half.gradient, scale, policy_.world(), group.prompt);
  add_noise(half.gradient, half.power, kProbeNoise + 2 * place + first);
  return half;
}

GradientProbe SimLearner::probe(const TrainBatch& batch, const RolloutStore& store) {
  GradientProbe probe;
  Parameters total;
  for (const std::uint32_t place : batch.probe) {
    const Half first = half_of(batch, store, place, true);
    const Half second = half_of(batch, store, place, false);
    Parameters sum = first.gradient;
    sum.add(1, second.gradient);
    total.add(1, sum);
    const double a = first.gradient.squared_length(), b = second.gradient.squared_length();
    probe.groups.push_back({.first_sum = first.sum,
                            .second_sum = second.sum,
                            .first_power = first.power,
                            .second_power = second.power,
                            .first_square = a,
                            .second_square = b,
                            .inner = (sum.squared_length() - a - b) / 2});
  }
  probe.sum_square = total.squared_length();
  return probe;
}

void SimLearner::step() {
  if (options_.optimizer == Optimizer::Sgd) return policy_.update(options_.lr, gradient_);
  Parameters decayed;
  decayed.add(kMomentum, momentum_);
  decayed.add(1 - kMomentum, gradient_);
  momentum_ = decayed;
  second_moment_ =
      kSecondMoment * second_moment_ + (1 - kSecondMoment) * gradient_.squared_length();
  const double t = policy_.version() + 1.0;
  const double m_hat = 1 / (1 - std::pow(kMomentum, t));
  const double v_hat = second_moment_ / (1 - std::pow(kSecondMoment, t));
  // A batch whose advantages are all 0 has no noise either: there is nothing to divide.
  policy_.update(v_hat > 0 ? options_.lr * m_hat / std::sqrt(v_hat) : 0, momentum_);
}

std::vector<Metric> SimLearner::metrics() const {
  return {{"sim/signal_to_noise", noise_ > 0 ? signal_ * signal_ / noise_ : 0}};
}

}  // namespace allot::sim
