// The decoder against the full forward pass, and against itself under every schedule.
#include "allot/lm/generator.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/lm/forward.h"
#include "allot/lm/packed_rows.h"
#include "allot/lm/testing/examples.h"
#include "allot/lm/testing/instruction_sets.h"

namespace allot::lm {
namespace {

using Sequences = std::map<std::uint64_t, GeneratedSequence>;

std::vector<GenerationRequest> make_requests(const ModelConfig& config, int count) {
  std::vector<GenerationRequest> requests;
  RandomStream stream({.seed = 9, .use = RandomUse::Test});
  std::uint64_t id = 100;
  for (int i = 0; i < count; ++i) {
    GenerationRequest r;
    r.id = id;
    r.n = i == 1 ? 11 : static_cast<std::uint32_t>(1 + stream.below(6));
    id += r.n;
    const std::uint64_t length = 1 + stream.below(25);
    for (std::uint64_t t = 0; t < length; ++t) {
      r.prompt.push_back(static_cast<std::int32_t>(stream.below(config.vocab)));
    }
    r.random = {.seed = 5, .use = RandomUse::Test, .step = 2, .prompt = r.id, .seq = 3};
    r.max_new = static_cast<std::uint32_t>(1 + stream.below(30));
    r.stop_tokens = {1, 4};
    requests.push_back(r);
  }
  requests[0].max_new = 1;
  requests[2].temperature = 0;
  requests[3].temperature = 0.7f;
  requests[4].top_k = 5;
  requests[5].top_p = 0.8f;
  requests[6].min_p = 0.1f;
  return requests;
}

Sequences generate(Generator& generator, const std::vector<GenerationRequest>& requests,
                   GenerationCost* cost = nullptr) {
  Sequences made;
  const GenerationCost spent = generator.run(requests, [&](GeneratedSequence&& s) {
    EXPECT_FALSE(made.contains(s.id)) << s.id;
    const std::uint64_t id = s.id;
    made[id] = std::move(s);
    return true;
  });
  if (cost) *cost = spent;
  return made;
}

Sequences generate(const Model& model, GeneratorOptions options,
                   const std::vector<GenerationRequest>& requests) {
  Generator generator(model, options);
  return generate(generator, requests);
}

void expect_same_bits(const Sequences& a, const Sequences& b, const std::string& what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  for (const auto& [id, s] : a) {
    const GeneratedSequence& other = b.at(id);
    ASSERT_EQ(s.tokens, other.tokens) << what << ", sequence " << id;
    ASSERT_EQ(s.logprob, other.logprob) << what << ", sequence " << id;
    ASSERT_EQ(s.mean_entropy, other.mean_entropy) << what << ", sequence " << id;
    ASSERT_EQ(s.truncated, other.truncated) << what << ", sequence " << id;
  }
}

// Prompt and response as one segment; the response's tokens are the targets.
PackedRows rows_of(const GenerationRequest& request, const GeneratedSequence& sequence) {
  PackedRows rows;
  rows.tokens = request.prompt;
  rows.tokens.insert(rows.tokens.end(), sequence.tokens.begin(), sequence.tokens.end());
  for (std::size_t i = 0; i < rows.tokens.size(); ++i) {
    rows.positions.push_back(static_cast<std::int32_t>(i));
  }
  rows.segments.push_back({0, static_cast<std::int32_t>(rows.tokens.size()), 0, 0});
  for (std::size_t t = 0; t < sequence.tokens.size(); ++t) {
    rows.target_row.push_back(static_cast<std::int32_t>(request.prompt.size() + t) - 1);
    rows.target_token.push_back(sequence.tokens[t]);
  }
  return rows;
}

// Log-probabilities and entropies of everything generated, against the full forward pass in double.
void expect_full_forward(const Model& exact, const std::vector<GenerationRequest>& requests,
                         const Sequences& made, double tolerance) {
  for (const GenerationRequest& request : requests) {
    for (std::uint32_t i = 0; i < request.n; ++i) {
      const GeneratedSequence& s = made.at(request.id + i);
      const PackedRows rows = rows_of(request, s);
      const at::Tensor hidden = hidden_states(exact, rows, Kernels::Reference);
      const double temperature = request.temperature > 0 ? request.temperature : 1;
      const TokenScores scores =
          score_targets(exact, hidden, rows, temperature, Kernels::Reference);
      double entropy = 0;
      for (std::size_t t = 0; t < s.tokens.size(); ++t) {
        // The answer is rounded to float: 1e-10 of the decoder would be lost in it.
        const double logprob = scores.logprob.const_data_ptr<double>()[t];
        ASSERT_NEAR(s.logprob[t], logprob, tolerance + 6e-8 * std::abs(logprob))
            << "sequence " << s.id << ", token " << t;
        entropy += scores.entropy.const_data_ptr<double>()[t];
      }
      entropy /= static_cast<double>(s.tokens.size());
      ASSERT_NEAR(s.mean_entropy, entropy, tolerance + 1e-7 * entropy) << "sequence " << s.id;
    }
  }
}

class GeneratorVariants : public ::testing::TestWithParam<int> {
 protected:
  const ModelConfig config = example_configs()[GetParam()].config;
  const Model exact = lively_model(config, 8, at::kDouble);
  const std::vector<GenerationRequest> requests = make_requests(config, 16);
};
INSTANTIATE_TEST_SUITE_P(Models, GeneratorVariants, testing::Range(0, 5),
                         [](const auto& info) { return example_configs()[info.param].name; });

TEST_P(GeneratorVariants, DecodesAsTheFullForwardPassInDouble) {
  expect_full_forward(exact, requests, generate(exact, {}, requests), 1e-10);
}

TEST_P(GeneratorVariants, DecodesAsTheFullForwardPassInFloat) {
  const Model model = lively_model(config, 8, at::kFloat);
  expect_full_forward(exact, requests, generate(model, {}, requests), 5e-5);
}

TEST_P(GeneratorVariants, DecodesByLibraryOperationsAsTheFullForwardPass) {
  for (const int slots : {1, 7, 64}) {
    Generator generator = Generator::reference(exact, {.workers = 1, .slots = slots});
    expect_full_forward(exact, requests, generate(generator, requests), 1e-10);
  }
}

// Both paths draw the same tokens from the same uniforms; in double, rounding does not reach them.
TEST_P(GeneratorVariants, DrawsTheSameTokensByLibraryOperations) {
  const Sequences own = generate(exact, {}, requests);
  for (const int slots : {1, 7, 64}) {
    Generator generator = Generator::reference(exact, {.workers = 1, .slots = slots});
    const Sequences library = generate(generator, requests);
    ASSERT_EQ(library.size(), own.size());
    for (const auto& [id, s] : own) {
      EXPECT_EQ(s.tokens, library.at(id).tokens) << id;
      EXPECT_EQ(s.truncated, library.at(id).truncated) << id;
    }
  }
}

TEST_P(GeneratorVariants, GivesTheSameBitsUnderEverySchedule) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kBFloat16}) {
    const Model model = lively_model(config, 8, type);
    const Sequences wanted = generate(model, {.workers = 1, .slots = 1}, requests);
    for (const int workers : {1, 2, 3}) {
      for (const int slots : {1, 2, 5, 12, 13, 64}) {
        expect_same_bits(wanted, generate(model, {workers, slots}, requests),
                         concat(workers, " workers, ", slots, " slots"));
      }
    }
    std::vector<GenerationRequest> other = requests;
    std::reverse(other.begin(), other.end());
    expect_same_bits(wanted, generate(model, {2, 9}, other), "reversed");
  }
}

