// The engine against a server that misbehaves: every rollout comes out once, right or failed.
#include "allot/remote/server_engine.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <thread>

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "allot/core/error.h"
#include "allot/remote/testing/fake_server.h"
#include "allot/remote/testing/numbered_weights.h"
#include "allot/text/char_tokenizer.h"

namespace allot::remote {
namespace {

using testing::all_tricks;
using testing::fake_logprob;
using testing::fake_response;
using testing::FakeOptions;
using testing::FakeRequest;
using testing::FakeServer;
using testing::NumberedWeights;
using testing::Trick;

constexpr const char* kAlphabet = "abcdefghijklmnopqrstuvwxyz0123";  // 32 ids
constexpr std::uint32_t kMaxNew = 12;

std::string test_folder() {
  return (std::filesystem::path(::testing::TempDir()) /
          concat("allot-remote-", ::getpid(), "-",
                 ::testing::UnitTest::GetInstance()->current_test_info()->name()))
      .string();
}

// A server, an engine and prompts.
struct World {
  explicit World(FakeOptions fake = {}, ServerOptions given = {})
      : tokenizer(kAlphabet),
        weights(std::make_shared<NumberedWeights>(test_folder(), given.load == LoadBy::Folder)),
        fake_options(std::move(fake)),
        options(std::move(given)) {
    fake_options.folder = test_folder();
    fake_options.vocabulary = tokenizer.size();
    server.emplace(fake_options);
    options.api = fake_options.api;
    if (options.url == ServerOptions().url) options.url = server->url();
    options.backoff_s = std::min(options.backoff_s, 0.001);
    options.backoff_max_s = 0.01;
    for (int i = 0; i < 8; ++i) {
      Prompt& prompt = prompts.emplace_back();
      prompt.id = static_cast<PromptId>(i);
      prompt.key = concat("p", i);
      prompt.text = std::string("prompt") + static_cast<char>('a' + i);
    }
  }
  ServerEngine& engine() {
    if (!engine_) engine_.emplace(options, key, tokenizer, weights, &stop);
    return *engine_;
  }
  void close() { engine_.reset(); }

  Work work(std::uint32_t prompt, RolloutId first, std::uint32_t n, std::uint32_t first_seq = 0) {
    Work one;
    one.issued = {.prompt = prompt, .first = first, .n = n, .first_seq = first_seq};
    one.seed = 11;
    one.step = 3;
    one.prompt = &prompts.at(prompt);
    one.sampling.max_new = kMaxNew;
    return one;
  }
  // `n` rollouts of each of the 8 prompts.
  std::vector<Work> all(std::uint32_t n) {
    std::vector<Work> list;
    for (std::uint32_t i = 0; i < 8; ++i) list.push_back(work(i, 100 + i * n, n));
    return list;
  }
  std::map<RolloutId, Rollout> drain() {
    std::map<RolloutId, Rollout> found;
    for (std::vector<Rollout> some; !(some = engine().wait()).empty();)
      for (Rollout& rollout : some) {
        const RolloutId id = rollout.id;
        EXPECT_TRUE(found.emplace(id, std::move(rollout)).second) << id << " came back twice";
      }
    return found;
  }
  // What a rollout must be, from the server's own rule.
  void expect_right(const Rollout& rollout, Version version) {
    ASSERT_TRUE(rollout.status == Status::Ok || rollout.status == Status::Truncated);
    // The request's seed is that of its first rollout.
    const auto index = rollout.seq % static_cast<std::uint32_t>(options.choices);
    const std::uint64_t seed = seed_of(rollout.prompt, rollout.seq - index);
    const FakeRequest request{tokenizer.encode(prompts.at(rollout.prompt).text), kMaxNew,
                              NumberedWeights::number(version)};
    EXPECT_EQ(rollout.tokens, fake_response(fake_options, request, seed, index)) << rollout.id;
    ASSERT_EQ(rollout.logp.size(), rollout.tokens.size());
    for (std::size_t i = 0; i < rollout.tokens.size(); ++i)
      EXPECT_EQ(rollout.logp[i], fake_logprob(rollout.tokens[i]));
    EXPECT_EQ(rollout.behaviour, version);
    EXPECT_EQ(rollout.text, tokenizer.decode(rollout.tokens));
    const bool ended = rollout.tokens.back() == tokenizer.end_token();
    EXPECT_EQ(rollout.status, ended ? Status::Ok : Status::Truncated);
  }
  static std::uint64_t seed_of(PromptId prompt, std::uint32_t seq) {
    const RandomStream stream({11, RandomUse::Train, 3, prompt, seq});
    return ((std::uint64_t{stream.word_at(0)} << 32U) | stream.word_at(1)) >> 11U;
  }
  std::string error_of_submit() {
    try {
      engine().submit(all(1));
      drain();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Sampler) << error.what();
      return error.what();
    }
    return "";
  }

