// Whole training steps over the server: decisions are those of an undisturbed run, whatever the
// server does and in whatever order its answers arrive.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "allot/core/error.h"
#include "allot/loop/testing/toy_world.h"
#include "allot/methods/registry.h"
#include "allot/remote/server_engine.h"
#include "allot/remote/testing/fake_server.h"
#include "allot/remote/testing/numbered_weights.h"
#include "allot/text/char_tokenizer.h"

namespace allot::remote {
namespace {

using allot::testing::CountingClock;
using allot::testing::ToyLearner;
using allot::testing::ToyPolicy;
using allot::testing::ToyPrompts;
using allot::testing::ToyRecorder;
using allot::testing::ToyVerifier;
using testing::all_tricks;
using testing::FakeOptions;
using testing::FakeRequest;
using testing::FakeServer;
using testing::NumberedWeights;
using testing::Trick;

constexpr std::uint32_t kGroup = 6, kPrompts = 4;
constexpr int kSteps = 3;

// Writes "right" more often with every version, so that decisions show the weights.
FakeOptions answers_of(const CharTokenizer& tokenizer, Api api) {
  FakeOptions fake;
  fake.api = api;
  fake.vocabulary = tokenizer.size();
  fake.respond = [&tokenizer](const FakeRequest& request, RandomStream& random) {
    const double rate = 0.15 * static_cast<double>(1 + request.weights % 5);
    auto tokens = tokenizer.encode(random.uniform() < rate ? "right" : "wrong");
    tokens.push_back(tokenizer.end_token());
    return tokens;
  };
  return fake;
}

// One rollout that is trained on. Its id is left out: a method that sees single rollouts asks for
// more of each prompt when it likes, so that ids are given out in another order.
using Chosen = std::tuple<PromptId, std::uint32_t, float, float>;  // prompt, seq, advantage, weight

struct Decisions {
  std::vector<std::vector<Chosen>> chosen;        // by step, sorted
  std::vector<std::vector<RolloutId>> generated;  // by step
  std::vector<double> logit;
  bool operator==(const Decisions&) const = default;
};

class DecisionRecorder : public ToyRecorder {
 public:
  void step(const StepRecord& record) override {
    ToyRecorder::step(record);
    std::vector<Chosen>& chosen = decisions.chosen.emplace_back();
    for (const TrainItem& item : record.batch.items) {
      const Rollout& rollout = record.store.get(item.rollout).rollout;
      chosen.emplace_back(rollout.prompt, rollout.seq, item.advantage, item.weight);
    }
    std::sort(chosen.begin(), chosen.end());
  }
  Decisions decisions;
};

// Some steps of `method` over a server that plays `tricks` on a share of the requests.
Decisions run(const std::string& method, Api api, LoadBy load, std::vector<Trick> tricks,
              double share, std::uint64_t seed) {
  const CharTokenizer tokenizer("rightwon?");
  const std::string folder =
      (std::filesystem::path(::testing::TempDir()) / concat("allot-step-", ::getpid())).string();
  FakeOptions fake = answers_of(tokenizer, api);
  fake.folder = folder;
  fake.tricks = std::move(tricks);
  fake.seed = seed;
  fake.share = share;
  fake.delay_s = 0.004;
  FakeServer server(fake);
  const auto weights = std::make_shared<NumberedWeights>(folder, load == LoadBy::Folder);
  ServerOptions options;
  options.url = server.url();
  options.api = api;
  options.load = load;
  options.in_flight = 24;
  options.retries = 1000;
  options.backoff_s = 0.001;
  options.backoff_max_s = 0.01;
  ServerEngine engine(options, "", tokenizer, weights);

  AllocOptions alloc;
  alloc.method = method;
  alloc.group_size = kGroup;
  ControllerOptions settings;
  settings.method = method;
  settings.seed = 9;
  settings.host.grain = engine.traits().grain;
  settings.host.cancel = engine.traits().cancel;
  settings.host.hold = settings.host.logprob = settings.host.answer_class = true;
  Controller controller(make_method(alloc, AdvantageOptions{}), settings);
  ToyPolicy policy;
  policy.logit.assign(20, 0);
  ToyPrompts prompts(20);
  ToyVerifier verifier;
  ToyLearner learner(policy, 0.5);
  DecisionRecorder recorder;
  RolloutStore store;
  CountingClock clock;
  StepWorld world{controller, prompts, engine, verifier, learner, recorder, store, clock};
  StepSettings step;
  step.seed = 9;
  step.prompts_per_step = kPrompts;
  step.sampling.max_new = 8;
  step.budget = step_budget(alloc, kPrompts, step.sampling.max_new, kSteps);
  for (int i = 0; i < kSteps; ++i) run_step(world, step);
  Decisions decisions = recorder.decisions;
  // Which of the rollouts that are cancelled had finished before depends on time; none is used.
  if (!controller.needs().cancel)
    for (const ToyRecorder::Step& record : recorder.steps)
      decisions.generated.push_back(record.generated);
  decisions.logit = policy.logit;
  return decisions;
}

std::vector<Trick> survivable() {
  std::vector<Trick> tricks = all_tricks();
  std::erase(tricks, Trick::Stall);
  return tricks;
}

// OptPO sees every rollout and cancels; AERO asks again; DAPO refills; AR3PO holds rollouts.
TEST(ServerStep, DecisionsDoNotDependOnTroubleOrOrder) {
  for (const std::string method : {"grpo", "aero", "dapo", "ar3po", "optpo"}) {
    SCOPED_TRACE(method);
    const Decisions calm = run(method, Api::Vllm, LoadBy::Folder, {}, 0, 0);
    std::size_t items = 0;
    for (const auto& step : calm.chosen) items += step.size();
    EXPECT_GT(items, 0u);
    EXPECT_TRUE(calm == run(method, Api::Vllm, LoadBy::Folder, {Trick::Delay}, 0.5, 1));
    EXPECT_TRUE(calm == run(method, Api::Vllm, LoadBy::Folder, survivable(), 0.3, 2));
    EXPECT_TRUE(calm == run(method, Api::Vllm, LoadBy::Lora, survivable(), 0.3, 3));
    EXPECT_TRUE(calm == run(method, Api::Sglang, LoadBy::Folder, survivable(), 0.3, 4));
  }
}

}  // namespace
}  // namespace allot::remote