TEST_P(GeneratorVariants, GivesTheSameBitsInEveryBuildOfTheKernels) {
  for_each_instruction_set([&] {
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
      const Model model = lively_model(config, 8, type);
      const Sequences wanted = generate(model, {.workers = 1, .slots = 1}, requests);
      expect_same_bits(wanted, generate(model, {2, 5}, requests), "2 workers, 5 slots");
      expect_same_bits(wanted, generate(model, {3, 64}, requests), "3 workers, 64 slots");
    }
  });
}

TEST_P(GeneratorVariants, GivesTheSameBitsWithoutNeighbours) {
  const Model model = lively_model(config, 8, at::kFloat);
  const Sequences wanted = generate(model, {2, 16}, requests);
  Sequences alone;
  Generator generator(model, {2, 16});
  for (const GenerationRequest& request : requests) {
    for (std::uint32_t i = 0; i < request.n; ++i) {  // one sequence at a time
      GenerationRequest one = request;
      one.id += i;
      one.n = 1;
      one.random.seq += i;
      alone.merge(generate(generator, {one}));
    }
  }
  expect_same_bits(wanted, alone, "alone");
}

TEST_P(GeneratorVariants, EndsSequencesWhereTheyShouldEnd) {
  GenerationCost cost;
  Generator generator(exact, {2, 4});
  const Sequences made = generate(generator, requests, &cost);
  std::uint64_t prompts = 0, tokens = 0, stopped = 0, truncated = 0;
  for (const GenerationRequest& request : requests) {
    prompts += request.prompt.size();
    for (std::uint32_t i = 0; i < request.n; ++i) {
      const GeneratedSequence& s = made.at(request.id + i);
      const auto is_stop = [&](std::int32_t t) { return t == 1 || t == 4; };
      ASSERT_FALSE(s.tokens.empty());
      ASSERT_LE(s.tokens.size(), request.max_new);
      ASSERT_EQ(s.logprob.size(), s.tokens.size());
      ASSERT_TRUE(std::none_of(s.tokens.begin(), s.tokens.end() - 1, is_stop));
      ASSERT_EQ(s.truncated, !is_stop(s.tokens.back()));
      ASSERT_TRUE(!s.truncated || s.tokens.size() == request.max_new);
      tokens += s.tokens.size();
      ++(s.truncated ? truncated : stopped);
    }
  }
  EXPECT_GT(stopped, 5u);
  EXPECT_GT(truncated, 5u);
  EXPECT_EQ(cost.prefilled, prompts);  // once per request, although places were few
  EXPECT_EQ(cost.generated, tokens);
  GenerationCost library;
  Generator reference = Generator::reference(exact, {1, 4});
  generate(reference, requests, &library);
  EXPECT_EQ(library.prefilled, prompts);
  EXPECT_EQ(library.generated, tokens);
}