  CharTokenizer tokenizer;
  std::shared_ptr<NumberedWeights> weights;
  FakeOptions fake_options;
  ServerOptions options;
  std::optional<FakeServer> server;
  std::vector<Prompt> prompts;
  std::string key;
  std::atomic<bool> stop = false;
  std::optional<ServerEngine> engine_;
};

void expect_part(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text << "\nlacks: " << part;
}

TEST(ServerEngine, SamplesEveryRolloutFromItsOwnSeed) {
  World world;
  world.engine().submit(world.all(4));
  const auto rollouts = world.drain();
  ASSERT_EQ(rollouts.size(), 32u);
  std::uint64_t tokens = 0;
  for (const auto& [id, rollout] : rollouts) {
    world.expect_right(rollout, 0);
    EXPECT_EQ(rollout.prompt, (id - 100) / 4);
    EXPECT_EQ(rollout.seq, (id - 100) % 4);
    tokens += rollout.tokens.size();
  }
  EXPECT_EQ(world.engine().cost().generated, tokens);
  EXPECT_EQ(world.engine().cost().prefilled, 32u * 7);
  EXPECT_TRUE(world.engine().wait().empty());
  expect_part(world.server->last_body(), "\"top_k\":-1");
}

TEST(ServerEngine, TextsDoNotDependOnHowManyAreAskedForTogether) {
  World world;
  const std::vector<Work> parts = {world.work(2, 0, 1), world.work(2, 1, 5, 1)};
  world.engine().submit(parts);
  const auto apart = world.drain();
  world.engine().submit(std::vector<Work>{world.work(2, 0, 6)});
  const auto together = world.drain();
  for (RolloutId id = 0; id < 6; ++id) EXPECT_EQ(apart.at(id).tokens, together.at(id).tokens);
}

// 256 requests at a time under every single trick and both dialects.
TEST(ServerEngine, EveryRolloutComesOutOnceUnderEveryTrick) {
  for (const Api api : {Api::Vllm, Api::Sglang}) {
    FakeOptions fake;
    fake.api = api;
    fake.threads = 260;
    ServerOptions options;
    options.in_flight = 256;
    options.retries = 100;
    World world(fake, options);
    world.engine().refresh(3);
    for (const Trick trick : all_tricks()) {
      if (trick == Trick::Stall) continue;  // below
      SCOPED_TRACE(concat(name(trick), " of ", dialect_of(api).name));
      world.server->set_tricks({trick});
      world.server->set_share(trick == Trick::Forget ? 0.02 : 0.4);
      world.engine().submit(world.all(32));
      const auto rollouts = world.drain();
      ASSERT_EQ(rollouts.size(), 256u);
      for (const auto& [id, rollout] : rollouts) world.expect_right(rollout, 3);
      if (trick != Trick::OtherVersion || api == Api::Sglang) {
        EXPECT_GT(world.server->played(trick), 0u);
      }
    }
    EXPECT_EQ(world.engine().stats().failed, 0u);
  }
}

TEST(ServerEngine, AnAnswerThatDoesNotComeIsAskedForAgain) {
  FakeOptions fake;
  fake.tricks = {Trick::Stall, Trick::Drip};
  fake.stall_s = 30;
  fake.delay_s = 30;  // of the drip: never silent for long, and never done
  fake.threads = 200;
  ServerOptions options;
  options.timeout_s = 1;
  options.retries = 1000;
  World world(fake, options);
  world.engine().refresh(3);
  world.server->set_share(0.2);
  world.engine().submit(world.all(4));
  const auto rollouts = world.drain();
  ASSERT_EQ(rollouts.size(), 32u);
  for (const auto& [id, rollout] : rollouts) world.expect_right(rollout, 3);
  EXPECT_GT(world.engine().stats().repeated.at("no complete answer"), 0u);
}

TEST(ServerEngine, EveryRolloutComesOutOnceUnderAllTricksTogether) {
  for (std::uint64_t seed = 0; seed < 24; ++seed) {
    SCOPED_TRACE(seed);
    RandomStream random({seed, RandomUse::Test});
    const auto one_of = [&](std::initializer_list<int> values) {
      return *(values.begin() + random.below(values.size()));
    };
    FakeOptions fake;
    fake.api = one_of({0, 1}) == 0 ? Api::Vllm : Api::Sglang;
    fake.tricks = all_tricks();
    std::erase(fake.tricks, Trick::Stall);
    fake.seed = seed;
    ServerOptions options;
    options.in_flight = one_of({1, 3, 40});
    options.choices = one_of({1, 1, 3});
    options.retries = one_of({0, 2, 200});
    options.give_up = 1000000;
    const bool lora = fake.api == Api::Vllm && one_of({0, 1}) == 0;
    options.load = lora ? LoadBy::Lora : LoadBy::Folder;
    World world(fake, options);
    world.engine().refresh(5);
    world.server->set_share(0.6 * random.uniform());
    world.engine().submit(world.all(8));
    const auto rollouts = world.drain();
    ASSERT_EQ(rollouts.size(), 64u);
    for (const auto& [id, rollout] : rollouts) {
      if (rollout.status == Status::Failed) {
        EXPECT_LT(options.retries, 200);
        EXPECT_TRUE(rollout.tokens.empty() && rollout.logp.empty() && rollout.text.empty());
      } else {
        world.expect_right(rollout, 5);
      }
    }
  }
}

TEST(ServerEngine, ARefreshGivesTheNextRolloutsTheNewWeights) {
  for (const LoadBy load : {LoadBy::Folder, LoadBy::Lora}) {
    ServerOptions options;
    options.load = load;
    World world({}, options);
    std::map<RolloutId, Version> versions;
    for (Version version = 0; version < 4; ++version) {
      if (version > 0) world.engine().refresh(version);
      for (RolloutId i = 0; i < 20; ++i) versions[version * 100 + i] = version;
      world.engine().submit(std::vector<Work>{world.work(1, version * 100, 20)});
    }
    const auto rollouts = world.drain();
    ASSERT_EQ(rollouts.size(), 80u);
    for (const auto& [id, rollout] : rollouts) world.expect_right(rollout, versions.at(id));
    EXPECT_GE(world.server->loads(), 4u);
    if (load == LoadBy::Lora) {
      world.engine().refresh(4);
      EXPECT_EQ(world.server->adapters().size(), 1u);  // the old ones were unloaded
      EXPECT_EQ(world.weights->retired, (std::vector<Version>{0, 1, 2, 3}));
    }
  }
}

TEST(ServerEngine, AServerThatRestartedIsGivenItsWeightsAgain) {
  for (const Api api : {Api::Vllm, Api::Sglang}) {
    for (const LoadBy load : {LoadBy::Folder, LoadBy::Lora}) {
      if (api == Api::Sglang && load == LoadBy::Lora) continue;
      FakeOptions fake;
      fake.api = api;
      ServerOptions options;
      options.load = load;
      World world(fake, options);
      world.engine().refresh(7);
      world.server->restart();
      world.engine().submit(world.all(4));
      for (const auto& [id, rollout] : world.drain()) world.expect_right(rollout, 7);
      EXPECT_GT(world.engine().stats().repeated.at(load == LoadBy::Lora ? "the model is missing"
                                                                        : "other weights"),
                0u);
    }
  }
}

TEST(ServerEngine, CancelledRolloutsComeBackOnceAndTheirRequestsEnd) {
  FakeOptions fake;
  fake.tricks = {Trick::Stall};
  fake.stall_s = 60;
  ServerOptions options;
  options.in_flight = 16;
  options.choices = 2;
  World world(fake, options);
  world.engine().refresh(1);
  world.server->set_share(1);
  world.engine().submit(world.all(8));
  while (world.server->completions() < 17) std::this_thread::yield();  // the probe, and 16
  std::vector<RolloutId> ids;
  for (RolloutId id = 100; id < 164; ++id) ids.push_back(id);
  world.engine().cancel(ids);
  const auto rollouts = world.drain();
  ASSERT_EQ(rollouts.size(), 64u);
  for (const auto& [id, rollout] : rollouts) {
    EXPECT_EQ(rollout.status, Status::Cancelled);
    EXPECT_TRUE(rollout.tokens.empty());
  }
}

TEST(ServerEngine, PartsOfARequestCanBeCancelled) {
  ServerOptions options;
  options.choices = 4;
  World world({}, options);
  world.engine().submit(std::vector<Work>{world.work(0, 0, 8)});
  world.engine().cancel(std::vector<RolloutId>{1, 6, 999});
  const auto rollouts = world.drain();
  ASSERT_EQ(rollouts.size(), 8u);
  for (const auto& [id, rollout] : rollouts)
    EXPECT_EQ(rollout.status == Status::Cancelled, id == 1 || id == 6);
}

TEST(ServerEngine, AStopEndsWaitAndAnEndWaitsForNobody) {
  FakeOptions fake;
  fake.tricks = {Trick::Stall};
  fake.stall_s = 3600;
  World world(fake);
  world.engine().refresh(1);
  world.server->set_share(1);
  world.engine().submit(world.all(4));
  std::thread stopper([&] {
    while (world.server->completions() < 20) std::this_thread::yield();
    world.stop = true;
  });
  EXPECT_TRUE(world.engine().wait().empty());
  stopper.join();
  EXPECT_TRUE(world.engine().wait().empty());
  world.engine().refresh(2);  // neither hangs nor throws
  world.engine().submit(world.all(1));
  EXPECT_TRUE(world.engine().wait().empty());
  world.stop = false;
  world.server->set_share(0);
  world.engine().submit(world.all(1));  // publishes what the refresh owed
  for (const auto& [id, rollout] : world.drain()) world.expect_right(rollout, 2);
  world.server->set_share(1);
  world.engine().submit(world.all(4));
  world.close();  // with everything open
}

TEST(ServerEngine, NeverHasMoreInFlightThanAllowed) {
  FakeOptions fake;
  fake.tricks = {Trick::Delay};
  fake.share = 1;
  fake.delay_s = 0.005;
  ServerOptions options;
  options.in_flight = 5;
  World world(fake, options);
  world.engine().submit(world.all(8));
  EXPECT_EQ(world.drain().size(), 64u);
  EXPECT_LE(world.server->most_at_a_time(), 5u);
  EXPECT_GE(world.server->most_at_a_time(), 2u);
}

TEST(ServerEngine, AConnectionThatTheServerClosedRaisesNoSignal) {
  FakeOptions fake;
  fake.tricks = {Trick::Drop, Trick::Twice};
  World world(fake);
  world.engine().refresh(1);
  ::signal(SIGPIPE, SIG_DFL);  // the test server ignores it for the whole process
  world.server->set_share(0.5);
  world.engine().submit(world.all(8));
  EXPECT_EQ(world.drain().size(), 64u);
  ::signal(SIGPIPE, SIG_IGN);
}

TEST(ServerEngine, FailuresInARowEndTheRun) {
  FakeOptions fake;
  fake.tricks = {Trick::Failure};
  ServerOptions options;
  options.retries = 2;
  options.give_up = 3;
  World world(fake, options);
  world.engine().refresh(1);
  world.server->set_share(1);
  const std::string text = world.error_of_submit();
  expect_part(text, "3 requests in a row failed, each after 2 repetitions");
  expect_part(text, "status 500: engine failure");
  expect_part(world.error_of_submit(), "requests in a row");  // it stays so
}

TEST(ServerEngine, TellsOnceWhatWasOvercome) {
  FakeOptions fake;
  fake.tricks = {Trick::Unavailable};
  World world(fake);
  world.engine().submit(world.all(2));
  world.drain();
  EXPECT_EQ(world.engine().take_trouble(), "");
  world.server->set_share(0.5);
  world.engine().submit(world.all(2));
  world.drain();
  const std::string text = world.engine().take_trouble();
  expect_part(text, "16 requests needed ");
  expect_part(text, "(status 503 ");
  expect_part(text, "0 of them failed; the last trouble: status 503: loading");
  EXPECT_EQ(world.engine().take_trouble(), "");
}

TEST(ServerEngine, SaysWhatIsWrongWithAServer) {
  {
    ServerOptions nobody;
    nobody.url = "http://127.0.0.1:1";
    nobody.retries = 1;
    World world({}, nobody);
    const std::string text = world.error_of_submit();
    expect_part(text, "[http://127.0.0.1:1] no connection");
    expect_part(text, "vllm serve ");
  }
  {
    ServerOptions other;
    other.model = "tony";
    World world({}, other);
    expect_part(world.error_of_submit(), "the server has no model 'tony'; it has: toy");
  }
  {
    FakeOptions locked;
    locked.key = "secret-key";
    World world(locked);
    world.key = "wrong-key";
    const std::string text = world.error_of_submit();
    expect_part(text, "the server denies access");
    expect_part(text, "rollout.server.api_key_file");
    EXPECT_EQ(text.find("wrong-key"), std::string::npos) << text;
    World right(locked);
    right.key = "secret-key";
    EXPECT_EQ(right.error_of_submit(), "");
  }
  {
    FakeOptions plain;
    plain.token_ids = false;
    World world(plain);
    expect_part(world.error_of_submit(), "the server's answers have no token ids");
  }
  {
    ServerOptions page;
    World world({}, page);
    world.options.url += "/somewhere";
    expect_part(world.error_of_submit(), "OpenAI-compatible server");
  }
  {
    FakeOptions old;
    old.weight_info = false;
    World world(old);
    expect_part(world.error_of_submit(), "/update_weight_version is not served");
    ServerOptions trusting;
    trusting.version = VersionProof::None;
    World trusted(old, trusting);
    EXPECT_EQ(trusted.error_of_submit(), "");
  }
}

TEST(ServerEngine, RefusesWorkThatItCannotServe) {
  World world;
  const auto refused = [&](const Work& work) -> std::string {
    try {
      world.engine().submit(std::vector<Work>{world.work(0, 0, 1), work});
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  Work work = world.work(0, 1, 1);
  work.sampling.temperature = 0.5F;
  expect_part(refused(work), "rollout.server.logprobs");
  work.purpose = Purpose::Eval;  // whose log-probabilities nobody reads
  work.sampling.top_p = 0;
  expect_part(refused(work), "rollout.top_p");
  work = world.work(0, 1, 1);
  work.sampling.max_new = 60;
  expect_part(refused(work), "the server's context of 64");
  Prompt empty;
  work = world.work(0, 1, 1);
  work.prompt = &empty;
  expect_part(refused(work), "is empty");
  EXPECT_TRUE(world.engine().wait().empty());  // nothing of it was taken
}

}  // namespace
}  // namespace allot::remote
