#include "allot/local/engine.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/text/char_tokenizer.h"

namespace allot {
namespace {

using Rollouts = std::map<RolloutId, Rollout>;

class LocalEngineTest : public ::testing::Test {
 protected:
  static lm::ModelConfig small() {
    return {.vocab = 16,
            .dim = 16,
            .layers = 1,
            .heads = 2,
            .kv_heads = 1,
            .head_dim = 8,
            .ffn = 16,
            .context = 32};
  }
  LocalEngineTest() {
    for (int i = 0; i < 4; ++i) {
      prompts.push_back(
          {.id = 1000u + i, .key = concat("row-", i), .text = std::string(i + 1, 'a')});
    }
  }

  Work work(int prompt, RolloutId first, std::uint32_t n, std::uint32_t first_seq = 0) const {
    Work w;
    w.issued = {.prompt = prompts[prompt].id,
                .first = first,
                .n = n,
                .first_seq = first_seq,
                .tag = 7,
                .round = 1};
    w.seed = 5;
    w.step = 3;
    w.prompt = &prompts[prompt];
    w.sampling.max_new = 12;
    return w;
  }
  LocalEngine engine(LocalEngineOptions options = {},
                     const std::atomic<bool>* stop = nullptr) const {
    return LocalEngine(model, tokenizer, options, stop);
  }
  static Rollouts drain(LocalEngine& engine, int* waits = nullptr) {
    Rollouts all;
    for (;;) {
      std::vector<Rollout> some = engine.wait();
      if (some.empty()) return all;
      if (waits) ++*waits;
      for (Rollout& r : some) {
        const RolloutId id = r.id;
        EXPECT_TRUE(all.emplace(id, std::move(r)).second) << "returned twice: " << id;
      }
    }
  }
  ErrorKind refused(const Work& bad, const std::string& mentions) const {
    LocalEngine local = engine();
    const std::vector<Work> both{work(0, 0, 1), bad};
    try {
      local.submit(both);
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(mentions), std::string::npos) << error.what();
      EXPECT_TRUE(local.wait().empty());  // nothing of it was taken
      return error.kind();
    }
    ADD_FAILURE() << "no error";
    return ErrorKind::Internal;
  }