class GeneratorTest : public ::testing::Test {
 protected:
  static ModelConfig small_context() {
    ModelConfig config = example_configs()[0].config;
    config.context = 40;
    return config;
  }
  const ModelConfig config = small_context();
  const Model model = lively_model(config, 8, at::kFloat);
  GenerationRequest request(std::uint32_t n) const {
    GenerationRequest r;
    r.n = n;
    r.prompt = {3, 2, 5};
    r.max_new = 20;
    return r;
  }
};

TEST_F(GeneratorTest, PicksTheHighestLogitWhenGreedy) {
  GenerationRequest r = request(2);
  r.temperature = 0;
  const Sequences made = generate(model, {}, {r});
  EXPECT_EQ(made.at(0).tokens, made.at(1).tokens);
  // No other continuation of the same length but for its last token has a higher probability.
  const Model exact = lively_model(config, 8, at::kDouble);
  const std::vector<std::int32_t> tokens = made.at(0).tokens;
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    GeneratedSequence head = made.at(0);
    head.tokens.resize(t + 1);
    double best = -1e9;
    int best_token = -1;
    for (int v = 0; v < config.vocab; ++v) {
      head.tokens[t] = v;
      const PackedRows rows = rows_of(r, head);
      const TokenScores scores = score_targets(
          exact, hidden_states(exact, rows, Kernels::Reference), rows, 1, Kernels::Reference);
      const double logprob = scores.logprob.const_data_ptr<double>()[t];
      if (logprob > best) {
        best = logprob;
        best_token = v;
      }
    }
    ASSERT_EQ(tokens[t], best_token) << "token " << t;
  }
}

