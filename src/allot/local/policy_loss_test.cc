#include "allot/local/policy_loss.h"

#include <cmath>

#include <ATen/ops/empty.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "allot/core/random.h"
#include "allot/objective/reference.h"
#include "allot/objective/testing/golden.h"

namespace allot {
namespace {

using objective::LossOptions;
using objective::LossRow;

template <class T>
at::Tensor tensor(const std::vector<T>& values, at::ScalarType type) {
  at::Tensor out = at::empty({static_cast<std::int64_t>(values.size())}, at::kDouble);
  for (std::size_t i = 0; i < values.size(); ++i)
    out.data_ptr<double>()[i] = static_cast<double>(values[i]);
  return out.to(type);
}

std::vector<double> host(const at::Tensor& x) {
  const at::Tensor wide = x.detach().to(at::kDouble).contiguous();
  return {wide.data_ptr<double>(), wide.data_ptr<double>() + wide.numel()};
}

struct Tensors {
  at::Tensor logprob;
  PolicyTargets targets;
};

// The rows' tokens one after the other; rows without tokens have no target.
Tensors tensors_of(const std::vector<LossRow>& rows, const std::vector<double>& omega,
                   at::ScalarType type) {
  std::vector<double> logprob, anchor, advantage, scale;
  std::vector<int> own, item;
  int items = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const LossRow& row = rows[i];
    if (row.logprob.empty()) continue;
    const auto& given = row.anchor == Anchor::Behaviour ? row.rollout : row.old;
    for (std::size_t t = 0; t < row.logprob.size(); ++t) {
      logprob.push_back(row.logprob[t]);
      anchor.push_back(given.empty() ? 0 : given[t]);
      own.push_back(given.empty());
      advantage.push_back(row.advantage);
      scale.push_back(omega[i] * row.weight);
      item.push_back(items);
    }
    ++items;
  }
  Tensors out;
  out.logprob = tensor(logprob, type);
  out.targets = {tensor(anchor, type), tensor(own, at::kBool),  tensor(advantage, type),
                 tensor(scale, type),  tensor(item, at::kLong), items};
  return out;
}

std::vector<double> omega_of(const std::vector<LossRow>& rows,
                             const objective::Normalizer& normalizer) {
  std::vector<objective::RowSize> sizes;
  for (const LossRow& row : rows)
    sizes.push_back({row.group, static_cast<std::uint32_t>(row.logprob.size())});
  return objective::token_weights(normalizer, sizes);
}

std::vector<double> flat(const std::vector<std::vector<double>>& rows) {
  std::vector<double> out;
  for (const auto& row : rows) out.insert(out.end(), row.begin(), row.end());
  return out;
}

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    size += b[i] * b[i];
  }
  return std::sqrt(difference / std::max(size, 1e-300));
}

// Both modes of the tensor form against the reference.
void expect_equal_to_reference(const LossOptions& options, const std::vector<LossRow>& rows,
                               const objective::Normalizer& normalizer, at::ScalarType type,
                               double tolerance) {
  const std::vector<double> omega = omega_of(rows, normalizer);
  const objective::LossResult expected = objective::reference_loss(options, rows, omega);
  Tensors x = tensors_of(rows, omega, type);
  const PolicyLossGradient found = policy_loss_gradient(options, x.logprob, x.targets);
  EXPECT_NEAR(found.sums.loss, expected.loss, tolerance * (1 + std::abs(expected.loss)));
  EXPECT_LT(distance(host(found.gradient), flat(expected.gradient)), tolerance);

  x.logprob.requires_grad_();
  const at::Tensor value = policy_loss_value(options, x.logprob, x.targets);
  value.backward();
  EXPECT_NEAR(value.item<double>(), expected.loss, tolerance * (1 + std::abs(expected.loss)));
  EXPECT_LT(distance(host(x.logprob.grad()), flat(expected.gradient)), tolerance);
}

