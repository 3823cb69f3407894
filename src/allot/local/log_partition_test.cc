#include "allot/local/log_partition.h"

#include <cmath>
#include <filesystem>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/testing/temporary_folder.h"
#include "allot/local/row_scores.h"

namespace allot {
namespace {

constexpr int kDim = 6;

at::Tensor numbers(at::IntArrayRef shape, std::uint64_t seed) {
  const at::Tensor out = at::empty(shape, at::kDouble);
  RandomStream random({.seed = seed, .use = RandomUse::Test});
  for (std::int64_t i = 0; i < out.numel(); ++i) out.data_ptr<double>()[i] = random.normal();
  return out;
}

LogPartition lively() {
  LogPartition network(kDim, 1, at::kDouble, at::kCPU);
  const at::NoGradGuard no_grad;
  std::uint64_t seed = 10;
  for (const lm::NamedTensor& parameter : network.parameters()) {
    at::Tensor tensor = parameter.tensor;
    tensor.add_(numbers(tensor.sizes(), ++seed), 0.3);
  }
  return network;
}

std::vector<RandomKey> keys_of(std::initializer_list<std::uint64_t> prompts) {
  std::vector<RandomKey> out;
  for (const std::uint64_t prompt : prompts)
    out.push_back({2, RandomUse::Method, 7, prompt, 0xfffffffeU});
  return out;
}

// The network of the paper as loops, with the same draws.
double by_loops(const LogPartition& network, const std::vector<double>& prompt,
                const RandomKey& key) {
  std::vector<std::vector<double>> p;
  for (const lm::NamedTensor& parameter : network.parameters())
    p.push_back(to_host(parameter.tensor.flatten()));
  const RandomStream stream(key);
  std::vector<double> x = prompt;
  for (std::size_t layer = 0; layer < 2; ++layer) {
    std::vector<double> y(kDim);
    double mean = 0, square = 0;
    for (int i = 0; i < kDim; ++i) {
      double z = p[4 * layer + 1][i];
      for (int j = 0; j < kDim; ++j) z += p[4 * layer][i * kDim + j] * x[j];
      y[i] = z / 2 * (1 + std::erf(z / std::sqrt(2.0)));
      mean += y[i] / kDim;
    }
    for (const double v : y) square += (v - mean) * (v - mean) / kDim;
    for (int i = 0; i < kDim; ++i) {
      const double normed = (y[i] - mean) / std::sqrt(square + 1e-5);
      const bool kept = stream.uniform_at(layer * kDim + i) >= 0.1f;
      x[i] = kept ? (normed * p[4 * layer + 2][i] + p[4 * layer + 3][i]) / 0.9 : 0;
    }
  }
  double out = p[9][0];
  for (int i = 0; i < kDim; ++i) out += p[8][i] * x[i];
  return out;
}

TEST(LogPartition, EqualsItsLoops) {
  const LogPartition network = lively();
  const at::Tensor prompts = numbers({4, kDim}, 3);
  const std::vector<RandomKey> keys = keys_of({5, 6, 7, 8});
  const std::vector<double> found = to_host(network(prompts, keys));
  bool dropped = false;
  for (std::size_t i = 0; i < 4; ++i) {
    const std::vector<double> prompt = to_host(prompts[static_cast<std::int64_t>(i)]);
    EXPECT_NEAR(found[i], by_loops(network, prompt, keys[i]), 1e-12);
    for (std::uint64_t u = 0; u < 2 * kDim; ++u)
      dropped = dropped || RandomStream(keys[i]).uniform_at(u) < 0.1f;
  }
  EXPECT_TRUE(dropped);  // the case of a unit that is left out was seen
}

TEST(LogPartition, APromptHasOneValueWhereverItStands) {
  const LogPartition network = lively();
  const at::Tensor prompts = numbers({3, kDim}, 3);
  const std::vector<double> together = to_host(network(prompts, keys_of({5, 6, 7})));
  const std::vector<double> alone = to_host(network(prompts.narrow(0, 1, 1), keys_of({6})));
  EXPECT_NEAR(together[1], alone[0], 1e-14);
}

TEST(LogPartition, BeginsAtZeroAndItsViewsCollectGradients) {
  const LogPartition network(kDim, 1, at::kDouble, at::kCPU);
  EXPECT_EQ(to_host(network(numbers({2, kDim}, 3), keys_of({1, 2}))), std::vector<double>(2, 0));
  const LogPartition view = lively().training_view();
  view(numbers({2, kDim}, 3), keys_of({1, 2})).sum().backward();
  for (const lm::NamedTensor& parameter : view.parameters())
    EXPECT_TRUE(parameter.tensor.grad().defined()) << parameter.name;
}

TEST(LogPartition, IsReadAsItWasWritten) {
  const testing::TemporaryFolder folder;
  const std::string path = (folder / "log_partition.safetensors").string();
  const LogPartition network = LogPartition(kDim, 4, at::kFloat, at::kCPU);
  network.save(path);
  LogPartition read(kDim, 9, at::kFloat, at::kCPU), wider(kDim + 2, 9, at::kFloat, at::kCPU);
  read.load(path);
  for (std::size_t i = 0; i < network.parameters().size(); ++i)
    EXPECT_TRUE(read.parameters()[i].tensor.equal(network.parameters()[i].tensor));
  EXPECT_THROW(wider.load(path), Error);
  std::filesystem::resize_file(path, 40);
  EXPECT_THROW(read.load(path), Error);
}

TEST(PromptMeans, AreOfThePromptOfEachResponse) {
  lm::PackedRows rows;  // prompt of 2 rows, response of 1; prompt of 1 row, responses of 0 and 2
  rows.segments = {{0, 2, 0, 0}, {2, 1, 0, 2}, {3, 1, 0, 0}, {4, 2, 3, 1}};
  rows.target_row = {1, 2, 3, 3, 4, 5};
  const at::Tensor hidden = numbers({6, kDim}, 8);
  const std::vector<std::uint32_t> first = {0, 2, 3};
  const PromptMeans found = prompt_means(hidden, rows, first);
  EXPECT_EQ(found.of_target, (std::vector<std::size_t>{0, 1, 1}));
  EXPECT_LT((found.means[0] - (hidden[0] + hidden[1]) / 2).abs().max().item<double>(), 1e-15);
  EXPECT_TRUE(found.means[1].equal(hidden[3]));
}

}  // namespace
}  // namespace allot