// First tokens of many sequences against the forward pass; the 99.99 % point of chi-square with 18
// degrees of freedom is 49.2. Tokens that are expected less than five times share a cell.
TEST_F(GeneratorTest, SamplesTheModelsDistribution) {
  constexpr int kDraws = 20000;
  GenerationRequest r = request(kDraws);
  r.max_new = 1;
  const Sequences made = generate(model, {}, {r});
  std::vector<int> count(config.vocab);
  for (const auto& [id, s] : made) ++count[s.tokens[0]];
  const Model exact = lively_model(config, 8, at::kDouble);
  double chi = 0, rare = 0;
  int rare_count = 0;
  for (int v = 0; v < config.vocab; ++v) {
    const PackedRows rows = rows_of(r, {.tokens = {v}});
    const TokenScores scores = score_targets(exact, hidden_states(exact, rows, Kernels::Reference),
                                             rows, 1, Kernels::Reference);
    const double wanted = kDraws * std::exp(scores.logprob.const_data_ptr<double>()[0]);
    if (wanted < 5) {
      rare += wanted;
      rare_count += count[v];
    } else {
      chi += (count[v] - wanted) * (count[v] - wanted) / wanted;
    }
  }
  if (rare > 0) chi += (rare_count - rare) * (rare_count - rare) / std::max(rare, 5.0);
  EXPECT_LT(chi, 49.2);
}

TEST_F(GeneratorTest, UsesNewWeightsAfterTheyChanged) {
  Model changing = model.clone();
  Generator generator(changing, {});
  const GenerationRequest r = request(4);
  const Sequences before = generate(generator, {r});
  const Model other = Model::random(config, 99, at::kFloat, at::kCPU);
  changing.copy_from(other);
  generator.weights_changed();
  expect_same_bits(generate(other, {}, {r}), generate(generator, {r}), "after the change");
  EXPECT_NE(before.at(0).logprob, generate(generator, {r}).at(0).logprob);
}

TEST_F(GeneratorTest, StopsEarlyAndWorksAgain) {
  Generator generator(model, {2, 4});
  int seen = 0;  // many, so that the workers cannot be done before this thread gets a turn
  const GenerationCost cost =
      generator.run({request(50000)}, [&](GeneratedSequence&&) { return ++seen < 3; });
  EXPECT_EQ(seen, 3);
  EXPECT_LT(cost.generated, 50000u * 20);
  EXPECT_EQ(generate(generator, {request(5)}).size(), 5u);
  const std::atomic<bool> stop{true};
  seen = 0;
  generator.run(
      {request(500)}, [&](GeneratedSequence&&) { return ++seen > 0; }, &stop);
  EXPECT_EQ(seen, 0);
}

TEST_F(GeneratorTest, PassesExceptionsOfTheReceiverOn) {
  Generator generator(model, {2, 4});
  EXPECT_THROW(generator.run({request(50)}, [](GeneratedSequence&&) -> bool { throw 5; }), int);
  EXPECT_EQ(generate(generator, {request(5)}).size(), 5u);
}

TEST_F(GeneratorTest, ServesNothing) {
  Generator generator(model, {});
  EXPECT_TRUE(generate(generator, {}).empty());
  EXPECT_TRUE(generate(generator, {request(0), request(0)}).empty());
}

