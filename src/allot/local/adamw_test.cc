#include "allot/local/adamw.h"

#include <cmath>

#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/random.h"
#include "allot/core/testing/temporary_folder.h"

namespace allot {
namespace {

at::Tensor random_tensor(at::IntArrayRef shape, at::ScalarType type, std::uint64_t seed) {
  at::Tensor out = at::empty(shape, at::kDouble);
  RandomStream random({seed, RandomUse::Test, 11});
  for (std::int64_t i = 0; i < out.numel(); ++i) out.data_ptr<double>()[i] = random.normal();
  return out.to(type);
}

std::vector<double> doubles_of(const at::Tensor& x) {
  const at::Tensor wide = x.to(at::kDouble).contiguous();
  return {wide.data_ptr<double>(), wide.data_ptr<double>() + wide.numel()};
}

std::vector<lm::NamedTensor> parameters(at::ScalarType type) {
  return {{"matrix", random_tensor({5, 7}, type, 1)}, {"norm", random_tensor({7}, type, 2)}};
}

std::vector<at::Tensor> gradients(at::ScalarType type, std::uint64_t step) {
  return {random_tensor({5, 7}, type, 100 + step), random_tensor({7}, type, 200 + step)};
}

OptimOptions adamw_options() {
  OptimOptions o;
  o.weight_decay = 0.1;
  o.betas = {0.8, 0.95};
  o.eps = 1e-6;
  return o;
}

// The formulas of the header as a loop over one parameter.
struct PlainAdamW {
  std::vector<double> p, m, s;
  void update(const std::vector<double>& g, double lr, double decay, int k) {
    m.resize(p.size()), s.resize(p.size());
    for (std::size_t i = 0; i < p.size(); ++i) {
      p[i] -= lr * decay * p[i];
      m[i] = 0.8 * m[i] + 0.2 * g[i];
      s[i] = 0.95 * s[i] + 0.05 * g[i] * g[i];
      p[i] -=
          lr * (m[i] / (1 - std::pow(0.8, k))) / (std::sqrt(s[i] / (1 - std::pow(0.95, k))) + 1e-6);
    }
  }
};

void expect_plain_adamw(at::ScalarType type, double tolerance) {
  const auto named = parameters(type);
  AdamW adamw(named, adamw_options());
  std::vector<PlainAdamW> plain(2);
  for (int i = 0; i < 2; ++i) plain[i].p = doubles_of(named[i].tensor);
  for (int k = 1; k <= 12; ++k) {
    auto g = gradients(type, k);
    const double lr = 0.01 * k;
    for (int i = 0; i < 2; ++i) plain[i].update(doubles_of(g[i]), lr, i == 0 ? 0.1 : 0, k);
    adamw.update(g, lr);
  }
  EXPECT_EQ(adamw.updates(), 12u);
  for (int i = 0; i < 2; ++i) {
    const auto found = doubles_of(named[i].tensor);
    for (std::size_t j = 0; j < found.size(); ++j) EXPECT_NEAR(found[j], plain[i].p[j], tolerance);
  }
}

TEST(AdamW, EqualsAPlainLoop) {
  expect_plain_adamw(at::kDouble, 1e-12);
  expect_plain_adamw(at::kFloat, 3e-6);
}

TEST(AdamW, ContinuesBitForBitAfterSaveAndLoad) {
  const testing::TemporaryFolder folder;
  const std::string path = (folder / "optimizer.safetensors").string();
  const auto whole = parameters(at::kFloat), resumed = parameters(at::kFloat);
  AdamW one(whole, adamw_options());
  std::uint64_t step = 0;
  for (; step < 3; ++step) {
    auto g = gradients(at::kFloat, step);
    one.update(g, 0.01);
  }
  one.save(path);
  for (int i = 0; i < 2; ++i) {
    at::Tensor target = resumed[i].tensor;
    target.copy_(whole[i].tensor);
  }
  AdamW two(resumed, adamw_options());
  two.load(path, one.updates());
  for (; step < 6; ++step) {
    auto g = gradients(at::kFloat, step), h = gradients(at::kFloat, step);
    one.update(g, 0.01);
    two.update(h, 0.01);
  }
  for (int i = 0; i < 2; ++i) EXPECT_EQ(doubles_of(whole[i].tensor), doubles_of(resumed[i].tensor));

  const std::vector<lm::NamedTensor> other = {{"matrix", random_tensor({5, 6}, at::kFloat, 1)},
                                              {"norm", random_tensor({7}, at::kFloat, 1)}};
  EXPECT_THROW(AdamW(other, adamw_options()).load(path, 1), Error);
  EXPECT_THROW(AdamW({whole[0]}, adamw_options()).load(path, 1), Error);
  EXPECT_THROW(AdamW(whole, adamw_options()).load(path + ".absent", 1), Error);
}

TEST(ClipGradients, ScalesToTheLargestNormAndReportsTheOneBefore) {
  auto g = gradients(at::kDouble, 1);
  double squares = 0;
  for (const auto& x : g)
    for (const double v : doubles_of(x)) squares += v * v;
  const auto before = doubles_of(g[0]);
  EXPECT_NEAR(clip_gradients(g, 0), std::sqrt(squares), 1e-12);
  EXPECT_EQ(doubles_of(g[0]), before);  // 0 = off
  EXPECT_NEAR(clip_gradients(g, 1e6), std::sqrt(squares), 1e-12);
  EXPECT_EQ(doubles_of(g[0]), before);  // small enough
  EXPECT_NEAR(clip_gradients(g, 0.5), std::sqrt(squares), 1e-12);
  EXPECT_NEAR(clip_gradients(g, 0), 0.5, 1e-12);
  g[1].data_ptr<double>()[0] = std::nan("");
  EXPECT_FALSE(std::isfinite(clip_gradients(g, 1)));
}

TEST(LearningRate, WarmsUpAndDecays) {
  OptimOptions o;
  o.lr = 1;
  EXPECT_EQ(learning_rate(o, 0), 1);
  EXPECT_EQ(learning_rate(o, 1000), 1);
  o.warmup_steps = 4;
  EXPECT_EQ(learning_rate(o, 0), 0.25);
  EXPECT_EQ(learning_rate(o, 3), 1);
  o.schedule = Schedule::Linear;
  o.schedule_steps = 14;
  EXPECT_NEAR(learning_rate(o, 4), 1, 1e-12);
  EXPECT_NEAR(learning_rate(o, 9), 0.5, 1e-12);
  EXPECT_NEAR(learning_rate(o, 14), 0, 1e-12);
  EXPECT_NEAR(learning_rate(o, 99), 0, 1e-12);
  o.schedule = Schedule::Cosine;
  EXPECT_NEAR(learning_rate(o, 9), 0.5, 1e-12);
  EXPECT_NEAR(learning_rate(o, 4 + 10 / 4.0), 0.5 * (1 + std::cos(M_PI * 0.2)), 1e-12);
}

TEST(OptimOptions, RefusesBetasThatAreNotTwoOrNotBelowOne) {
  OptimOptions o;
  o.validate();
  o.betas = {0.9};
  EXPECT_THROW(o.validate(), Error);
  o.betas = {0.9, 1.0};
  EXPECT_THROW(o.validate(), Error);
}

}  // namespace
}  // namespace allot