TEST(PolicyLoss, EqualsTheReferenceOnTheGoldenCases) {
  for (const objective::GoldenLoss& golden : objective::golden_losses()) {
    SCOPED_TRACE(golden.name);
    expect_equal_to_reference(golden.options, golden.rows, golden.normalizer, at::kDouble, 1e-12);
    expect_equal_to_reference(golden.options, golden.rows, golden.normalizer, at::kFloat, 2e-6);
  }
}

std::vector<LossRow> random_rows(std::uint64_t seed) {
  RandomStream random({seed, RandomUse::Test});
  std::vector<LossRow> rows(12);
  for (LossRow& row : rows) {
    row.group = static_cast<std::uint32_t>(random.below(3));
    row.advantage = random.normal();
    row.weight = 0.5 + random.uniform();
    const std::uint64_t kind = random.below(3);
    row.anchor = kind == 0 ? Anchor::Behaviour : Anchor::StepStart;
    for (std::uint64_t t = random.below(9); t > 0; --t) {
      row.logprob.push_back(-3 * random.uniform());
      row.rollout.push_back(row.logprob.back() + 0.5 * random.normal());
      if (kind == 1) row.old.push_back(row.logprob.back() + 0.5 * random.normal());
    }
  }
  rows[0].logprob = {-1.0};  // at least one token
  rows[0].rollout = rows[0].old = {-1.3};
  return rows;
}

RC_GTEST_PROP(PolicyLoss, EqualsTheReferenceOnRandomRows, ()) {
  const std::vector<LossRow> rows = random_rows(*rc::gen::arbitrary<std::uint64_t>());
  LossOptions options;
  switch (*rc::gen::inRange(0, 4)) {
    case 1:
      options.dual_clip_c = 1.1;
      break;
    case 2:
      options.ratio_cap = 1.4;
      break;
    case 3:
      options.log_ratio_clamp = 0.3;
      break;
    default:
      break;
  }
  for (const objective::Normalizer& normalizer :
       {objective::Normalizer{objective::Aggregation::TokenMean},
        objective::Normalizer{objective::Aggregation::SeqMeanTokenMean, 20, 8},
        objective::Normalizer{objective::Aggregation::PromptMean}})
    expect_equal_to_reference(options, rows, normalizer, at::kDouble, 1e-12);
}

TEST(PolicyLoss, ReportsTheSumsAndItemsOfTheReference) {
  const std::vector<LossRow> rows = random_rows(3);
  LossOptions options;
  options.dual_clip_c = 1.5;
  const std::vector<double> omega = omega_of(rows, {objective::Aggregation::TokenMean});
  const auto expected = objective::reference_loss(options, rows, omega);
  const Tensors x = tensors_of(rows, omega, at::kDouble);
  const PolicyLossGradient found = policy_loss_gradient(options, x.logprob, x.targets);
  EXPECT_EQ(found.sums.tokens, expected.sums.tokens);
  EXPECT_EQ(found.sums.clipped_low, expected.sums.clipped_low);
  EXPECT_EQ(found.sums.clipped_high, expected.sums.clipped_high);
  EXPECT_EQ(found.sums.clipped_corner, expected.sums.clipped_corner);
  EXPECT_GT(expected.sums.clipped_low + expected.sums.clipped_corner, 0);
  EXPECT_NEAR(found.sums.k1, expected.sums.k1, 1e-12);
  EXPECT_NEAR(found.sums.k3, expected.sums.k3, 1e-12);
  EXPECT_NEAR(found.sums.max_log_ratio, expected.sums.max_log_ratio, 1e-12);
  std::size_t item = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].logprob.empty()) continue;
    EXPECT_NEAR(found.items[item].ratio, expected.items[i].ratio, 1e-12);
    EXPECT_NEAR(found.items[item].clip_fraction, expected.items[i].clip_fraction, 1e-12);
    ++item;
  }
  EXPECT_EQ(item, found.items.size());
}

}  // namespace
}  // namespace allot