TEST_F(GeneratorTest, NamesABrokenRequest) {
  Generator generator(model, {});
  const auto kind_of = [&](auto change) {
    GenerationRequest broken = request(1);
    broken.id = 4711;
    change(broken);
    try {
      generate(generator, {request(1), broken});
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("4711"), std::string::npos) << error.what();
      return error.kind();
    }
    ADD_FAILURE() << "no error";
    return ErrorKind::Internal;
  };
  using Request = GenerationRequest;
  EXPECT_EQ(kind_of([](Request& r) { r.prompt.clear(); }), ErrorKind::Data);
  EXPECT_EQ(kind_of([](Request& r) { r.prompt[1] = 19; }), ErrorKind::Data);
  EXPECT_EQ(kind_of([](Request& r) { r.prompt[1] = -1; }), ErrorKind::Data);
  EXPECT_EQ(kind_of([](Request& r) { r.max_new = 38; }), ErrorKind::Data);
  EXPECT_EQ(kind_of([](Request& r) { r.max_new = 0; }), ErrorKind::Config);
  EXPECT_EQ(kind_of([](Request& r) { r.temperature = -1; }), ErrorKind::Config);
  EXPECT_EQ(kind_of([](Request& r) { r.temperature = NAN; }), ErrorKind::Config);
  EXPECT_EQ(kind_of([](Request& r) { r.temperature = 1e-40f; }), ErrorKind::Config);
  EXPECT_EQ(kind_of([](Request& r) { r.top_p = 0; }), ErrorKind::Config);
  EXPECT_EQ(kind_of([](Request& r) { r.min_p = 1.5f; }), ErrorKind::Config);
  EXPECT_EQ(kind_of([](Request& r) { r.top_k = -2; }), ErrorKind::Config);
  EXPECT_THROW(Generator(model, {.workers = 0}), Error);
}

TEST_F(GeneratorTest, FillsTheWholeContext) {
  GenerationRequest r = request(3);
  r.max_new = 37;
  for (const auto& [id, s] : generate(model, {}, {r})) EXPECT_EQ(s.tokens.size(), 37u);
}

TEST_F(GeneratorTest, RefusesADivergedModel) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    const Model broken = lively_model(config, 8, type);
    broken.layers[1].down.fill_(std::nan(""));
    Generator own(broken, {2, 8}), library = Generator::reference(broken, {2, 8});
    for (Generator* generator : {&own, &library}) {
      try {
        generate(*generator, {request(40)});
        ADD_FAILURE() << "no error";
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::Model);
      }
    }
  }
}

// The rounding of activations is all that separates BF16 from double.
TEST_F(GeneratorTest, DecodesInBfloat16) {
  const Model half = lively_model(config, 8, at::kBFloat16);
  Model exact = lively_model(config, 8, at::kDouble);
  exact.copy_from(half);
  Generator own(half, {}), library = Generator::reference(half, {});
  for (Generator* generator : {&own, &library}) {
    const Sequences made = generate(*generator, {request(6)});
    EXPECT_EQ(made.size(), 6u);
    expect_full_forward(exact, {request(6)}, made, 0.5);
  }
}

// A float model decoded in BF16 is its own rounded copy, also after its weights changed.
TEST_F(GeneratorTest, RoundsAFloatModel) {
  for (const bool library : {false, true}) {
    Model model = lively_model(config, 8, at::kFloat);
    const GeneratorOptions rounded{.type = DecodeType::Bf16};
    Generator generator =
        library ? Generator::reference(model, rounded) : Generator(model, rounded);
    for (const std::uint64_t seed : {8, 9}) {
      model.copy_from(lively_model(config, seed, at::kFloat));
      generator.weights_changed();
      const Model half = model.converted(at::kBFloat16);
      Generator wanted = library ? Generator::reference(half, {}) : Generator(half, {});
      expect_same_bits(generate(wanted, {request(6)}), generate(generator, {request(6)}),
                       concat("seed ", seed, library ? ", by the library" : ""));
    }
  }
}

// So large that all threads decode as one team (decode_plan.h).
TEST(Generator, GivesTheSameBitsByATeam) {
  const ModelConfig config{.vocab = 500, .dim = 256, .layers = 4, .ffn = 6400};
  const Model model = Model::random(config, 1, at::kFloat, at::kCPU);
  std::vector<GenerationRequest> requests(5);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    requests[i].id = i * 10;
    requests[i].n = 3;
    requests[i].prompt.assign(1 + 40 * i, static_cast<std::int32_t>(i));
    requests[i].max_new = static_cast<std::uint32_t>(1 + 3 * i);
  }
  const Sequences wanted = generate(model, {.workers = 1, .slots = 1}, requests);
  for (const int workers : {2, 3}) {
    for (const int slots : {1, 3, 64}) {
      expect_same_bits(wanted, generate(model, {workers, slots}, requests),
                       concat(workers, " workers, ", slots, " slots"));
    }
  }
}

}  // namespace
}  // namespace allot::lm
