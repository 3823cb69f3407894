// Against transformers: folders that it wrote, with the logits, greedy tokens and gradients that it
// computes for them (testdata/, made by dev/model_parity). Every architecture, option of RoPE, type
// of file, single and sharded.
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/linear.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "allot/core/durable_file.h"
#include "allot/lm/forward.h"
#include "allot/lm/generator.h"
#include "allot/lm/safetensors.h"
#include "allot/lm/testing/temporary_folder.h"

namespace allot::lm {
namespace {

namespace fs = std::filesystem;

struct Expected {
  std::vector<std::int32_t> tokens, greedy;
  int prompt = 0;
  std::map<std::string, at::Tensor> tensors;  // "logits" [tokens, vocab], "gradient.NAME"
};

std::string folder_of(const std::string& name) {
  return ALLOT_SOURCE_DIR "/src/allot/lm/testdata/" + name;
}

Expected expected_of(const std::string& name) {
  const auto facts = nlohmann::json::parse(read_file(folder_of(name) + "/expected.json"));
  Expected out{facts["tokens"], facts["greedy"], facts["prompt"], {}};
  for (const NamedTensor& named : read_safetensors(folder_of(name) + "/expected.safetensors")) {
    out.tensors[named.name] = named.tensor;
  }
  return out;
}

// One sequence; every token from the end of the prompt on is a target.
PackedRows rows_of(const Expected& expected) {
  PackedRows rows;
  rows.tokens = expected.tokens;
  for (std::int32_t i = 0; i < rows.rows(); ++i) rows.positions.push_back(i);
  rows.segments.push_back({.start = 0, .length = static_cast<std::int32_t>(rows.rows())});
  for (std::int32_t i = expected.prompt; i < rows.rows(); ++i) {
    rows.target_row.push_back(i - 1);
    rows.target_token.push_back(expected.tokens[i]);
  }
  return rows;
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

class TransformersParity : public ::testing::TestWithParam<const char*> {};

TEST_P(TransformersParity, Logits) {
  const at::NoGradGuard no_grad;
  const Expected expected = expected_of(GetParam());
  const Model model = Model::load(folder_of(GetParam()), at::kFloat, at::kCPU);
  for (const Kernels kernels : {Kernels::Reference, Kernels::Fused}) {
    const at::Tensor logits =
        at::linear(hidden_states(model, rows_of(expected), kernels), model.head);
    const at::Tensor wanted = expected.tensors.at("logits");
    EXPECT_LT(largest_difference(logits, wanted), 1e-5 * wanted.abs().max().item<double>());
  }
}

TEST_P(TransformersParity, GreedyTokens) {
  const Expected expected = expected_of(GetParam());
  const Model model = Model::load(folder_of(GetParam()), at::kFloat, at::kCPU);
  GenerationRequest request;
  request.n = 2;  // both read the prompt's keys and values from the shared cache
  request.prompt.assign(expected.tokens.begin(), expected.tokens.begin() + expected.prompt);
  request.temperature = 0;
  request.max_new = 12;
  request.stop_tokens = model.config().end_tokens;
  EXPECT_EQ(request.stop_tokens, std::vector<std::int32_t>{1});
  Generator packed(model), reference = Generator::reference(model, {});
  for (Generator* generator : {&packed, &reference}) {
    int sequences = 0;
    generator->run({request}, [&](GeneratedSequence&& made) {
      EXPECT_EQ(made.tokens, expected.greedy);
      ++sequences;
      return true;
    });
    EXPECT_EQ(sequences, 2);
  }
}

TEST_P(TransformersParity, Gradients) {
  const Expected expected = expected_of(GetParam());
  if (expected.tensors.size() == 1) GTEST_SKIP() << "the folder has no gradients";
  const PackedRows rows = rows_of(expected);
  for (const Kernels kernels : {Kernels::Reference, Kernels::Fused}) {
    const Model model = Model::load(folder_of(GetParam()), at::kFloat, at::kCPU).training_view();
    const at::Tensor hidden = hidden_states(model, rows, kernels);
    (-score_targets(model, hidden, rows, 1, kernels).logprob.mean()).backward();
    EXPECT_EQ(model.parameters().size() + 1, expected.tensors.size());
    for (const NamedTensor& parameter : model.parameters()) {
      const at::Tensor wanted = expected.tensors.at("gradient." + parameter.name);
      EXPECT_LT(largest_difference(parameter.tensor.grad(), wanted),
                1e-5 * (1 + wanted.abs().max().item<double>()))
          << parameter.name;
    }
  }
}

// Whatever the type and the cut of the files, what comes back is what was saved.
TEST_P(TransformersParity, SavedFoldersReadBack) {
  const TemporaryFolder folder;
  const Model model = Model::load(folder_of(GetParam()), at::kFloat, at::kCPU);
  for (const std::uint64_t bytes : {1u << 30, 5000u}) {
    model.save(folder.path(), {.type = NumberType::F32, .shard_bytes = bytes});
    EXPECT_EQ(fs::exists(fs::path(folder.path()) / "model.safetensors"), bytes == 1u << 30);
    const Model back = Model::load(folder.path(), at::kFloat, at::kCPU);
    EXPECT_EQ(back.config().to_json(), model.config().to_json());
    const auto was = model.parameters(), is = back.parameters();
    ASSERT_EQ(was.size(), is.size());
    for (std::size_t i = 0; i < was.size(); ++i) {
      EXPECT_TRUE(was[i].tensor.equal(is[i].tensor)) << was[i].name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Folders, TransformersParity,
                         ::testing::Values("qwen2", "qwen2_yarn", "qwen3", "qwen3_yarn", "llama",
                                           "llama3", "llama_linear"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace allot::lm
