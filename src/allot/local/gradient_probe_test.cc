// Probed gradients against every rollout's gradient by itself, in double precision by library
// operations on unpacked rows.
#include "allot/local/gradient_probe.h"

#include <cmath>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "allot/lm/forward.h"
#include "allot/local/testing/small_world.h"

namespace allot {
namespace {

using testing::BatchSpec;
using testing::SmallWorld;
using Vector = std::vector<double>;

double dot(const Vector& a, const Vector& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

void add(Vector& to, double scale, const Vector& other) {
  to.resize(other.size(), 0);
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += scale * other[i];
}

// s: the gradient of the log-probability of one response.
Vector score(const lm::Model& model, const std::vector<std::int32_t>& prompt,
             const std::vector<std::int32_t>& response) {
  const lm::Model view = model.training_view();
  lm::PackedRows rows;
  rows.tokens = prompt;
  rows.tokens.insert(rows.tokens.end(), response.begin(), response.end() - 1);
  rows.positions.resize(rows.tokens.size());
  std::iota(rows.positions.begin(), rows.positions.end(), 0);
  rows.segments = {{0, static_cast<std::int32_t>(rows.tokens.size()), 0, 0}};
  for (std::size_t t = 0; t < response.size(); ++t) {
    rows.target_row.push_back(static_cast<std::int32_t>(prompt.size() + t) - 1);
    rows.target_token.push_back(response[t]);
  }
  const at::Tensor hidden = lm::hidden_states(view, rows, lm::Kernels::Reference);
  lm::score_targets(view, hidden, rows, 1, lm::Kernels::Reference).logprob.sum().backward();
  Vector all;
  for (const lm::NamedTensor& parameter : view.parameters()) {
    const at::Tensor gradient = parameter.tensor.grad().contiguous();
    const double* first = gradient.const_data_ptr<double>();
    all.insert(all.end(), first, first + gradient.numel());
  }
  return all;
}

TEST(GradientProbe, IsWhatEveryRolloutByItselfGives) {
  const SmallWorld world(at::kDouble);
  RolloutStore store;
  BatchSpec spec;
  spec.group_sizes = {4, 3, 2, 5};
  spec.behaviour_anchors = spec.zero_advantages = false;
  TrainBatch batch = world.batch(spec, store);
  for (std::size_t i = 0; i < batch.items.size(); ++i)
    batch.items[i].weight = 0.5f + 0.25f * static_cast<float>(i % 3);  // must not matter
  const TrainRows rows =
      train_rows(batch, store, world.prompts, world.tokenizer, world.model.config().context);
  PolicyGradientSettings settings;
  settings.pack = {3, 2};
  const std::vector<std::uint32_t> places = {0, 1, 3};
  const ProbedGradients found = probe_gradients(world.model, rows, places, 0, settings);

  ASSERT_EQ(found.probe.groups.size(), 3u);
  Vector total;
  for (std::size_t k = 0; k < places.size(); ++k) {
    const TrainGroup& group = batch.groups[places[k]];
    Vector half[2];
    double sum[2] = {}, power[2] = {};
    for (std::uint32_t i = 0; i < group.count; ++i) {
      const int h = i < group.count / 2 ? 0 : 1;
      const TrainItem& item = batch.items[group.first + i];
      const double a = item.advantage;
      sum[h] += a;
      power[h] += a * a;
      add(half[h], a,
          score(world.model, rows.prompts[places[k]], store.get(item.rollout).rollout.tokens));
    }
    const ProbedGroup& g = found.probe.groups[k];
    EXPECT_NEAR(g.first_sum, sum[0], 1e-12);
    EXPECT_NEAR(g.second_sum, sum[1], 1e-12);
    EXPECT_NEAR(g.first_power, power[0], 1e-12);
    EXPECT_NEAR(g.second_power, power[1], 1e-12);
    EXPECT_NEAR(g.first_square / dot(half[0], half[0]), 1, 1e-9);
    EXPECT_NEAR(g.second_square / dot(half[1], half[1]), 1, 1e-9);
    const double scale = std::sqrt(dot(half[0], half[0]) * dot(half[1], half[1]));
    EXPECT_NEAR(g.inner / scale, dot(half[0], half[1]) / scale, 1e-9);
    add(total, 1, half[0]);
    add(total, 1, half[1]);
  }
  EXPECT_NEAR(found.probe.sum_square / dot(total, total), 1, 1e-9);
  EXPECT_GT(found.positions, 0u);
}

}  // namespace
}  // namespace allot