  const lm::Model model = lm::Model::random(small(), 1, at::kFloat, at::kCPU);
  const CharTokenizer tokenizer{"abcdefgh", 16};
  std::vector<Prompt> prompts;
};

void expect_same(const Rollout& a, const Rollout& b) {
  EXPECT_EQ(a.tokens, b.tokens);
  EXPECT_EQ(a.logp, b.logp);
  EXPECT_EQ(a.text, b.text);
  EXPECT_EQ(a.status, b.status);
  EXPECT_EQ(a.mean_entropy, b.mean_entropy);
}

TEST_F(LocalEngineTest, ReturnsEveryRolloutOnceWithItsNumbers) {
  LocalEngine local = engine();
  local.refresh(9);
  local.submit(std::vector{work(0, 10, 3, 4), work(2, 20, 5)});
  const Rollouts all = drain(local);
  ASSERT_EQ(all.size(), 8u);
  std::uint64_t tokens = 0;
  for (const auto& [id, r] : all) {
    EXPECT_EQ(r.prompt, id < 20 ? 1000u : 1002u);
    EXPECT_EQ(r.seq, id < 20 ? id - 10 + 4 : id - 20);
    EXPECT_EQ(r.tag, 7u);
    EXPECT_EQ(r.round, 1u);
    EXPECT_EQ(r.behaviour, 9u);
    EXPECT_EQ(r.logp.size(), r.tokens.size());
    EXPECT_EQ(r.text, tokenizer.decode(r.tokens));
    EXPECT_GT(r.mean_entropy, 0);
    const bool ended = r.tokens.back() == tokenizer.end_token();
    EXPECT_EQ(r.status, ended ? Status::Ok : Status::Truncated);
    if (!ended) {
      EXPECT_EQ(r.tokens.size(), 12u);
    }
    tokens += r.tokens.size();
  }
  EXPECT_EQ(local.cost().generated, tokens);
  EXPECT_EQ(local.cost().prefilled, 1u + 3u);
  EXPECT_TRUE(local.wait().empty());
}

TEST_F(LocalEngineTest, OtherThreadsSeeHowFarItHasGot) {
  LocalEngine engine = this->engine({.workers = 2, .slots = 4});
  EXPECT_EQ(engine.progress().finished, 0u);
  std::atomic<bool> done = false;
  std::atomic<std::uint32_t> longest = 0;
  std::thread other([&] {
    while (!done) longest = std::max(longest.load(), engine.progress().longest);
  });
  // Again where the machine was too busy to let the other thread look.
  std::uint64_t finished = 0;
  while (finished == 0 || (longest == 0 && finished < 400'000)) {
    engine.submit(std::vector{work(0, finished, 1000), work(1, finished + 1000, 1000)});
    EXPECT_EQ(drain(engine).size(), 2000u);
    finished += 2000;
  }
  done = true;
  other.join();
  EXPECT_GT(longest, 0u);
  EXPECT_LT(longest, 12u);  // one with 12 is not under way any more
  EXPECT_EQ(engine.progress().finished, finished);
  EXPECT_EQ(engine.progress().longest, 0u);
}

// The text of a rollout follows from (seed, purpose, step, prompt, seq), not from its id, its
// request or its neighbours.
TEST_F(LocalEngineTest, KeysRandomNumbersByPromptAndSeq) {
  LocalEngine local = engine();
  local.submit(std::vector{work(1, 0, 6)});
  const Rollouts whole = drain(local);
  local.submit(std::vector{work(3, 50, 4), work(1, 90, 2, 4), work(1, 70, 4)});
  const Rollouts parts = drain(local);
  for (std::uint32_t i = 0; i < 6; ++i) {
    expect_same(whole.at(i), parts.at(i < 4 ? 70 + i : 90 + i - 4));
  }
  std::vector<Work> others(4, work(1, 0, 6));
  others[0].seed = 6;
  others[1].step = 4;
  others[2].purpose = Purpose::Eval;
  others[3].purpose = Purpose::WarmStart;
  std::map<std::vector<std::int32_t>, int> seen{{whole.at(0).tokens, 1}};
  for (const Work& other : others) {
    local.submit(std::span(&other, 1));
    EXPECT_EQ(++seen[drain(local).at(0).tokens], 1);
  }
}

TEST_F(LocalEngineTest, GeneratesInChunksOfTheSameTexts) {
  LocalEngine whole = engine();
  const std::vector<Work> all{work(0, 0, 7), work(2, 10, 2)};
  whole.submit(all);
  const Rollouts wanted = drain(whole);
  LocalEngine chunked = engine({.workers = 1, .slots = 2, .chunk = 3});
  chunked.submit(all);
  int waits = 0;
  const Rollouts made = drain(chunked, &waits);
  EXPECT_EQ(waits, 3);  // 3 + 2, 3, 1
  ASSERT_EQ(made.size(), wanted.size());
  for (const auto& [id, r] : wanted) expect_same(r, made.at(id));
  EXPECT_EQ(chunked.cost().generated, whole.cost().generated);
  EXPECT_EQ(chunked.cost().prefilled, 3u * 1 + 3);  // the prompt again for every chunk
}

TEST_F(LocalEngineTest, ReturnsCancelledRolloutsUngenerated) {
  LocalEngine local = engine();
  local.submit(std::vector{work(0, 0, 6), work(2, 10, 2)});
  local.cancel(std::vector<RolloutId>{2, 4, 5, 10, 11, 99});
  local.cancel(std::vector<RolloutId>{2});
  const Rollouts made = drain(local);
  ASSERT_EQ(made.size(), 8u);
  LocalEngine other = engine();
  other.submit(std::vector{work(0, 0, 6)});
  const Rollouts wanted = drain(other);
  for (const RolloutId id : {0, 1, 3}) {
    expect_same(made.at(id), wanted.at(id));
    EXPECT_EQ(made.at(id).seq, id);
  }
  for (const RolloutId id : {2, 4, 5, 10, 11}) {
    EXPECT_EQ(made.at(id).status, Status::Cancelled);
    EXPECT_TRUE(made.at(id).tokens.empty());
    EXPECT_EQ(made.at(id).seq, id % 10);
  }
}

TEST_F(LocalEngineTest, CancelsWhatALaterChunkWouldGenerate) {
  LocalEngine local = engine({.chunk = 2});
  local.submit(std::vector{work(0, 0, 6)});
  EXPECT_EQ(local.wait().size(), 2u);
  const std::uint64_t before = local.cost().generated;
  local.cancel(std::vector<RolloutId>{0, 1, 2, 3, 4, 5});
  const std::vector<Rollout> rest = local.wait();
  ASSERT_EQ(rest.size(), 4u);
  for (const Rollout& r : rest) EXPECT_EQ(r.status, Status::Cancelled);
  EXPECT_EQ(local.cost().generated, before);
  EXPECT_TRUE(local.wait().empty());
}

TEST_F(LocalEngineTest, UsesTheTemperatureOfTheRequest) {
  LocalEngine local = engine();
  Work greedy = work(0, 0, 3);
  greedy.issued.temperature = 0;
  local.submit(std::span(&greedy, 1));
  const Rollouts made = drain(local);
  EXPECT_EQ(made.at(0).tokens, made.at(1).tokens);
  EXPECT_EQ(made.at(0).tokens, made.at(2).tokens);
}

TEST_F(LocalEngineTest, EndsAtAStopTextAndAtTheContext) {
  LocalEngine local = engine();
  Work w = work(2, 0, 40);
  w.sampling.stop = {"c"};
  w.sampling.max_new = 0;
  local.submit(std::span(&w, 1));
  int stopped = 0;
  for (const auto& [id, r] : drain(local)) {
    const std::size_t c = r.text.find('c');
    EXPECT_TRUE(c == std::string::npos || c + 1 == r.text.size());
    EXPECT_EQ(r.status == Status::Truncated, r.tokens.size() == 32 - 3 && c == std::string::npos &&
                                                 r.tokens.back() != tokenizer.end_token());
    stopped += c != std::string::npos;
  }
  EXPECT_GT(stopped, 5);
}

TEST_F(LocalEngineTest, UsesNewWeightsAfterRefresh) {
  const lm::Model changing = model.clone();
  LocalEngine local(changing, tokenizer);
  local.submit(std::vector{work(0, 0, 2)});
  const Rollouts before = drain(local);
  lm::Model(changing).copy_from(lm::Model::random(small(), 2, at::kFloat, at::kCPU));
  local.refresh(1);
  local.submit(std::vector{work(0, 0, 2)});
  const Rollouts after = drain(local);
  EXPECT_NE(before.at(0).logp, after.at(0).logp);
  EXPECT_EQ(after.at(0).behaviour, 1u);
}

TEST_F(LocalEngineTest, DropsItsWorkOnAStop) {
  std::atomic<bool> stop{true};
  LocalEngine local = engine({}, &stop);
  local.submit(std::vector{work(0, 0, 200)});
  EXPECT_TRUE(local.wait().empty());
  stop = false;
  EXPECT_TRUE(local.wait().empty());
  local.submit(std::vector{work(0, 0, 2)});
  EXPECT_EQ(local.wait().size(), 2u);
}

TEST_F(LocalEngineTest, RefusesWhatItCannotServe) {
  Work bad = work(3, 5, 2);
  bad.sampling.max_new = 29;
  EXPECT_EQ(refused(bad, "row-3 has 4 tokens, and its response 29"), ErrorKind::Data);
  bad = work(3, 5, 2);
  Prompt foreign{.id = 1, .key = "odd", .text = "ax"};
  bad.prompt = &foreign;
  EXPECT_EQ(refused(bad, "odd"), ErrorKind::Data);
  foreign.text = "";
  EXPECT_EQ(refused(bad, "odd is empty"), ErrorKind::Data);
  foreign.text = std::string(40, 'a');
  bad.sampling.max_new = 0;
  EXPECT_EQ(refused(bad, "odd has 40 tokens"), ErrorKind::Data);
  bad = work(3, 5, 2);
  bad.sampling.stop = {"ab"};
  EXPECT_EQ(refused(bad, "\"ab\", which is 2 tokens"), ErrorKind::Config);
  bad = work(3, 5, 2);
  bad.sampling.top_p = 0;
  EXPECT_EQ(refused(bad, "top_p"), ErrorKind::Config);
  bad = work(3, 5, 2);
  bad.issued.exemplar = 4;
  EXPECT_EQ(refused(bad, "row-3"), ErrorKind::Config);
  const CharTokenizer large("abc", 17);
  EXPECT_THROW(LocalEngine(model, large), Error);
}

TEST_F(LocalEngineTest, TellsWhatItCanDo) {
  const EngineTraits traits = engine().traits();
  EXPECT_TRUE(traits.exact_logprobs);
  EXPECT_TRUE(traits.cancel);
  EXPECT_TRUE(traits.entropy);
  EXPECT_EQ(traits.grain, Grain::Rollout);
  const lm::Model half = lm::Model::random(small(), 1, at::kBFloat16, at::kCPU);
  EXPECT_FALSE(LocalEngine(half, tokenizer).traits().exact_logprobs);
  const LocalEngineOptions rounded{.dtype = lm::DecodeType::Bf16};
  EXPECT_FALSE(LocalEngine(model, tokenizer, rounded).traits().exact_logprobs);
}

}  // namespace
}  // namespace allot
